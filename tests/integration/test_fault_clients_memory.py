"""Many large messages at once: ingress holds no more than it is allowed, and all messages are accepted in the end."""

from __future__ import annotations

import os
import sys
import threading
from collections import Counter
from pathlib import Path

import redis

from shared.configuration.redis import RedisSettings
from tests.conftest import Certificates
from tests.support.gateway import ingress_process, most_resident_bytes
from tests.support.ingress import RawClient, spooled

SESSIONS = int(os.environ.get("CAUSEWAY_LARGE_SESSIONS", "50"))
EACH_BYTES = int(os.environ.get("CAUSEWAY_LARGE_SESSION_BYTES", "2000000"))
BUDGET_BYTES = 5 * EACH_BYTES
COPIES = 6
PER_SESSION_BYTES = 1_000_000
"""What is read ahead of a session (services.ingress.input.HIGH_WATER), and the buffers of its connection."""
CONTENT = b"Subject: large\r\n\r\n" + (b"x" * 98 + b"\r\n") * (EACH_BYTES // 100)
PATIENCE_SECONDS = 120
BUSY = "452 4.3.1 Insufficient system resources"


def test_memory_stays_within_the_budget_of_octets_in_flight(
    redis_settings: RedisSettings, redis_client: redis.Redis, certificates: Certificates, tmp_path: Path
) -> None:
    together = threading.Barrier(SESSIONS)
    in_turn = threading.Semaphore(2)
    replies: Counter[str] = Counter()

    def send(client: RawClient) -> str:
        client.begin().open_data()
        client.send(CONTENT)
        reply = client.ask(b".")
        replies[reply.partition(" as ")[0]] += 1
        return reply

    def insist(port: int) -> None:
        with RawClient(port) as client:
            client.socket.settimeout(PATIENCE_SECONDS)
            client.greet()
            together.wait(PATIENCE_SECONDS)
            if send(client) == BUSY:
                with in_turn:
                    while send(client) == BUSY:
                        pass

    given = {"max_bytes_in_flight": BUDGET_BYTES}
    with ingress_process(tmp_path, redis_settings, certificates, **given) as ingress:
        assert ingress.serves()
        before = most_resident_bytes(ingress.pid)
        clients = [threading.Thread(target=insist, args=(ingress.port,)) for _ in range(SESSIONS)]
        for client in clients:
            client.start()
        for client in clients:
            client.join()
        grown = most_resident_bytes(ingress.pid) - before
    sys.stdout.write(
        f"{SESSIONS} times {EACH_BYTES} octets at once, ingress grew by {grown / BUDGET_BYTES:.1f} budgets\n"
    )
    assert replies["250 2.0.0 queued"] == SESSIONS
    assert len(spooled(redis_client)) == SESSIONS + 1
    assert replies[BUSY] > 0, "no client had to wait: the test shows nothing"
    assert grown < COPIES * BUDGET_BYTES + SESSIONS * PER_SESSION_BYTES
