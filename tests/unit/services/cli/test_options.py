"""How options are read."""

from __future__ import annotations

import argparse
import subprocess
import sys
import time

import pytest

from services.cli.options import moment


def test_a_moment_is_a_length_of_time_ago_or_a_date() -> None:
    assert moment("2h") == pytest.approx(time.time() - 7200, abs=60)
    assert moment("2030-01-31T08:00+00:00") == 1896076800
    with pytest.raises(argparse.ArgumentTypeError, match="write for example"):
        moment("yesterday")


@pytest.mark.parametrize(("service", "library"), [("ingress", "aiosmtpd"), ("egress", "aiosmtplib")])
def test_an_installation_without_an_extra_names_it(service: str, library: str) -> None:
    program = (
        f"import sys; sys.modules[{library!r}] = None; "
        f"from services.cli.main import main; sys.exit(main([{service!r}]))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert f"pip install 'causeway[{service}]'" in done.stderr
    assert done.stderr.count("\n") == 1
