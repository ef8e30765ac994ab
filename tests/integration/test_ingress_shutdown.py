"""Sessions during a stop of ingress: in process, and as a service under SIGTERM."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import redis

from shared.configuration.redis import RedisSettings
from shared.errors import ConfigurationError
from tests.conftest import Certificates
from tests.support.ingress import RECIPIENT, SENDER, RawClient, Running, running, settings, spooled

CONTENT = b"Subject: x\r\n\r\nHello\r\n"


@pytest.fixture
def ingress(redis_settings: RedisSettings) -> Running:
    return Running(settings(redis_settings))


def test_an_idle_session_gets_421_and_no_new_client_is_accepted(ingress: Running) -> None:
    with RawClient(ingress.port) as idle, RawClient(ingress.port) as between_commands:
        idle.greet()
        between_commands.greet().begin()
        ingress.stop()
        for client in (idle, between_commands):
            assert client.reply() == "421 4.3.2 Service shutting down, closing transmission channel"
            assert client.is_closed
        with pytest.raises(ConnectionRefusedError):
            RawClient(ingress.port)


def test_open_data_is_finished_first(ingress: Running, redis_client: redis.Redis) -> None:
    with RawClient(ingress.port) as open_data, RawClient(ingress.port) as idle:
        idle.greet()
        open_data.greet().begin().open_data()
        open_data.send(CONTENT)
        ingress.tell_to_stop()
        assert idle.reply() == "421 4.3.2 Service shutting down, closing transmission channel"
        assert open_data.ask(b".").startswith("250 2.0.0 queued as ")
        assert open_data.reply() == "421 4.3.2 Service shutting down, closing transmission channel"
        assert open_data.is_closed
    ingress.join()
    assert len(spooled(redis_client)) == 1


def test_chunks_that_have_begun_are_finished_first(ingress: Running, redis_client: redis.Redis) -> None:
    with RawClient(ingress.port) as client, RawClient(ingress.port) as idle:
        idle.greet()
        client.greet().begin()
        client.send(b"BDAT 5\r\n" + CONTENT[:5])
        assert client.reply().startswith("250 ")
        ingress.tell_to_stop()
        assert idle.reply().startswith("421 ")
        client.send(b"BDAT %d LAST\r\n" % (len(CONTENT) - 5) + CONTENT[5:])
        assert client.reply().startswith("250 2.0.0 queued as ")
        assert client.reply().startswith("421 ")
    ingress.join()
    assert len(spooled(redis_client)) == 1


def test_data_that_does_not_end_is_given_up_in_time(redis_settings: RedisSettings, redis_client: redis.Redis) -> None:
    ingress = Running(settings(redis_settings, shutdown_timeout=0.2))
    with RawClient(ingress.port) as client:
        client.greet().begin().open_data()
        client.send(CONTENT)
        ingress.stop()
        assert client.is_closed
    assert spooled(redis_client) == []


def test_several_processes_share_a_port(redis_settings: RedisSettings) -> None:
    with running(settings(redis_settings)) as first:
        address = f"127.0.0.1:{first.port}"
        with running(settings(redis_settings, listen=[address])) as second:
            assert second.port == first.port


@pytest.mark.parametrize("key", ["listen", "listen_tls"])
def test_an_address_that_cannot_be_used_is_a_fault_that_names_it(
    redis_settings: RedisSettings, certificates: Certificates, key: str
) -> None:
    tls = {"certificate": certificates.certificate, "key": certificates.key}
    unusable: dict[str, Any] = {key: ["192.0.2.1:2525"]}
    given = settings(redis_settings, tls=tls, **unusable)
    with pytest.raises(ConfigurationError, match=rf"^ingress\.{key}: cannot listen on 192\.0\.2\.1:2525"):
        Running(given)


def test_sigterm_ends_the_service_with_nothing_lost(
    redis_settings: RedisSettings, redis_client: redis.Redis, tmp_path: Path
) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    config = tmp_path / "causeway.yaml"
    given = {
        "redis": {"url": redis_settings.url},
        "ingress": {"listen": [f"127.0.0.1:{port}"], "tls": {"mode": "none"}},
        "systems": [
            {
                "name": "notes",
                "kind": "domino",
                "networks": ["127.0.0.0/8"],
                "domains": ["notes.example.com"],
                "smart_hosts": [{"host": "127.0.0.1"}],
            },
            {
                "name": "exchange",
                "kind": "exchange",
                "domains": ["exchange.example.com"],
                "smart_hosts": [{"host": "127.0.0.1"}],
            },
        ],
        "http": {"listen": None},
    }
    config.write_text(json.dumps(given))
    log = (tmp_path / "log").open("wb")
    process = subprocess.Popen([sys.executable, "-m", "services.ingress", "--config", str(config)], stderr=log)
    try:
        client = connect(port, process)
        with client:
            client.greet().begin(RECIPIENT, sender=SENDER).open_data()
            process.send_signal(signal.SIGTERM)
            assert client.ask(CONTENT + b".").startswith("250 2.0.0 queued as ")
            assert client.reply() == "421 4.3.2 Service shutting down, closing transmission channel"
        assert process.wait(15) == 0
    finally:
        process.kill()
        process.wait()
        log.close()
    assert len(spooled(redis_client)) == 1
    assert b"Traceback" not in (tmp_path / "log").read_bytes()


def connect(port: int, process: subprocess.Popen[bytes]) -> RawClient:
    deadline = time.monotonic() + 15
    while True:
        try:
            return RawClient(port)
        except ConnectionRefusedError:
            assert time.monotonic() < deadline
            assert process.poll() is None
            time.sleep(0.05)
