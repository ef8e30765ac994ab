"""Every reply of ingress to mail it takes or refuses, against the running ingress and a real Redis."""

from __future__ import annotations

import re
import shutil
import smtplib
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
import redis
from prometheus_client import REGISTRY

from shared.configuration.addresses import AddressSettings
from shared.configuration.redis import RedisSettings
from shared.operations import embedded_redis
from shared.spool import keys
from tests.support.ingress import RECIPIENT, SENDER, SYSTEMS, RawClient, Running, running, settings, spooled

CONTENT = b"From: a@notes.example.com\r\nSubject: x\r\n\r\nHello\r\n"


@pytest.fixture
def ingress(redis_settings: RedisSettings) -> Iterator[Running]:
    with running(settings(redis_settings, max_message_bytes=100_000, max_recipients=3)) as started:
        yield started


@pytest.fixture
def client(ingress: Running) -> Iterator[RawClient]:
    with RawClient(ingress.port) as connected:
        yield connected.greet()


def ask_until(client: RawClient, command: str, wanted: str) -> None:
    """Repeat MAIL until it is answered as wanted: the spool is read twice a second."""
    deadline = time.monotonic() + 15
    reply = client.ask(command)
    while reply != wanted:
        assert time.monotonic() < deadline, reply
        if reply.startswith("250"):
            client.ask("RSET")
        time.sleep(0.02)
        reply = client.ask(command)


def test_a_durable_message_is_answered_with_its_id(client: RawClient, redis_client: redis.Redis) -> None:
    client.begin().open_data()
    reply = client.ask(CONTENT + b".")
    [(envelope, content)] = spooled(redis_client)
    assert reply == f"250 2.0.0 queued as {envelope.id}"
    assert content == CONTENT
    assert envelope.sender == SENDER
    assert [recipient.address for recipient in envelope.recipients] == [RECIPIENT]
    assert envelope.source == "notes"
    assert (envelope.client.address, envelope.client.helo) == ("127.0.0.1", "client.example.com")
    assert redis_client.lrange(keys.rq_queue(keys.TRANSFORM), 0, -1) == [envelope.id.encode()]


def counted(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(f"causeway_{name}", labels) or 0.0


def test_accepted_and_refused_mail_is_counted_and_logged(client: RawClient, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "causeway")
    taken = counted("messages_accepted_total", system="notes")
    refused = counted("messages_refused_total", reason="size")
    client.begin().open_data()
    identifier = client.ask(CONTENT + b".").rpartition(" ")[2]
    assert client.ask(f"MAIL FROM:<{SENDER}> SIZE=100001").startswith("552 ")
    assert counted("messages_accepted_total", system="notes") == taken + 1
    assert counted("messages_refused_total", reason="size") == refused + 1
    reported = {record.getMessage(): record.__dict__["event_fields"] for record in caplog.records}
    assert reported["message.accepted"] == {
        "id": identifier,
        "system": "notes",
        "client": "127.0.0.1",
        "at": reported["message.accepted"]["at"],
        "bytes": reported["message.accepted"]["bytes"],
        "sender": SENDER,
        "recipients": [RECIPIENT],
    }
    assert reported["message.accepted"]["bytes"] > len(CONTENT)
    assert reported["message.refused"]["reply"] == "552 5.3.4 Message size exceeds fixed limit"


def test_the_received_field_is_prepended(client: RawClient, redis_client: redis.Redis) -> None:
    client.begin().open_data()
    identifier = client.ask(CONTENT + b".").rpartition(" ")[2]
    content = redis_client.get(keys.content(identifier))
    assert isinstance(content, bytes)
    assert re.match(
        rb"Received: from client\.example\.com \(\[127\.0\.0\.1\]\)\r\n"
        rb"\tby gateway\.example\.com \(Causeway\) with ESMTP id " + identifier.encode() + rb"\r\n"
        rb"\tfor <b@exchange\.example\.com>;\r\n\t\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d \+0000\r\nFrom: ",
        content,
    )


def test_dots_are_unstuffed_and_long_lines_and_odd_octets_stay(client: RawClient, redis_client: redis.Redis) -> None:
    body = b"..\r\n...x\r\n\0\xff\xfe\r\n" + b"y" * 5000 + b"\r\n" + b"....\r\n"
    client.begin().open_data()
    assert client.ask(b"Subject: x\r\n\r\n" + body + b".").startswith("250 2.0.0 queued as ")
    [(_, content)] = spooled(redis_client)
    assert content == b"Subject: x\r\n\r\n.\r\n..x\r\n\0\xff\xfe\r\n" + b"y" * 5000 + b"\r\n...\r\n"


def test_a_pipelined_session_gets_every_reply_in_order(client: RawClient, redis_client: redis.Redis) -> None:
    group = f"MAIL FROM:<{SENDER}>\r\nRCPT TO:<{RECIPIENT}>\r\nRCPT TO:<b@>\r\nDATA\r\n".encode()
    client.send(group)
    assert [client.reply()[:3] for _ in range(4)] == ["250", "250", "501", "354"]
    client.send(CONTENT + b".\r\n" + group)
    assert [client.reply()[:3] for _ in range(5)] == ["250", "250", "250", "501", "354"]
    client.send(CONTENT + b".\r\nQUIT\r\n")
    assert [client.reply()[:3] for _ in range(2)] == ["250", "221"]
    assert client.is_closed
    assert len(spooled(redis_client)) == 2


def test_chunks_make_one_message(client: RawClient, redis_client: redis.Redis) -> None:
    client.send(f"MAIL FROM:<{SENDER}>\r\nRCPT TO:<{RECIPIENT}>\r\nBDAT 10\r\n".encode() + CONTENT[:10])
    assert [client.reply() for _ in range(3)][2] == "250 2.0.0 10 octets received"
    assert client.ask("DATA") == "503 5.5.1 Bad sequence of commands: BDAT in progress"
    client.send(b"BDAT %d LAST\r\n" % (len(CONTENT) - 10) + CONTENT[10:])
    assert client.reply().startswith("250 2.0.0 queued as ")
    [(_, content)] = spooled(redis_client)
    assert content == CONTENT


def test_a_dot_in_a_chunk_is_content(client: RawClient, redis_client: redis.Redis) -> None:
    content = b"Subject: x\r\n\r\n.\r\n..\r\n"
    client.begin()
    client.send(b"BDAT %d LAST\r\n" % len(content) + content)
    assert client.reply().startswith("250 2.0.0 queued as ")
    assert spooled(redis_client)[0][1] == content


def test_a_chunk_that_is_refused_is_read_to_its_end(client: RawClient) -> None:
    client.send(b"BDAT 12\r\nNOOP\r\nQUIT\r\nBDAT 5 LAST\r\nQUIT\n")
    assert client.reply() == "503 5.5.1 Need MAIL command"
    assert client.reply() == "503 5.5.1 Need MAIL command"
    assert client.ask("NOOP") == "250 2.0.0 OK"


def test_a_chunk_of_unknown_length_ends_the_session(client: RawClient) -> None:
    client.begin()
    assert client.ask("BDAT many") == "501 5.5.2 Syntax: BDAT count [LAST]"
    assert client.is_closed


def test_a_size_over_the_limit_is_refused_when_declared(client: RawClient) -> None:
    assert client.ask(f"MAIL FROM:<{SENDER}> SIZE=100001") == "552 5.3.4 Message size exceeds fixed limit"


@pytest.mark.parametrize("stuffed", [b"x" * 998 + b"\r\n", b"..\r\n"])
def test_a_size_over_the_limit_is_refused_when_counted(
    client: RawClient, redis_client: redis.Redis, stuffed: bytes
) -> None:
    """The rest is read, so that the reply is the reply to this message."""
    client.begin().open_data()
    client.send(stuffed * (3_000_000 // len(stuffed)) + b".\r\n")
    assert client.reply() == "552 5.3.4 Message size exceeds fixed limit"
    assert client.ask("NOOP") == "250 2.0.0 OK"
    assert spooled(redis_client) == []


def test_a_size_over_the_limit_is_refused_in_chunks(client: RawClient, redis_client: redis.Redis) -> None:
    client.begin()
    client.send(b"BDAT 60000\r\n" + b"x" * 60_000)
    assert client.reply().startswith("250 ")
    client.send(b"BDAT 60000 LAST\r\n" + b"x" * 60_000)
    assert client.reply() == "552 5.3.4 Message size exceeds fixed limit"
    assert client.ask("NOOP") == "250 2.0.0 OK"
    assert spooled(redis_client) == []


def test_too_many_recipients_get_452_and_the_rest_is_served(client: RawClient, redis_client: redis.Redis) -> None:
    client.begin(*(f"b{number}@exchange.example.com" for number in range(3)))
    assert client.ask("RCPT TO:<b3@exchange.example.com>") == "452 4.5.3 Too many recipients"
    client.open_data()
    assert client.ask(CONTENT + b".").startswith("250 ")
    assert len(spooled(redis_client)[0][0].recipients) == 3


def test_a_recipient_given_twice_is_one(client: RawClient, redis_client: redis.Redis) -> None:
    client.begin(RECIPIENT, RECIPIENT).open_data()
    assert client.ask(CONTENT + b".").startswith("250 ")
    assert len(spooled(redis_client)[0][0].recipients) == 1


@pytest.mark.parametrize(
    "recipient",
    [
        "John_Doe/Sales/Acme%Acme@notes.example.com",
        '"John Doe/Sales/Acme@ACME"@notes.example.com',
        "IMCEANOTES-John+20Doe+2FSales+2FAcme+40ACME@exchange.example.com",
        "Postmaster",
    ],
)
def test_notes_forms_are_recipients(redis_settings: RedisSettings, redis_client: redis.Redis, recipient: str) -> None:
    systems: list[dict[str, Any]] = [
        {"name": "notes", "kind": "domino", "domains": ["notes.example.com"], "notes_domains": ["ACME"]},
        {
            "name": "exchange",
            "kind": "exchange",
            "networks": ["127.0.0.0/8"],
            "domains": ["exchange.example.com"],
            "public_domain": "example.com",
            "default_route": "notes",
        },
    ]
    with running(settings(redis_settings, systems)) as ingress, RawClient(ingress.port) as client:
        client.greet().begin(recipient, sender="a@exchange.example.com").open_data()
        assert client.ask(CONTENT + b".").startswith("250 ")
    assert [rcpt.address for rcpt in spooled(redis_client)[0][0].recipients] == [recipient]


def test_the_null_sender_is_kept(client: RawClient, redis_client: redis.Redis) -> None:
    client.begin(sender="").open_data()
    assert client.ask(CONTENT + b".").startswith("250 ")
    assert spooled(redis_client)[0][0].sender is None


def test_a_message_that_came_by_too_often_is_a_loop(redis_settings: RedisSettings, redis_client: redis.Redis) -> None:
    given = settings(redis_settings, max_received_headers=3, max_own_received_headers=1)
    with running(given) as ingress, RawClient(ingress.port) as client:
        client.greet()
        for field, count, wanted in (
            (b"Received: from x by y.example.com; date\r\n", 3, "250 "),
            (b"Received: from x by y.example.com; date\r\n", 4, "554 5.4.6 Too many hops"),
            (b"Received: from x\r\n\tBY Gateway.example.com (Causeway); date\r\n", 1, "250 "),
            (b"Received: from x\r\n\tBY Gateway.example.com (Causeway); date\r\n", 2, "554 5.4.6 Too many hops"),
        ):
            client.begin().open_data()
            assert client.ask(field * count + CONTENT + b".").startswith(wanted)
        client.begin().open_data()
        quoted = b"Received: from x by gateway.example.com; date\r\n" * 9
        assert client.ask(CONTENT + quoted + b".").startswith("250 ")
    assert len(spooled(redis_client)) == 3


@pytest.mark.parametrize(
    ("command", "reply"),
    [
        ("VRFY a", "252 2.5.0 Cannot VRFY user, but will accept message and attempt delivery"),
        ("EXPN a", "502 5.5.1 Command not implemented"),
        ("AUTH PLAIN AAAA", "502 5.5.1 Command not implemented"),
        ("STARTTLS", "502 5.5.1 Command not implemented"),
        ("HELP", "214 2.0.0 See RFC 5321"),
        ("BOGUS", "500 5.5.1 Command not recognized"),
        ("", "500 5.5.1 Command not recognized"),
        ("DATA", "503 5.5.1 Need MAIL command"),
        ("DATA x", "501 5.5.4 Syntax error (no parameters allowed)"),
        (f"RCPT TO:<{RECIPIENT}>", "503 5.5.1 Need MAIL command"),
        ("MAIL", "501 5.5.2 Syntax: MAIL FROM:<address> [parameters]"),
        ("MAIL FROM:a@notes.example.com", "501 5.5.2 Syntax: MAIL FROM:<address> [parameters]"),
        ("MAIL FROM:<a>", "501 5.1.7 Bad sender address syntax"),
        (f"MAIL FROM:<{SENDER}> X=1", "555 5.5.4 Parameter not recognized"),
        (f"MAIL FROM:<{SENDER}> BODY=BINARYMIME", "501 5.5.4 Syntax error in parameters or arguments"),
        (f"MAIL FROM:<{SENDER}> SIZE=", "501 5.5.4 Syntax error in parameters or arguments"),
        ("MAIL FROM:<ä@notes.example.com>", "553 5.6.7 Must declare SMTPUTF8 to send non-ASCII address"),
        ("EHLO", "501 5.5.2 Syntax: EHLO name"),
    ],
)
def test_a_command_out_of_place_or_form_is_refused(client: RawClient, command: str, reply: str) -> None:
    assert client.ask(command) == reply


def test_a_session_without_a_greeting_may_not_send(ingress: Running) -> None:
    with RawClient(ingress.port) as client:
        assert client.reply() == "220 gateway.example.com ESMTP Causeway"
        assert client.ask(f"MAIL FROM:<{SENDER}>") == "503 5.5.1 Send HELO/EHLO first"
        assert client.ask("HELO client.example.com") == "250 gateway.example.com"
        assert client.ask(f"MAIL FROM:<{SENDER}>") == "250 2.1.0 Sender OK"
        assert client.ask(f"MAIL FROM:<{SENDER}>") == "503 5.5.1 Nested MAIL command"


def test_the_extensions_are_announced(ingress: Running) -> None:
    with RawClient(ingress.port) as client:
        client.reply()
        lines = client.ask("EHLO client.example.com").split("\r\n")
    assert [line[4:] for line in lines] == [
        "gateway.example.com",
        "SIZE 100000",
        "8BITMIME",
        "SMTPUTF8",
        "PIPELINING",
        "ENHANCEDSTATUSCODES",
        "CHUNKING",
        "DSN",
    ]


def test_a_client_that_closes_its_side_still_gets_its_reply(client: RawClient, redis_client: redis.Redis) -> None:
    client.begin().open_data()
    client.send(CONTENT + b".\r\n")
    client.socket.shutdown(1)
    assert client.reply().startswith("250 2.0.0 queued as ")
    assert client.is_closed
    assert len(spooled(redis_client)) == 1


def test_a_message_that_breaks_off_is_not_taken(ingress: Running, redis_client: redis.Redis) -> None:
    with RawClient(ingress.port) as client:
        client.greet().begin().open_data()
        client.send(CONTENT + b".\r")
        client.socket.shutdown(1)
        assert client.is_closed
    assert spooled(redis_client) == []


def test_bytes_in_flight_are_limited_and_given_back(redis_settings: RedisSettings) -> None:
    busy = "452 4.3.1 Insufficient system resources"
    given = settings(redis_settings, max_bytes_in_flight=50_000)
    with running(given) as ingress, RawClient(ingress.port) as first, RawClient(ingress.port) as second:
        first.greet()
        second.greet()
        first.begin()
        first.send(b"BDAT 40000\r\n" + b"x" * 40_000)
        assert first.reply().startswith("250 ")
        assert second.ask(f"MAIL FROM:<{SENDER}> SIZE=20000") == busy
        second.begin().open_data()
        second.send(b"x" * 20_000 + b"\r\n.\r\n")
        assert second.reply() == busy
        second.begin()
        second.send(b"BDAT 20000 LAST\r\n" + b"x" * 20_000)
        assert second.reply() == busy
        assert first.ask("RSET") == "250 2.0.0 OK"
        assert second.ask(f"MAIL FROM:<{SENDER}> SIZE=20000") == "250 2.1.0 Sender OK"


@pytest.mark.parametrize("announce", ["MAIL", "BDAT"])
def test_declared_sizes_block_no_client(redis_settings: RedisSettings, announce: str) -> None:
    given = settings(redis_settings, max_bytes_in_flight=50_000)
    with running(given) as ingress, ExitStack() as sessions, RawClient(ingress.port) as client:
        for _ in range(11):
            idle = sessions.enter_context(RawClient(ingress.port))
            idle.greet()
            if announce == "MAIL":
                assert idle.ask(f"MAIL FROM:<{SENDER}> SIZE=40000") == "250 2.1.0 Sender OK"
            else:
                idle.begin()
                idle.send(b"BDAT 40000\r\nx")
        client.greet().begin()
        client.send(b"BDAT 40000 LAST\r\n" + b"Subject: x\r\n\r\n" + b"x" * (40_000 - 14))
        assert client.reply().startswith("250 2.0.0 queued")


def test_a_spool_over_its_share_of_memory_takes_nothing(
    redis_settings: RedisSettings, redis_client: redis.Redis
) -> None:
    with running(settings(redis_settings)) as ingress, RawClient(ingress.port) as client:
        client.greet()
        redis_client.config_set("maxmemory", int(redis_client.info("memory")["used_memory"] * 1.1))
        try:
            ask_until(client, f"MAIL FROM:<{SENDER}>", "452 4.3.1 Insufficient system storage")
        finally:
            redis_client.config_set("maxmemory", 0)


def test_a_write_that_redis_refuses_for_want_of_memory_is_never_answered_with_250(
    redis_settings: RedisSettings, redis_client: redis.Redis
) -> None:
    full = redis_settings.model_copy(update={"max_memory_fraction": 1.0})
    with running(settings(full)) as ingress, RawClient(ingress.port) as client:
        client.greet().begin().open_data()
        redis_client.config_set("maxmemory", 1)
        try:
            assert client.ask(CONTENT + b".") == "452 4.3.1 Insufficient system storage"
        finally:
            redis_client.config_set("maxmemory", 0)
    assert spooled(redis_client) == []


def test_a_queue_over_its_depth_takes_nothing(redis_settings: RedisSettings) -> None:
    shallow = redis_settings.model_copy(update={"max_queue_depth": 1})
    with running(settings(shallow)) as ingress, RawClient(ingress.port) as client:
        client.greet()
        for _ in range(2):
            client.begin().open_data()
            assert client.ask(CONTENT + b".").startswith("250 ")
        ask_until(client, f"MAIL FROM:<{SENDER}>", "452 4.3.1 Insufficient system storage")


def test_a_spool_weaker_than_declared_takes_nothing(redis_settings: RedisSettings, redis_client: redis.Redis) -> None:
    with running(settings(redis_settings)) as ingress, RawClient(ingress.port) as client:
        client.greet()
        redis_client.config_set("appendfsync", "everysec")
        try:
            ask_until(client, f"MAIL FROM:<{SENDER}>", "451 4.3.0 Queue temporarily unavailable")
        finally:
            redis_client.config_set("appendfsync", "always")
        ask_until(client, f"MAIL FROM:<{SENDER}>", "250 2.1.0 Sender OK")


def test_a_write_without_its_replicas_is_not_answered_with_250(redis_settings: RedisSettings) -> None:
    replicated = redis_settings.model_copy(update={"durability": "replicated"})
    with running(settings(replicated)) as ingress, RawClient(ingress.port) as client:
        client.greet()
        assert client.ask(f"MAIL FROM:<{SENDER}>") == "451 4.3.0 Queue temporarily unavailable"


def test_an_outage_of_the_spool_is_logged_and_its_recovery_is_noticed() -> None:
    directory = Path(tempfile.mkdtemp(prefix="causeway-redis-"))  # short: a socket's path is limited to 107 bytes
    socket = directory / "redis.sock"
    command = embedded_redis.command(embedded_redis.find_redis_server(), directory, socket)
    away = "451 4.3.0 Queue temporarily unavailable"
    process = subprocess.Popen(command)
    try:
        wait_for(socket.exists)
        given = settings(RedisSettings(url=f"unix://{socket}"))
        with running(given) as ingress, RawClient(ingress.port) as client:
            client.greet()
            ask_until(client, f"MAIL FROM:<{SENDER}>", "250 2.1.0 Sender OK")
            client.ask("RSET")
            client.begin().open_data()
            process.kill()
            process.wait()
            assert client.ask(CONTENT + b".") == away
            ask_until(client, f"MAIL FROM:<{SENDER}>", away)
            process = subprocess.Popen(command)
            ask_until(client, f"MAIL FROM:<{SENDER}>", "250 2.1.0 Sender OK")
            client.ask("RSET")
            client.begin().open_data()
            assert client.ask(CONTENT + b".").startswith("250 2.0.0 queued as ")
    finally:
        process.kill()
        process.wait()
        shutil.rmtree(directory)


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_the_standard_library_sends_a_message(ingress: Running, redis_client: redis.Redis) -> None:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = SENDER, RECIPIENT, "Grüße"
    message.set_content("Hello\n.\n..\n")
    with smtplib.SMTP("127.0.0.1", ingress.port) as client:
        assert client.send_message(message) == {}
    [(_, content)] = spooled(redis_client)
    assert b"\r\n.\r\n..\r\n" in content


def test_mail_to_the_gateway_itself_is_refused_or_goes_to_its_postmaster(redis_settings: RedisSettings) -> None:
    own = ("MAILER-DAEMON@gateway.example.com", "postmaster@GATEWAY.example.com", '"mailer-daemon"@gateway.example.com')
    given = settings(redis_settings)
    with running(given) as ingress, RawClient(ingress.port) as client:
        client.greet().ask("MAIL FROM:<>")
        replies = [client.ask(f"RCPT TO:<{address}>") for address in (*own, "nobody@gateway.example.com")]
        assert replies == ["550 5.1.1 No such recipient here"] * 4
    with (
        running(given.model_copy(update={"postmaster": "admin@exchange.example.com"})) as ingress,
        RawClient(ingress.port) as client,
    ):
        client.greet().ask("MAIL FROM:<>")
        assert [client.ask(f"RCPT TO:<{address}>")[:3] for address in own] == ["250"] * 3
        assert client.ask("RCPT TO:<nobody@gateway.example.com>") == "550 5.1.1 No such recipient here"


def test_unknown_recipients_of_a_system_of_mapped_ones_are_refused(
    redis_settings: RedisSettings, tmp_path: Path
) -> None:
    (tmp_path / "a.csv").write_text(
        "public,internal,notes_name,aliases\njane@example.com,jroe@exchange.example.com,,jr@example.com\n"
    )
    systems = [SYSTEMS[0], {**SYSTEMS[1], "recipients": "mapped"}]
    given = settings(redis_settings, systems).model_copy(update={"addresses": AddressSettings(map=tmp_path / "a.csv")})
    with running(given) as ingress, RawClient(ingress.port) as client:
        client.greet().ask(f"MAIL FROM:<{SENDER}>")
        known = (
            "jane@example.com",
            "jroe@exchange.example.com",
            "JR@example.com",
            "jroe%exchange.example.com%ACME@notes.example.com",
        )
        assert [client.ask(f"RCPT TO:<{address}>")[:3] for address in (*known, "joe@fabrikam.test")] == ["250"] * 5
        unknown = ("nobody@exchange.example.com", "nobody@example.com", "nobody%exchange.example.com@notes.example.com")
        replies = [client.ask(f"RCPT TO:<{address}>") for address in unknown]
        assert replies == ["550 5.1.1 No such recipient here"] * 3


@pytest.mark.parametrize("blank", [b" ", b"\t"])
def test_content_that_begins_with_a_blank_does_not_continue_our_field(
    ingress: Running, redis_client: redis.Redis, blank: bytes
) -> None:
    with RawClient(ingress.port) as client:
        client.greet().begin().open_data()
        client.send(blank + b"for <evil@example.com>\r\nSubject: x\r\n\r\nx\r\n.\r\n")
        assert client.reply().startswith("250 2.0.0 queued")
    [(_, content)] = spooled(redis_client)
    assert content == b"\r\n" + blank + b"for <evil@example.com>\r\nSubject: x\r\n\r\nx\r\n"
