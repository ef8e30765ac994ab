"""The transform worker on a real Redis: what it takes comes out once, whatever happens to it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
import redis
import rq

from services.transform.app import run
from services.transform.renewal import Renewal
from services.transform.worker import Worker
from shared.configuration.addresses import AddressSettings
from shared.configuration.http import HttpSettings
from shared.configuration.redis import RedisSettings
from shared.configuration.settings import Settings
from shared.configuration.transform import TransformSettings
from shared.mail.edits import apply
from shared.operations import embedded_redis
from shared.routing.router import CurrentRouter
from shared.runtime.health import Health
from shared.runtime.reload import CurrentSettings
from shared.spool import keys
from shared.spool.accept import accept
from shared.spool.connect import open_spool
from shared.spool.dead_letters import Filter, list_dead
from shared.spool.history import read_history
from shared.spool.lease import LeasedDelivery, lease_deliveries, lease_messages
from shared.spool.operation import Spool
from shared.spool.presence import announce
from tests.support.mail import SLOW, message
from tests.support.systems import EXCHANGE, NOTES

CONTENT = b"From: john@notes.example.com\r\nTo: jane@example.com\r\nBcc: secret@example.com\r\n\r\nHello\r\n"
DEADLINE_SECONDS = 30.0


@pytest.fixture
def spool(redis_settings: RedisSettings) -> Iterator[Spool]:
    opened = open_spool(redis_settings)
    yield opened
    opened.close()


@pytest.fixture
def settings(redis_settings: RedisSettings) -> Settings:
    return Settings(
        hostname="gateway.example.com",
        redis=redis_settings,
        systems=[NOTES, EXCHANGE],
        transform=TransformSettings(lease=timedelta(seconds=1)),
        http=HttpSettings(listen=None),
    )


def eventually(condition: Callable[[], bool]) -> bool:
    end = time.monotonic() + DEADLINE_SECONDS
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.01)
    return False


def accept_messages(spool: Spool, count: int, content: bytes = CONTENT) -> list[str]:
    ids = []
    for _ in range(count):
        accepted = message("jane@exchange.example.com", sender="john@notes.example.com", content=content)
        spool.run(accept(accepted))
        ids.append(accepted.envelope.id)
    return ids


def leased_deliveries(spool: Spool, system: str = "exchange") -> list[LeasedDelivery]:
    return spool.run(lease_deliveries(system, "test", max_jobs=1000, max_bytes=10**9, seconds=60))


def run_until(settings: Settings, condition: Callable[[], bool]) -> None:
    """Run the service in this thread, as a process does, and stop it by SIGTERM once the condition holds."""
    held: list[bool] = []

    def watch() -> None:
        held.append(eventually(condition))
        os.kill(os.getpid(), signal.SIGTERM)

    watcher = threading.Thread(target=watch)
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        watcher.start()
        run(CurrentSettings(settings), Health())
        watcher.join()
    finally:
        signal.signal(signal.SIGTERM, before)
    assert held == [True]


def transform_is_idle(spool: Spool) -> bool:
    return not spool.client.exists(keys.live(keys.TRANSFORM))


def test_messages_become_deliveries(settings: Settings, spool: Spool) -> None:
    ids = accept_messages(spool, 50)
    run_until(settings, lambda: transform_is_idle(spool))
    leased = leased_deliveries(spool)
    assert sorted(job.delivery.message_id for job in leased) == sorted(ids)
    expected = b"From: john@example.com\r\nTo: jane@example.com\r\n\r\nHello\r\n"
    assert {apply(CONTENT, job.edits) for job in leased} == {expected}
    assert {job.delivery.sender for job in leased} == {"john@example.com"}
    assert [event.name for event in spool.run(read_history(ids[0]))] == ["message.accepted", "message.converted"]


def test_health_reports_the_stop(settings: Settings, spool: Spool) -> None:
    health = Health()
    timer = threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGTERM))
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        timer.start()
        run(CurrentSettings(settings), health)
    finally:
        timer.join()
        assert signal.signal(signal.SIGTERM, before) is signal.SIG_IGN
    assert health.ready() == "draining"
    assert not spool.client.smembers(keys.RQ_WORKERS)


def test_what_cannot_be_processed_is_a_dead_letter_and_holds_nothing_up(settings: Settings, spool: Spool) -> None:
    good, bad = accept_messages(spool, 5), accept_messages(spool, 1, b"X: " + b"a" * 1_000_000 + b"\r\n\r\n")
    good += accept_messages(spool, 5)
    run_until(settings, lambda: transform_is_idle(spool))
    assert sorted(delivery.delivery.message_id for delivery in leased_deliveries(spool)) == sorted(good)
    [letter] = spool.run(list_dead(Filter(stage="transform")))
    assert ([letter.id], letter.reason) == (bad, "malformed")


def test_the_sender_of_an_unroutable_message_gets_a_report_through_the_gateway(
    settings: Settings, spool: Spool
) -> None:
    lonely = NOTES.model_copy(update={"default_route": None})
    settings = settings.model_copy(update={"systems": [lonely, EXCHANGE]})
    spool.run(accept(message("x@elsewhere.example.net", sender="john@notes.example.com", content=CONTENT)))
    run_until(settings, lambda: transform_is_idle(spool))
    [report] = leased_deliveries(spool, "notes")
    assert report.delivery.sender is None
    assert [recipient.public for recipient in report.delivery.recipients] == ["john@example.com"]
    assert leased_deliveries(spool) == []


def test_a_new_version_of_the_map_is_used_without_a_restart(settings: Settings, spool: Spool, tmp_path: Path) -> None:
    map_file = tmp_path / "addresses.csv"
    map_file.write_text("public,internal\nj.doe@example.com,other@notes.example.com\n")
    settings = settings.model_copy(update={"addresses": AddressSettings(map=map_file)})
    senders: list[str | None] = []

    def is_renamed() -> bool:
        if not senders:
            accept_messages(spool, 1)
        for delivery in leased_deliveries(spool):
            senders.append(delivery.delivery.sender)
            replacement = tmp_path / "new.csv"
            replacement.write_text("public,internal\njohn.doe@example.com,john@notes.example.com\n")
            replacement.rename(map_file)
            accept_messages(spool, 1)
        return "john.doe@example.com" in senders

    run_until(settings, is_renamed)
    assert senders[0] == "john@example.com"


def test_messages_of_a_worker_that_died_are_done_by_another(settings: Settings, spool: Spool) -> None:
    ids = accept_messages(spool, 3)
    taken = spool.run(lease_messages("dead", max_jobs=2, max_bytes=10**9, seconds=0.2))
    assert len(taken) == 2
    run_until(settings, lambda: transform_is_idle(spool))
    assert sorted(delivery.delivery.message_id for delivery in leased_deliveries(spool)) == sorted(ids)


@pytest.fixture
def worker(settings: Settings, spool: Spool) -> Iterator[Worker]:
    renewal_spool = open_spool(settings.redis)
    yield Worker(settings, spool, renewal_spool, CurrentRouter(settings.systems), Health())
    renewal_spool.close()


def test_a_stop_gives_back_what_is_not_begun(worker: Worker, spool: Spool) -> None:
    ids = accept_messages(spool, 5)
    leased = spool.run(lease_messages(worker.name, max_jobs=3, max_bytes=10**9, seconds=60))
    worker.stop()
    worker.work(leased)
    again = spool.run(lease_messages("next", max_jobs=9, max_bytes=10**9, seconds=60))
    assert sorted(job.lease.id for job in again) == sorted(ids)
    assert {job.lease.crashes for job in again} == {0}
    assert leased_deliveries(spool) == []


def test_a_message_that_another_worker_holds_by_now_is_not_settled(worker: Worker, spool: Spool) -> None:
    mine, lost = accept_messages(spool, 2)
    leased = spool.run(lease_messages(worker.name, max_jobs=2, max_bytes=10**9, seconds=60))
    spool.client.hset(keys.message(lost), "lease", "another")
    worker.work(leased)
    assert [delivery.delivery.message_id for delivery in leased_deliveries(spool)] == [mine]


def test_a_lease_is_renewed_for_as_long_as_the_work_takes(settings: Settings, spool: Spool) -> None:
    accept_messages(spool, 2)
    leases = [one.lease for one in spool.run(lease_messages("test", max_jobs=2, max_bytes=10**9, seconds=0.3))]
    renewal_spool = open_spool(settings.redis)
    started, first = keys.rq_started(keys.TRANSFORM), f"{leases[0].id}:{leases[0].token}"
    granted = spool.client.zscore(started, first)
    assert isinstance(granted, float)
    with Renewal(renewal_spool, leases, 0.3, lambda: "") as renewal:
        assert eventually(lambda: (spool.client.zscore(started, first) or 0.0) > granted + 0.6)
        assert renewal.lost == frozenset()
        spool.client.hset(keys.message(leases[1].id), "lease", "somebody else")
        assert eventually(lambda: renewal.lost == {leases[1].id})
    renewal_spool.close()


def test_a_worker_that_hangs_where_no_alarm_reaches_it_keeps_no_lease(
    settings: Settings, spool: Spool, caplog: pytest.LogCaptureFixture
) -> None:
    accept_messages(spool, 1)
    [leased] = spool.run(lease_messages("test", max_jobs=1, max_bytes=10**9, seconds=0.3))
    renewal_spool = open_spool(settings.redis)
    held = f"{leased.lease.id}:{leased.lease.token}"
    granted = spool.client.zscore(keys.rq_started(keys.TRANSFORM), held)
    with Renewal(renewal_spool, [leased.lease], 0.3, lambda: "the loop was not heard of for 121 s"):
        assert eventually(lambda: "leases.abandoned" in caplog.messages)
    assert spool.client.zscore(keys.rq_started(keys.TRANSFORM), held) == granted
    renewal_spool.close()


@contextmanager
def service(folder: Path, redis_url: str, **transform: object) -> Iterator[subprocess.Popen[bytes]]:
    """Run the service as a process of its own; the file `log` has its events."""
    hosts = {"smart_hosts": [{"host": "127.0.0.1", "tls": "none"}]}
    configuration = {
        "redis": {"url": redis_url},
        "systems": [{**system.model_dump(mode="json"), **hosts} for system in (NOTES, EXCHANGE)],
        "transform": {"lease": "1s", **transform},
        "http": {"listen": None},
    }
    file = folder / "causeway.yaml"
    file.write_text(json.dumps(configuration))  # JSON is YAML
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen([sys.executable, "-m", "services.transform", "--config", file], stderr=log)
        try:
            yield process
        finally:
            process.kill()
            process.wait()


def events(router: Path) -> list[str]:
    return [json.loads(line)["event"] for line in (router / "log").read_text().splitlines() if line.startswith("{")]


def test_sigterm_ends_the_service_and_leaves_nothing_leased(
    spool: Spool, redis_settings: RedisSettings, tmp_path: Path
) -> None:
    """What is done is settled, the rest is back in its queue, and no crash was counted."""
    ids = accept_messages(spool, 400)
    with service(tmp_path, redis_settings.url) as process:
        assert eventually(lambda: int(spool.client.llen(keys.rq_queue(keys.egress("exchange")))) > 0)
        process.terminate()
        assert process.wait(DEADLINE_SECONDS) == 0
    assert not spool.client.zcard(keys.rq_started(keys.TRANSFORM))
    queue = spool.client.lrange(keys.rq_queue(keys.TRANSFORM), 0, -1)
    waiting = {id.decode() for id in queue if isinstance(id, bytes)}
    done = {delivery.delivery.message_id for delivery in leased_deliveries(spool)}
    assert waiting | done == set(ids)
    assert not waiting & done
    assert {spool.client.hget(keys.message(id), "crashes") for id in ids} == {b"0"}
    assert events(tmp_path)[-1] == "worker.stopped"


def test_a_message_that_takes_too_long_is_a_dead_letter_in_the_end(
    spool: Spool, redis_settings: RedisSettings, tmp_path: Path
) -> None:
    [slow], [quick] = accept_messages(spool, 1, SLOW), accept_messages(spool, 1)
    with service(tmp_path, redis_settings.url, message_timeout="100ms", max_crashes=1):
        assert eventually(lambda: transform_is_idle(spool))
    [letter] = spool.run(list_dead(Filter(stage="transform")))
    assert (letter.id, letter.reason) == (slow, "crash")
    assert letter.detail.startswith("timeout: ")
    assert [delivery.delivery.message_id for delivery in leased_deliveries(spool)] == [quick]


def test_the_service_outlives_redis(tmp_path: Path) -> None:
    """Redis is killed while the service waits, and started again: the service goes on with what comes then."""
    socket = tmp_path / "redis.sock"
    command = embedded_redis.command(embedded_redis.find_redis_server(), tmp_path, socket)
    url = f"unix://{socket}"
    server = subprocess.Popen(command)
    spool = open_spool(RedisSettings(url=url))

    def answers() -> bool:
        try:
            return bool(spool.client.ping())
        except redis.RedisError:
            return False

    try:
        assert eventually(answers)
        with service(tmp_path, url) as process:
            assert eventually(lambda: "worker.started" in events(tmp_path))
            server.kill()
            server.wait()
            assert eventually(lambda: "spool.failed" in events(tmp_path))
            server = subprocess.Popen(command)
            assert eventually(answers)
            [id] = accept_messages(spool, 1)
            assert eventually(lambda: bool(spool.client.exists(keys.delivery(f"{id}-exchange"))))
            assert eventually(lambda: "spool.recovered" in events(tmp_path))
            process.terminate()
            assert process.wait(DEADLINE_SECONDS) == 0
    finally:
        spool.close()
        server.kill()
        server.wait()


def test_rq_counts_conversions_and_dead_letters_and_sees_the_worker_idle_after_them(
    spool: Spool, worker: Worker, redis_client: redis.Redis
) -> None:
    spool.run(announce(worker.name, [keys.TRANSFORM], "idle"))
    accept_messages(spool, 2)
    leased = spool.run(lease_messages(worker.name, max_jobs=3, max_bytes=10**9, seconds=60))
    [seen] = rq.Worker.all(connection=redis_client)
    assert str(seen.get_state()) == "busy"
    worker.work(leased)
    seen.refresh()
    assert (str(seen.get_state()), seen.successful_job_count, seen.failed_job_count) == ("idle", 2, 0)
    assert seen.total_working_time > 0
