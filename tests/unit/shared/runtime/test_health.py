"""The HTTP endpoints of a service, over real sockets."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path

import pytest
import redis
from prometheus_client import CollectorRegistry, Gauge

from shared.configuration.endpoint import Endpoint
from shared.configuration.ingress import IngressSettings, IngressTls
from shared.configuration.redis import RedisSettings
from shared.configuration.settings import Settings
from shared.configuration.systems import System
from shared.runtime.gauges import Gauges
from shared.runtime.health import LIVE_SECONDS, GroupHealth, Health, Probe
from shared.runtime.health_server import HealthServer
from shared.spool.accept import accept
from shared.spool.connect import open_spool
from shared.spool.lease import lease_messages
from shared.spool.settlement import Retry
from shared.spool.write_settlements import write_settlements
from tests.conftest import Certificates
from tests.support.mail import message
from tests.support.processes import eventually


@contextmanager
def answering(health: Health, listen: str = "127.0.0.1:0", **more: object) -> Iterator[HealthServer]:
    server = HealthServer(Endpoint.parse(listen), health, **more)  # type: ignore[arg-type]
    server.start()
    try:
        yield server
    finally:
        server.close()


def ask(server: HealthServer, path: str, host: str = "127.0.0.1", method: str = "GET") -> tuple[int, str]:
    connection = HTTPConnection(host, server.port, timeout=10)
    try:
        connection.request(method, path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def at_work(probe: Probe = lambda: "") -> Health:
    health = Health(probe)
    health.beat()
    return health


def test_a_service_is_alive_and_not_ready_until_its_work_has_begun() -> None:
    health = Health()
    with answering(health) as server:
        assert ask(server, "/livez") == (200, "ok\n")
        assert ask(server, "/readyz") == (503, "starting\n")
        health.beat()
        assert ask(server, "/readyz") == (200, "ok\n")


def test_a_service_that_beats_is_alive_and_ready() -> None:
    with answering(at_work()) as server:
        assert ask(server, "/livez") == (200, "ok\n")
        assert ask(server, "/readyz?verbose") == (200, "ok\n")
        assert ask(server, "/readyz", method="HEAD") == (200, "")
        assert ask(server, "/nothing")[0] == 404


def test_a_loop_without_a_heartbeat_is_not_alive_until_it_drains() -> None:
    health = Health(live_seconds=0.0)
    with answering(health) as server:
        status, text = ask(server, "/livez")
        assert status == 503
        assert "no heartbeat" in text
        assert ask(server, "/readyz")[0] == 503
        health.drain()
        assert ask(server, "/livez")[0] == 200


def test_a_beat_breaks_the_silence() -> None:
    health = Health()
    eventually(lambda: health.silent_seconds() > 1)
    health.beat()
    assert health.silent_seconds() < 1


def test_a_draining_service_is_alive_and_not_ready() -> None:
    health = Health()
    with answering(health) as server:
        health.drain()
        assert ask(server, "/livez")[0] == 200
        assert ask(server, "/readyz") == (503, "draining\n")


def test_readiness_returns_the_reason_of_its_probe() -> None:
    with answering(at_work(lambda: "Redis is away")) as server:
        assert ask(server, "/readyz") == (503, "Redis is away\n")


def test_metrics_are_brought_up_to_date_at_each_scrape() -> None:
    registry = CollectorRegistry()
    gauge = Gauge("scrapes", "How often.", registry=registry)
    with answering(Health(), refresh=gauge.inc, registry=registry) as server:
        ask(server, "/metrics")
        assert "\nscrapes 2.0\n" in ask(server, "/metrics")[1]


@pytest.mark.skipif(not socket.has_ipv6, reason="no IPv6 here")
def test_it_listens_on_ipv6() -> None:
    try:
        with answering(Health(), "[::1]:0") as server:
            assert ask(server, "/livez", "::1")[0] == 200
    except OSError:
        pytest.skip("no IPv6 loopback here")


def test_the_port_is_free_afterwards() -> None:
    with answering(Health()) as server:
        port = server.port
    with answering(Health(), f"127.0.0.1:{port}") as server:
        assert ask(server, "/livez")[0] == 200


def test_a_taken_port_is_an_error() -> None:
    with answering(Health()) as server, pytest.raises(OSError, match="in use"):
        HealthServer(Endpoint("127.0.0.1", server.port), Health())


def test_a_group_is_as_alive_as_its_quietest_child(tmp_path: Path) -> None:
    files = [tmp_path / "beat-0", tmp_path / "beat-1"]
    group = GroupHealth(files)
    assert (group.live(), group.ready()) == ("", "starting")
    for file in files:
        Health(beat_file=file).beat()
    assert (group.live(), group.ready()) == ("", "")
    long_ago = time.time() - 2 * LIVE_SECONDS
    os.utime(files[1], (long_ago, long_ago))
    assert "no heartbeat" in group.live()
    child = Health(beat_file=files[1])
    child.beat()
    assert group.live() == ""


@pytest.fixture
def settings(redis_settings: RedisSettings, certificates: Certificates) -> Settings:
    tls = IngressTls(certificate=certificates.certificate, key=certificates.key)
    systems = [System(name="notes", kind="domino"), System(name="exchange", kind="exchange")]
    return Settings(redis=redis_settings, ingress=IngressSettings(tls=tls), systems=systems)


def samples(text: str) -> dict[str, str]:
    return dict(line.rsplit(" ", 1) for line in text.splitlines() if line and not line.startswith("#"))


def test_readiness_and_metrics_follow_redis(settings: Settings, redis_client: redis.Redis) -> None:
    gauges = Gauges(settings)
    with answering(at_work(gauges.ready), refresh=gauges.refresh) as server:
        assert ask(server, "/readyz") == (200, "ok\n")
        reported = samples(ask(server, "/metrics")[1])
        assert reported['causeway_durability{level="fsync"}'] == "1.0"
        assert 0 < float(reported["causeway_spool_bytes"]) < float(reported["causeway_spool_max_bytes"])
        assert reported["causeway_spool_ready"] == "1.0"
        for stage in ("transform", "egress.notes", "egress.exchange"):
            assert reported[f'causeway_queue_depth{{stage="{stage}"}}'] == "0.0"
            assert reported[f'causeway_dead_letters{{stage="{stage}"}}'] == "0.0"
        assert float(reported['causeway_certificate_expiry_timestamp_seconds{use="ingress"}']) > time.time()
        redis_client.config_set("appendfsync", "everysec")
        status, reason = ask(server, "/readyz")
        assert status == 503
        assert "appendfsync" in reason
        reported = samples(ask(server, "/metrics")[1])
        assert (reported['causeway_durability{level="fsync"}'], reported['causeway_durability{level="everysec"}']) == (
            "0.0",
            "1.0",
        )
        assert reported["causeway_spool_ready"] == "0.0"
    gauges.close()


def test_mail_that_waits_for_a_retry_is_measured(settings: Settings) -> None:
    spool, gauges = open_spool(settings.redis), Gauges(settings)
    spool.run(accept(message()))
    (leased,) = spool.run(lease_messages("test", max_jobs=1, max_bytes=10**6, seconds=60))
    spool.run(write_settlements([Retry(leased.lease, 60)]))
    with answering(at_work(gauges.ready), refresh=gauges.refresh) as server:
        reported = samples(ask(server, "/metrics")[1])
    assert reported['causeway_queue_depth{stage="transform"}'] == "0.0"
    assert reported['causeway_queue_scheduled{stage="transform"}'] == "1.0"
    assert 0 <= float(reported['causeway_queue_scheduled_age_seconds{stage="transform"}']) < 600
    gauges.close()
    spool.close()


def test_metrics_are_there_without_redis(settings: Settings, tmp_path: Path) -> None:
    nowhere = settings.model_copy(update={"redis": RedisSettings(url=f"unix://{tmp_path}/none.sock")})
    gauges = Gauges(nowhere)
    with answering(at_work(gauges.ready), refresh=gauges.refresh) as server:
        assert ask(server, "/livez")[0] == 200
        status, reason = ask(server, "/readyz")
        assert status == 503
        assert reason.count("\n") == 1
        reported = samples(ask(server, "/metrics")[1])
        assert {value for name, value in reported.items() if name.startswith("causeway_durability")} == {"0.0"}
        assert reported["causeway_spool_ready"] == "0.0"
        assert reported["causeway_spool_bytes"] == "NaN"
        assert reported['causeway_queue_depth{stage="transform"}'] == "NaN"
    gauges.close()
