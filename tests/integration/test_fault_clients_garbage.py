"""Bytes that are no SMTP and bytes that are no TLS end their own session, and leave nothing behind."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import pytest

from shared.configuration.redis import RedisSettings
from tests.conftest import Certificates
from tests.support.gateway import IngressProcess, ingress_process, open_files, resident_bytes
from tests.support.ingress import RawClient
from tests.support.processes import eventually

CLIENTS = 50
GROWTH_BYTES = 16 << 20


@pytest.fixture
def ingress(redis_settings: RedisSettings, certificates: Certificates, tmp_path: Path) -> Iterator[IngressProcess]:
    with ingress_process(tmp_path, redis_settings, certificates) as running:
        yield running


def send_all(connection: socket.socket, octets: bytes) -> bytes:
    """Send until the server has had enough, close our side, and return what it said until it closed its own."""
    said = b""
    try:
        connection.sendall(octets)
        connection.shutdown(socket.SHUT_WR)
        while data := connection.recv(65536):
            said += data
    except (ConnectionResetError, BrokenPipeError):
        pass
    return said


def leaves_nothing(ingress: IngressProcess, attack: Callable[[Random], None]) -> None:
    """Attack, and see that ingress holds as many files as before, hardly more memory, and serves."""
    assert ingress.serves()
    files, memory = open_files(ingress.pid), resident_bytes(ingress.pid)
    for number in range(CLIENTS):
        attack(Random(number))
    eventually(lambda: open_files(ingress.pid) <= files)
    assert resident_bytes(ingress.pid) - memory < GROWTH_BYTES
    assert ingress.serves()


def test_random_octets_in_place_of_smtp(ingress: IngressProcess) -> None:
    def attack(random: Random) -> None:
        with socket.create_connection(("127.0.0.1", ingress.port), timeout=20) as connection:
            said = send_all(connection, random.randbytes(200_000))
        assert all(line.startswith((b"220 ", b"5", b"421 ")) for line in said.splitlines())

    leaves_nothing(ingress, attack)


def test_lines_that_are_no_commands_end_the_session_after_a_few(ingress: IngressProcess) -> None:
    def attack(random: Random) -> None:
        lines = [random.randbytes(60).translate(None, b"\r\n") for _ in range(200)]
        with socket.create_connection(("127.0.0.1", ingress.port), timeout=20) as connection:
            said = send_all(connection, b"\r\n".join(lines) + b"\r\n").splitlines()
        assert len(said) <= 22  # the banner, max_errors, and the last word

    leaves_nothing(ingress, attack)


def test_a_browser_is_no_mail_client(ingress: IngressProcess) -> None:
    """What a page makes a browser send (CVE-2018-19518 and its kin) never becomes mail."""
    request = (
        b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99\r\n\r\nEHLO x\r\nMAIL FROM:<a@notes.example.com>\r\n"
        b"RCPT TO:<b@exchange.example.com>\r\nDATA\r\nSubject: x\r\n\r\nx\r\n.\r\nQUIT\r\n"
    )
    with socket.create_connection(("127.0.0.1", ingress.port), timeout=20) as connection:
        said = send_all(connection, request)
    assert b"queued as" not in said


def test_random_octets_after_starttls(ingress: IngressProcess) -> None:
    def attack(random: Random) -> None:
        with RawClient(ingress.port) as client:
            client.greet()
            assert client.ask("STARTTLS").startswith("220 ")
            assert b"250" not in send_all(client.socket, random.randbytes(50_000))

    leaves_nothing(ingress, attack)


def test_random_octets_to_the_port_of_implicit_tls(ingress: IngressProcess) -> None:
    def attack(random: Random) -> None:
        with socket.create_connection(("127.0.0.1", ingress.tls_port), timeout=20) as connection:
            said = send_all(connection, random.randbytes(50_000))
        assert b"220" not in said

    leaves_nothing(ingress, attack)


def test_random_records_within_a_valid_handshake(ingress: IngressProcess) -> None:
    """A record of TLS in form, and noise in content."""

    def attack(random: Random) -> None:
        noise = random.randbytes(512)
        with socket.create_connection(("127.0.0.1", ingress.tls_port), timeout=20) as connection:
            said = send_all(connection, b"\x16\x03\x01\x02\x00" + noise)
        assert b"220" not in said

    leaves_nothing(ingress, attack)
