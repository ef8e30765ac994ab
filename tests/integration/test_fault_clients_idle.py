"""Thousands of clients that connect and say nothing."""

from __future__ import annotations

import os
import resource
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from shared.configuration.redis import RedisSettings
from shared.runtime.start import allow_many_files
from tests.conftest import Certificates
from tests.support.gateway import IngressProcess, ingress_process, open_files, resident_bytes
from tests.support.processes import eventually

FILES_OF_OURS = 200
PER_CLIENT = 200  # ingress.max_sessions_per_client
BYTES_PER_IDLE = 100_000
TOO_MANY = b"421 4.3.2 Too many connections, try again later\r\n"
TOO_MANY_FROM_ONE = b"421 4.7.0 Too many connections from your address\r\n"


@pytest.fixture
def idle_count() -> Iterator[int]:
    """How many connections there are to be: 2,000, or as many as this machine lets one process have."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    allow_many_files()
    highest = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    yield min(int(os.environ.get("CAUSEWAY_IDLE_CLIENTS", "2000")), highest - FILES_OF_OURS)
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def connect(port: int, client: int) -> socket.socket:
    """Connect from one of many addresses of loopback."""
    address = f"127.3.{client // 250}.{client % 250 + 1}"
    return socket.create_connection(("127.0.0.1", port), timeout=20, source_address=(address, 0))


def says(connection: socket.socket) -> bytes:
    """Return the first line that the server says."""
    with connection.makefile("rb") as lines:
        return lines.readline()


def open_idle(stack: ExitStack, ingress: IngressProcess, count: int) -> None:
    """Open connections, as many from one address as it may have, and read each one's banner."""
    opened = [stack.enter_context(connect(ingress.port, number // PER_CLIENT)) for number in range(count)]
    assert {says(client)[:4] for client in opened} == {b"220 "}


def test_idle_connections_block_no_sender_and_each_costs_little(
    redis_settings: RedisSettings, certificates: Certificates, tmp_path: Path, idle_count: int
) -> None:
    with ingress_process(tmp_path, redis_settings, certificates, max_sessions=idle_count + 1) as ingress:
        assert ingress.serves()
        before, files = resident_bytes(ingress.pid), open_files(ingress.pid)
        with ExitStack() as stack:
            open_idle(stack, ingress, idle_count)
            assert ingress.serves()
            assert resident_bytes(ingress.pid) - before < idle_count * BYTES_PER_IDLE
        eventually(lambda: open_files(ingress.pid) <= files)
        assert ingress.serves()


def test_one_address_gets_its_share_of_sessions_and_all_together_theirs(
    redis_settings: RedisSettings, certificates: Certificates, tmp_path: Path
) -> None:
    with ingress_process(tmp_path, redis_settings, certificates, max_sessions=2 * PER_CLIENT) as ingress:
        with ExitStack() as stack:
            open_idle(stack, ingress, PER_CLIENT)
            with connect(ingress.port, 0) as another:
                assert says(another) == TOO_MANY_FROM_ONE
            assert ingress.serves()
            for client in range(1, PER_CLIENT + 1):
                assert says(stack.enter_context(connect(ingress.port, client))).startswith(b"220 ")
            with connect(ingress.port, PER_CLIENT + 1) as another:
                assert says(another) == TOO_MANY
        eventually(lambda: open_files(ingress.pid) < PER_CLIENT)
        assert ingress.serves()
