"""Every attack of SMTP that must fail, over raw sockets against the running ingress."""

from __future__ import annotations

import ssl
from collections.abc import Iterator

import pytest
import redis

from shared.configuration.redis import RedisSettings
from tests.conftest import Certificates
from tests.support.ingress import RECIPIENT, SENDER, RawClient, Running, running, settings, spooled

HEADER = b"From: a@notes.example.com\r\nSubject: x\r\n\r\n"
SMUGGLED = b"MAIL FROM:<evil@notes.example.com>\r\nRCPT TO:<b@exchange.example.com>\r\nDATA\r\nevil\r\n.\r\n"
ENDINGS = [
    b"\n.\n",
    b"\r.\r",
    b"\r.\n",
    b"\n.\r",
    b"\n.\r\n",
    b"\r\n.\n",
    b"\r.\r\n",
    b"\r\n.\r",
    b"\0.\r\n",
    b"\r\n\0.\r\n",
    b"\r\r\n.\r\n",
]
ENDS_DATA = b"\r\r\n.\r\n"
"""The one of them that holds the true end, after a bare CR."""
HOLDS_NO_BARE_NEWLINE = (b"\0.\r\n", b"\r\n\0.\r\n")


@pytest.fixture
def ingress(redis_settings: RedisSettings, certificates: Certificates) -> Iterator[Running]:
    tls = {"certificate": certificates.certificate, "key": certificates.key}
    with running(settings(redis_settings, tls=tls)) as started:
        yield started


@pytest.fixture
def client(ingress: Running) -> Iterator[RawClient]:
    with RawClient(ingress.port) as connected:
        yield connected


@pytest.mark.parametrize("ending", [ending for ending in ENDINGS if ending != ENDS_DATA], ids=ascii)
def test_a_malformed_ending_never_ends_data(client: RawClient, redis_client: redis.Redis, ending: bytes) -> None:
    """What follows it is content: one reply comes for all, and no second message gets in."""
    client.greet().begin().open_data()
    client.send(HEADER + b"first" + ending + SMUGGLED)
    reply = client.reply()
    if ending in HOLDS_NO_BARE_NEWLINE:
        assert reply.startswith("250 2.0.0 queued as ")
        [(envelope, content)] = spooled(redis_client)
        assert envelope.sender == SENDER
        assert content == HEADER + b"first" + ending + SMUGGLED.removesuffix(b".\r\n")
    else:
        assert reply == "550 5.6.11 Bare <CR> or <LF> received"
        assert spooled(redis_client) == []
    assert client.ask("NOOP") == "250 2.0.0 OK"


@pytest.mark.parametrize("bare_newline", ["reject", "normalize"])
def test_nothing_is_obeyed_after_an_end_with_a_bare_cr_before_it(
    redis_settings: RedisSettings, redis_client: redis.Redis, bare_newline: str
) -> None:
    """Another server may read on where we see an end, so the session is over."""
    given = settings(redis_settings, bare_newline=bare_newline)
    with running(given) as ingress, RawClient(ingress.port) as client:
        client.greet().begin().open_data()
        client.send(HEADER + b"first" + ENDS_DATA + SMUGGLED)
        assert client.reply() == "550 5.6.11 Bare <CR> or <LF> received"
        assert client.is_closed
    assert spooled(redis_client) == []


@pytest.mark.parametrize("ending", [ending for ending in ENDINGS if ending != ENDS_DATA], ids=ascii)
def test_a_malformed_ending_that_comes_octet_by_octet_never_ends_data(client: RawClient, ending: bytes) -> None:
    client.greet().begin().open_data()
    for octet in b"x" + ending:
        client.send(bytes([octet]))
    client.send(b"NOOP\r\nNOOP\r\n.\r\n")
    assert client.reply()[:3] in ("250", "550")
    assert client.ask("QUIT") == "221 2.0.0 Bye"


@pytest.mark.parametrize("ending", [b"\n.\n", b"\r.\r", b"\r.\n", b"\n.\r\n", b"\r\n.\n", b"\r\n.\r"], ids=ascii)
def test_normalising_makes_line_ends_and_never_an_end_of_data(
    redis_settings: RedisSettings, redis_client: redis.Redis, ending: bytes
) -> None:
    with running(settings(redis_settings, bare_newline="normalize")) as ingress, RawClient(ingress.port) as client:
        client.greet().begin().open_data()
        client.send(HEADER + b"first" + ending + SMUGGLED)
        assert client.reply().startswith("250 2.0.0 queued as ")
        assert client.ask("NOOP") == "250 2.0.0 OK"
    [(envelope, content)] = spooled(redis_client)
    assert envelope.sender == SENDER
    assert b"evil" in content
    assert content.count(b"\r") == content.count(b"\n") == content.count(b"\r\n")


def test_normalising_makes_no_message_larger_than_the_limit(
    redis_settings: RedisSettings, redis_client: redis.Redis
) -> None:
    given = settings(redis_settings, bare_newline="normalize", max_message_bytes=10_000)
    with running(given) as ingress, RawClient(ingress.port) as client:
        client.greet().begin()
        client.send(b"BDAT 8000 LAST\r\n" + b"\n" * 8000)
        assert client.reply() == "552 5.3.4 Message size exceeds fixed limit"
    assert spooled(redis_client) == []


@pytest.mark.parametrize("newline", [b"\r", b"\n"], ids=ascii)
def test_a_chunk_with_a_bare_newline_is_refused(client: RawClient, redis_client: redis.Redis, newline: bytes) -> None:
    client.greet().begin()
    content = HEADER + b"first" + newline + b"second\r\n"
    client.send(b"BDAT %d LAST\r\n" % len(content) + content)
    assert client.reply() == "550 5.6.11 Bare <CR> or <LF> received"
    assert spooled(redis_client) == []


@pytest.mark.parametrize(
    "command",
    [
        b"NOOP\nQUIT",
        b"NOOP\rQUIT",
        b"MAIL FROM:<a@notes.example.com>\nRCPT TO:<b@exchange.example.com>",
        b"MAIL FROM:<a@notes.example.com>\rRCPT TO:<b@exchange.example.com>",
    ],
)
def test_a_bare_newline_in_a_command_is_refused(client: RawClient, command: bytes) -> None:
    client.greet()
    assert client.ask(command) == "550 5.6.11 Bare <CR> or <LF> received"
    assert client.ask("RCPT TO:<b@exchange.example.com>") == "503 5.5.1 Need MAIL command"


@pytest.mark.parametrize(
    "command",
    [
        b"MAIL FROM:<a\x00b@notes.example.com>",
        b'MAIL FROM:<"a\x0bb"@notes.example.com>',
        b"MAIL FROM:<a@notes.example.com> ENVID=a\x0bb",
        b"MAIL FROM:<a@notes.example.com>\x1cSIZE=1",
        b"MAIL FROM:<a@notes.example.com> ENVID=a\xffb",
        b"MAIL FROM:<a\xff@notes.example.com> SMTPUTF8",
        "MAIL FROM:<a\u2028@notes.example.com> SMTPUTF8".encode(),
    ],
)
def test_a_control_character_in_an_address_or_parameter_is_refused(client: RawClient, command: bytes) -> None:
    client.greet()
    assert client.ask(command)[:6] in ("501 5.", "555 5.")
    assert client.ask("RCPT TO:<b@exchange.example.com>") == "503 5.5.1 Need MAIL command"


@pytest.mark.parametrize(
    "path", [b"<b\x00@exchange.example.com>", b'<"b\x0b"@exchange.example.com>', b"<b@ex\x7fa.com>"]
)
def test_a_control_character_in_a_recipient_is_refused(client: RawClient, path: bytes) -> None:
    client.greet()
    assert client.ask("MAIL FROM:<a@notes.example.com>") == "250 2.1.0 Sender OK"
    assert client.ask(b"RCPT TO:" + path) == "501 5.1.3 Bad recipient address syntax"


def test_starttls_with_a_command_behind_it_is_refused_and_closed(client: RawClient) -> None:
    client.greet()
    client.send(b"STARTTLS\r\nMAIL FROM:<evil@notes.example.com>\r\n")
    assert client.reply() == "503 5.5.0 Improper use of pipelining"
    assert client.is_closed


def test_what_came_before_the_handshake_is_not_used_after_it(
    client: RawClient, certificates: Certificates, redis_client: redis.Redis
) -> None:
    """A command in the clear after 220 breaks the handshake; it never is the first command under TLS."""
    client.greet()
    assert client.ask("STARTTLS") == "220 2.0.0 Ready to start TLS"
    client.send(b"NOOP\r\nNOOP\r\n")
    with pytest.raises((ssl.SSLError, ConnectionError)):
        client.start_tls(ssl.create_default_context(cafile=str(certificates.ca)))
    assert spooled(redis_client) == []


def test_the_name_and_sender_given_in_the_clear_are_forgotten(client: RawClient, certificates: Certificates) -> None:
    client.greet().begin()
    assert client.ask("STARTTLS") == "220 2.0.0 Ready to start TLS"
    client.start_tls(ssl.create_default_context(cafile=str(certificates.ca)))
    assert client.ask("DATA") == "503 5.5.1 Need MAIL command"
    assert client.ask(f"MAIL FROM:<{SENDER}>") == "503 5.5.1 Send HELO/EHLO first"


@pytest.mark.parametrize("command", [b"EHLO client.example.com\r\n", b"HELO client.example.com\r\n"])
def test_pipelining_past_the_greeting_is_refused_and_closed(client: RawClient, command: bytes) -> None:
    assert client.reply().startswith("220 ")
    client.send(command + b"MAIL FROM:<a@notes.example.com>\r\n")
    assert client.reply() == "503 5.5.0 Improper use of pipelining"
    assert client.is_closed


def test_pipelining_past_data_is_refused_and_closed(client: RawClient, redis_client: redis.Redis) -> None:
    client.greet().begin()
    client.send(b"DATA\r\n" + HEADER + b"x\r\n.\r\n")
    assert client.reply() == "503 5.5.0 Improper use of pipelining"
    assert client.is_closed
    assert spooled(redis_client) == []


def test_an_unknown_client_may_not_send(redis_settings: RedisSettings, redis_client: redis.Redis) -> None:
    """Never an open relay: any client gets banner and EHLO, but not MAIL."""
    systems = [{"name": "notes", "kind": "domino", "networks": ["10.9.0.0/16"], "domains": ["notes.example.com"]}]
    with running(settings(redis_settings, systems)) as ingress, RawClient(ingress.port) as client:
        client.greet()
        assert client.ask(f"MAIL FROM:<{SENDER}>") == "550 5.7.1 Client not authorized"
        assert client.ask(f"RCPT TO:<{RECIPIENT}>") == "503 5.5.1 Need MAIL command"
        assert client.ask("DATA") == "503 5.5.1 Need MAIL command"
    assert spooled(redis_client) == []


@pytest.mark.parametrize(
    "recipient",
    [
        "victim@elsewhere.example.net",
        "victim%elsewhere.example.net@exchange.example.org",
        '"victim@elsewhere.example.net"@elsewhere.example.org',
        "@gateway.example.com:victim@elsewhere.example.net",
        "elsewhere.example.net!victim@elsewhere.example.org",
        "victim@[192.0.2.1]",
    ],
)
def test_a_system_without_a_default_route_does_not_relay(
    redis_settings: RedisSettings, redis_client: redis.Redis, recipient: str
) -> None:
    systems = [
        {"name": "exchange", "kind": "exchange", "networks": ["127.0.0.0/8"], "domains": ["exchange.example.com"]},
        {"name": "notes", "kind": "domino", "domains": ["notes.example.com"]},
    ]
    with running(settings(redis_settings, systems)) as ingress, RawClient(ingress.port) as client:
        client.greet()
        assert client.ask("MAIL FROM:<a@exchange.example.com>") == "250 2.1.0 Sender OK"
        assert client.ask(f"RCPT TO:<{recipient}>") == "550 5.7.1 Relay access denied"
        assert client.ask("DATA") == "554 5.5.1 No valid recipients"
    assert spooled(redis_client) == []


def test_a_client_may_not_open_more_sessions_than_its_share(redis_settings: RedisSettings) -> None:
    with running(settings(redis_settings, max_sessions_per_client=2)) as ingress:
        with RawClient(ingress.port) as first, RawClient(ingress.port) as second, RawClient(ingress.port) as third:
            first.greet()
            second.greet()
            assert third.reply() == "421 4.7.0 Too many connections from your address"
            assert third.is_closed
            assert first.ask("QUIT") == "221 2.0.0 Bye"
            assert first.is_closed
            with RawClient(ingress.port) as fourth:
                fourth.greet()


def test_sessions_are_limited_in_all(redis_settings: RedisSettings) -> None:
    with running(settings(redis_settings, max_sessions=1)) as ingress:
        with RawClient(ingress.port) as first:
            first.greet()
            with RawClient(ingress.port) as second:
                assert second.reply() == "421 4.3.2 Too many connections, try again later"
                assert second.is_closed


def test_a_session_with_too_many_errors_ends(redis_settings: RedisSettings) -> None:
    with running(settings(redis_settings, max_errors=3)) as ingress, RawClient(ingress.port) as client:
        client.greet()
        for _ in range(2):
            assert client.ask("BOGUS") == "500 5.5.1 Command not recognized"
        assert client.ask("BOGUS") == "500 5.5.1 Command not recognized"
        assert client.reply() == "421 4.7.0 Too many errors"
        assert client.is_closed


def test_a_session_with_too_many_commands_ends(redis_settings: RedisSettings) -> None:
    with running(settings(redis_settings, max_commands=2)) as ingress, RawClient(ingress.port) as client:
        client.greet()
        assert client.ask("NOOP") == "250 2.0.0 OK"
        assert client.ask("NOOP") == "421 4.7.0 Too many commands"
        assert client.is_closed


def test_a_silent_client_gets_421_and_is_dropped(redis_settings: RedisSettings) -> None:
    with running(settings(redis_settings, command_timeout=0.2)) as ingress, RawClient(ingress.port) as client:
        client.greet()
        assert client.reply() == "421 4.4.2 Timeout exceeded"
        assert client.is_closed


def test_a_client_that_stops_during_data_gets_421_and_is_dropped(
    redis_settings: RedisSettings, redis_client: redis.Redis
) -> None:
    """What comes after the 421 completes nothing."""
    with running(settings(redis_settings, data_timeout=0.2)) as ingress, RawClient(ingress.port) as client:
        client.greet().begin().open_data()
        client.send(b"half a line")
        assert client.reply() == "421 4.4.2 Timeout exceeded"
        client.send(b"\r\n.\r\n")
        assert client.is_closed
    assert spooled(redis_client) == []


def test_a_session_that_never_ends_is_ended(redis_settings: RedisSettings) -> None:
    given = settings(redis_settings, session_timeout=0.3, max_commands=1_000_000)
    with running(given) as ingress, RawClient(ingress.port) as client:
        client.greet()
        reply = "250 2.0.0 OK"
        while reply == "250 2.0.0 OK":
            reply = client.ask("NOOP")
        assert reply == "421 4.4.2 Timeout exceeded"
        assert client.is_closed


def test_a_line_that_is_too_long_is_refused_and_the_next_is_read(client: RawClient) -> None:
    client.greet()
    assert client.ask(b"NOOP " + b"x" * 3000) == "500 5.5.2 Line too long"
    assert client.ask(b"NOOP " + b"x" * 1_000_000) == "500 5.5.2 Line too long"
    assert client.ask("NOOP") == "250 2.0.0 OK"
