"""No part of a password in a Redis URL shows anywhere."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from services.cli.main import main
from shared.configuration.file import load
from shared.configuration.redis import RedisSettings
from shared.errors import ConfigurationError, SpoolUnavailable
from shared.spool.connect import open_spool
from shared.spool.gauge import gauge_queue

SECRET = "S3cr3t"
SPECIAL = st.text(st.sampled_from("/?#@:%[]&=;+ \\'\"5xé\N{ACCOUNT OF}\t"), max_size=6)


@given(SPECIAL, SPECIAL, st.sampled_from(["", "user", "user:12", "5"]))
@example("", "\N{ACCOUNT OF}", "")
@example("12?", "", "user")
@example("12?", "=x", "user")
@example("[", "", "")
def test_no_fault_of_a_url_shows_a_part_of_the_password(
    tmp_path_factory: pytest.TempPathFactory, before: str, after: str, user: str
) -> None:
    file = tmp_path_factory.getbasetemp() / "url.json"
    file.write_text(json.dumps({"redis": {"url": f"redis://{user}:{before}{SECRET}{after}@host:6379/0"}}))
    assert SECRET not in "".join(faults_of(file))


def faults_of(file: Path) -> tuple[str, ...]:
    try:
        load(file)
    except ConfigurationError as error:
        return tuple(error.faults)
    return ()


def test_a_redis_that_is_away_or_refuses_is_reported_without_the_password(
    tmp_path: Path, redis_settings: RedisSettings, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    secret = tmp_path / "password"
    secret.write_text(f"{SECRET}-in-a-file\n")
    for url, more in (
        (f"redis://user:{SECRET}@127.0.0.1:1/0", {}),
        (f"{redis_settings.url}", {"username": "nobody", "password_file": secret}),
        ("redis://127.0.0.1:1/0", {"password_file": secret}),
    ):
        spool = open_spool(RedisSettings.model_validate({"url": url, **more}))
        with pytest.raises(SpoolUnavailable) as raised:
            spool.run(gauge_queue("transform"))
        spool.close()
        file = tmp_path / "causeway.yaml"
        file.write_text(json.dumps({"redis": {"url": url, **{key: str(value) for key, value in more.items()}}}))
        assert main(["check", "--config", str(file), "--json"]) == 1
        said = capsys.readouterr()
        assert "redis.url" in said.out
        assert SECRET not in f"{raised.value}{said.out}{said.err}{caplog.text}"
