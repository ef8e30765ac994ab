"""Redis behind a password: the ACL of docs/redis.md, passwords in files, Sentinel with a password, TLS to Redis."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest

from shared.configuration.endpoint import Endpoint
from shared.configuration.redis import RedisSettings, Sentinel
from shared.errors import SpoolUnavailable
from shared.spool.connect import open_async_spool, open_spool
from shared.spool.gauge import gauge_queue
from shared.spool.keys import TRANSFORM
from tests.conftest import Certificates
from tests.support.faults import under_load
from tests.support.redis_server import RedisServer
from tests.support.redis_server import Sentinel as SentinelServer
from tests.support.tls_terminator import TlsTerminator

GUIDE = (Path(__file__).parents[2] / "docs" / "redis.md").read_text()
PASSWORD = "correct horse/battery#staple"  # what a URL could not hold as it is


def documented_user() -> str:
    found = re.search(r"^user (causeway on .*)$", GUIDE, re.MULTILINE)
    assert found
    return found[1]


def password_file(folder: Path, password: str = PASSWORD) -> Path:
    file = folder / "password"
    file.write_text(password + "\n")
    return file


def test_the_documented_acl_is_enough_for_a_gateway_and_its_commands(tmp_path: Path) -> None:
    user = documented_user().replace(">PASSWORD", ">secret")
    with RedisServer(tmp_path / "redis", user=user) as server:
        access = {"url": server.url, "username": "causeway", "password_file": str(password_file(tmp_path, "secret"))}
        with under_load(tmp_path, access) as trial:
            account = trial.account("ACL", trial.go_on())
        denied = [entry for entry in server.client.acl_log() if entry["username"] == "causeway"]
    assert (account.lost, account.dead) == (set(), 0)
    assert [(entry["reason"], entry["object"]) for entry in denied] == []


def test_the_documented_acl_names_no_command_twice_and_no_category() -> None:
    rules = documented_user().split()
    assert len(rules) == len(set(rules))
    assert not [rule for rule in rules if rule.startswith("+@") or rule in ("allcommands", "allkeys", "~*")]


def test_a_new_password_in_the_file_needs_no_restart(tmp_path: Path) -> None:
    with RedisServer(tmp_path / "redis") as server:
        server.client.config_set("requirepass", "old")
        file = password_file(tmp_path, "old")
        spool = open_spool(RedisSettings(url=server.url, password_file=file))
        assert spool.run(gauge_queue(TRANSFORM)).depth == 0
        server.client.config_set("requirepass", PASSWORD)
        password_file(tmp_path)
        spool.client.connection_pool.disconnect()
        assert spool.run(gauge_queue(TRANSFORM)).depth == 0
        spool.close()


def test_a_password_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with RedisServer(tmp_path / "redis") as server:
        spool = open_spool(RedisSettings(url=server.url, password_file=tmp_path / "missing"))
        with pytest.raises(SpoolUnavailable, match=r"redis\.password_file: .*missing cannot be read \(No such file"):
            spool.run(gauge_queue(TRANSFORM))
        spool.close()


async def ask_async(settings: RedisSettings) -> int:
    spool = open_async_spool(settings)
    try:
        return (await spool.run(gauge_queue(TRANSFORM))).depth
    finally:
        await spool.aclose()


@pytest.mark.parametrize("has_password", [True, False])
def test_a_sentinel_with_a_password_names_its_primary(tmp_path: Path, has_password: bool) -> None:
    with RedisServer(tmp_path / "redis") as primary:
        with SentinelServer(tmp_path / "sentinel", primary) as sentinel:
            sentinel.client.acl_setuser("default", enabled=True, passwords=[f"+{PASSWORD}"])
            settings = RedisSettings(
                sentinel=Sentinel(
                    service="causeway",
                    nodes=[Endpoint("127.0.0.1", sentinel.port)],
                    password_file=password_file(tmp_path) if has_password else None,
                )
            )
            spool = open_spool(settings)
            if has_password:
                assert spool.run(gauge_queue(TRANSFORM)).depth == 0
                assert asyncio.run(ask_async(settings)) == 0
            else:
                with pytest.raises(SpoolUnavailable):
                    spool.run(gauge_queue(TRANSFORM))
            spool.close()


def test_a_redis_behind_tls_is_verified_and_sees_our_certificate(tmp_path: Path, certificates: Certificates) -> None:
    with RedisServer(tmp_path / "redis") as server, TlsTerminator(server.port, certificates, demands=True) as tls:
        url = f"rediss://127.0.0.1:{tls.port}/0"
        trusting = RedisSettings(
            url=url, ca=certificates.ca, certificate=certificates.certificate, key=certificates.key
        )
        spool = open_spool(trusting)
        assert spool.run(gauge_queue(TRANSFORM)).depth == 0
        assert asyncio.run(ask_async(trusting)) == 0
        spool.close()
        assert tls.peers == 2
        stranger = open_spool(RedisSettings(url=url))
        with pytest.raises(SpoolUnavailable, match="certificate verify failed"):
            stranger.run(gauge_queue(TRANSFORM))
        stranger.close()
