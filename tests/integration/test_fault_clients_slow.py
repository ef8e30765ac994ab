"""Clients that send one byte at a time: each of them is bounded, and no other client waits for them."""

from __future__ import annotations

import socket
import threading
from pathlib import Path

import pytest
import redis

from shared.configuration.redis import RedisSettings
from tests.conftest import Certificates
from tests.support.gateway import ingress_process
from tests.support.ingress import RECIPIENT, SENDER, RawClient, running, settings, spooled

PACE_SECONDS = 0.02
CLIENTS = 20


def dribble(client: RawClient, octet: bytes) -> str:
    """Send the same byte again and again until the server says something; return it."""
    client.socket.settimeout(PACE_SECONDS)
    while True:
        client.send(octet)
        try:
            return client.reply()
        except TimeoutError:
            continue


def test_a_command_that_comes_octet_by_octet_is_ended_by_the_time_for_a_command(redis_settings: RedisSettings) -> None:
    with running(settings(redis_settings, command_timeout=0.5)) as ingress, RawClient(ingress.port) as client:
        client.greet()
        assert dribble(client, b"N") == "421 4.4.2 Timeout exceeded"


@pytest.mark.parametrize("command", [b"DATA\r\n", b"BDAT 1000000 LAST\r\n"])
def test_content_that_comes_octet_by_octet_is_ended_by_the_time_for_content(
    redis_settings: RedisSettings, redis_client: redis.Redis, command: bytes
) -> None:
    """Each byte is a sign of life, but worth a five-hundredth of a second only."""
    with running(settings(redis_settings, data_timeout=0.5)) as ingress, RawClient(ingress.port) as client:
        client.greet().begin()
        client.send(command)
        assert command.startswith(b"BDAT") or client.reply().startswith("354 ")
        assert dribble(client, b"x") == "421 4.4.2 Timeout exceeded"
    assert spooled(redis_client) == []


def test_chunks_of_one_octet_are_ended_as_well(redis_settings: RedisSettings) -> None:
    """The patience is with the message, not with each of its chunks."""
    with running(settings(redis_settings, data_timeout=0.2)) as ingress, RawClient(ingress.port) as client:
        client.greet().begin()
        said = "250 2.0.0 1 octets received"
        while said == "250 2.0.0 1 octets received":
            client.send(b"BDAT 1\r\n")
            threading.Event().wait(PACE_SECONDS)
            client.send(b"x")
            said = client.reply()
    assert said == "421 4.4.2 Timeout exceeded"


def test_a_session_is_ended_by_its_own_time_whatever_comes(redis_settings: RedisSettings) -> None:
    given = settings(redis_settings, data_timeout=100, session_timeout=0.5)
    with running(given) as ingress, RawClient(ingress.port) as client:
        client.greet().begin().open_data()
        assert dribble(client, b"x") == "421 4.4.2 Timeout exceeded"


def test_content_that_was_refused_gets_no_time_for_each_octet(redis_settings: RedisSettings) -> None:
    given = settings(redis_settings, data_timeout=0.5, max_message_bytes=1024)
    with running(given) as ingress, RawClient(ingress.port) as client:
        client.greet().begin().open_data()
        client.send(b"x" * 2000)
        assert dribble(client, b"x") == "421 4.4.2 Timeout exceeded"


def test_a_whole_session_octet_by_octet_is_served(redis_settings: RedisSettings, redis_client: redis.Redis) -> None:
    commands = (f"MAIL FROM:<{SENDER}>", f"RCPT TO:<{RECIPIENT}>", "DATA", "Subject: slow\r\n\r\nHello\r\n.")
    with running(settings(redis_settings)) as ingress, RawClient(ingress.port) as client:
        client.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client.greet()
        for command in commands:
            for octet in f"{command}\r\n".encode():
                client.send(bytes((octet,)))
            assert client.reply()[0] in "23"
    [(_, content)] = spooled(redis_client)
    assert content == b"Subject: slow\r\n\r\nHello\r\n"


def test_others_are_served_while_many_dribble(
    redis_settings: RedisSettings, certificates: Certificates, tmp_path: Path
) -> None:
    enough = threading.Event()

    def dribble_on(client: RawClient, octet: bytes) -> None:
        while not enough.wait(PACE_SECONDS):
            client.send(octet)

    with ingress_process(tmp_path, redis_settings, certificates, shutdown_timeout="1s") as ingress:
        clients = [RawClient(ingress.port).greet() for _ in range(CLIENTS)]
        for client in clients[::2]:
            client.begin().open_data()
        senders = [threading.Thread(target=dribble_on, args=(client, b"x")) for client in clients]
        for sender in senders:
            sender.start()
        try:
            assert all(ingress.serves() for _ in range(20))
        finally:
            enough.set()
            for sender in senders:
                sender.join()
            for client in clients:
                client.close()
