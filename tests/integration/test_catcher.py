"""The catcher as a program: what it keeps, what it refuses, how it says that it cannot start."""

from __future__ import annotations

import json
import signal
import smtplib
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from services.demo.ports import free_ports

PROGRAM = [sys.executable, "-m", "services.demo.catcher"]


@contextmanager
def catcher(directory: Path, *arguments: str) -> Iterator[int]:
    """Run a catcher; yield its port once it says that it is there."""
    (port,) = free_ports(1)
    command = [*PROGRAM, "--listen", f"127.0.0.1:{port}", "--directory", str(directory), *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == f"catching for catcher on 127.0.0.1:{port} into {directory}\n"
            yield port
        finally:
            process.send_signal(signal.SIGTERM)
    assert process.returncode == 0


def send(port: int, *recipients: str) -> dict[str, tuple[int, bytes]]:
    """Send one message; return the recipients that were not taken."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with smtplib.SMTP("127.0.0.1", port, timeout=20) as client:
        client.starttls(context=context)
        return client.sendmail("a@example.com", recipients, b"Subject: x\r\n\r\nHello\r\n")


def failed(*arguments: str) -> tuple[int, str]:
    done = subprocess.run([*PROGRAM, *arguments], capture_output=True, text=True, timeout=60, check=False)
    assert "Traceback" not in done.stderr
    return done.returncode, done.stderr


def test_numbers_go_on_after_a_restart(tmp_path: Path) -> None:
    for _ in range(2):
        with catcher(tmp_path) as port:
            send(port, "b@example.com")
    assert sorted(file.name for file in tmp_path.glob("*.eml")) == ["000001.eml", "000002.eml"]


def test_recipients_are_refused_and_deferred_as_asked(tmp_path: Path) -> None:
    with catcher(tmp_path, "--refuse", "No@example.com", "--defer", "later@example.com") as port:
        answers = send(port, "no@example.com", "later@example.com", "yes@example.com")
    assert {address: code for address, (code, _) in answers.items()} == {
        "no@example.com": 550,
        "later@example.com": 451,
    }
    assert json.loads((tmp_path / "000001.json").read_text())["recipients"] == ["yes@example.com"]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--listen", "foo"], 2, "write host:port"),
        (["--certificate", "none.crt", "--key", "none.key"], 1, "none.crt cannot be read"),
        (["--certificate", "none.crt"], 1, "certificate and key are both needed"),
        (["--directory", "/proc/none"], 1, "/proc/none: "),
    ],
)
def test_what_cannot_be_used_is_one_line(tmp_path: Path, arguments: list[str], code: int, said: str) -> None:
    status, reported = failed("--directory", str(tmp_path), "--listen", "127.0.0.1:0", *arguments)
    assert status == code
    assert said in reported.splitlines()[-1]


def test_a_port_in_use_is_one_line(tmp_path: Path) -> None:
    with catcher(tmp_path) as port:
        status, reported = failed("--listen", f"127.0.0.1:{port}", "--directory", str(tmp_path))
    assert (status, reported) == (1, f"127.0.0.1:{port}: Address already in use: choose another\n")
