"""What is asked over HTTP takes bounded threads and a bounded share of the time."""

from __future__ import annotations

import http.client
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import count

import pytest
from prometheus_client import CollectorRegistry

from shared.configuration.endpoint import Endpoint
from shared.runtime.health import Health
from shared.runtime.health_server import HealthServer
from shared.runtime.scrapes import CREDIT_SECONDS, MAX_CONNECTIONS, SHARE, Shared


@pytest.fixture
def server() -> Iterator[HealthServer]:
    served = HealthServer(Endpoint.parse("127.0.0.1:0"), Health(), registry=CollectorRegistry())
    served.start()
    yield served
    served.close()


def test_connections_that_say_nothing_take_bounded_threads_and_keep_no_probe_out(server: HealthServer) -> None:
    before = threading.active_count()
    with ExitStack() as idle:
        for _ in range(8 * MAX_CONNECTIONS):
            idle.enter_context(socket.create_connection(("127.0.0.1", server.port))).sendall(b"GET /metrics")
        probe = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
        probe.request("GET", "/livez")
        assert probe.getresponse().status in (200, 503)
        probe.close()
        assert threading.active_count() - before <= 2 * MAX_CONNECTIONS


def test_scrapes_take_a_bounded_share_of_the_time() -> None:
    now, made = [0.0], []

    def make() -> bytes:
        now[0] += 1.0  # what it costs
        made.append(now[0])
        return str(len(made)).encode()

    shared = Shared(make, lambda: now[0])
    for _ in range(1000):
        shared.get()
        now[0] += 0.1
    assert len(made) * 1.0 <= SHARE * now[0] + CREDIT_SECONDS + 1
    assert len(made) > 5


def test_what_costs_nothing_is_made_at_each_scrape() -> None:
    numbers = count(1)
    shared = Shared(lambda: str(next(numbers)).encode(), lambda: 0.0)
    assert [shared.get(), shared.get()] == [b"1", b"2"]
