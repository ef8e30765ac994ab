"""One connection against a real server, in the clear and over real TLS, with both kinds of event loop in mind."""

from __future__ import annotations

import asyncio
import datetime
import socket
import ssl
import warnings
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from dataclasses import replace
from itertools import count
from pathlib import Path
from random import Random
from typing import Any, TypeVar

import pytest
import trustme
import uvloop

from services.egress.addresses import HostAddresses, LookUp, NoAddress, addresses_of
from services.egress.balance import Host
from services.egress.classify import Trouble, failure_reply
from services.egress.commands import OutgoingMessage
from services.egress.connect import open_session
from services.egress.dns_client import DnsClient
from services.egress.host_tls import HostTls
from services.egress.session import Session, Timeouts
from services.egress.tlsa import TlsaRecords
from services.egress.verdict import Result
from shared.configuration.smart_hosts import SmartHost
from shared.mail.body import decode_body
from shared.mail.delivery import Delivery
from shared.mail.line_ends import normalize
from shared.mail.mime import parse
from shared.mail.outcome import Deferred, Delivered, Refused
from shared.mail.reply import Reply
from shared.operations.tls import client_context
from tests.conftest import Certificates
from tests.support.smart_host import DROP, DROP_DURING_CONTENT, HANG, SmartHostServer

T = TypeVar("T")
SHORT = Timeouts(connect=2, command=2, data=2)
PATIENT = Timeouts(connect=60, command=60, data=60)
"""Where a busy machine may take its time: what is tested does not time out."""
CASES = Path(__file__).parents[3] / "cases" / "mail"
CONTENT = b"Subject: secret\r\n\r\nHello\r\n"


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Callable[[Awaitable[Any]], Any]:
    def runner(awaitable: Awaitable[T]) -> T:
        async def main() -> T:
            return await awaitable

        with asyncio.Runner(loop_factory=request.param) as loop:
            return loop.run(main())

    return runner


@pytest.fixture
def delivery(make_delivery: Callable[..., Delivery]) -> Delivery:
    return make_delivery("b@example.com")


def server_context(certificates: Certificates, names: str = "mail.example.com") -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.certificate, certificates.key)
    return context


def host(server: SmartHostServer, **settings: Any) -> Host:
    entry = SmartHost(host="127.0.0.1", port=server.port, **settings)
    return Host("127.0.0.1", server.port, 10, 1, entry)


async def opened(where: Host, timeouts: Timeouts = SHORT, look_up: LookUp = addresses_of) -> Session | Reply:
    tls = HostTls([where.settings], TlsaRecords(DnsClient()))
    addresses = HostAddresses(Random(1), look_up)
    return await open_session(where, hostname="gw.example.com", tls=tls, timeouts=timeouts, addresses=addresses)


async def carry(
    where: Host, delivery: Delivery, content: bytes = CONTENT, timeouts: Timeouts = SHORT
) -> Result | Reply:
    session = await opened(where, timeouts)
    if isinstance(session, Reply):
        return session
    try:
        return await session.send(OutgoingMessage(delivery, content), delivery.pending)
    finally:
        await session.quit()


Run = Callable[[Awaitable[Any]], Any]


@pytest.mark.parametrize("extensions", [["PIPELINING", "8BITMIME"], ["8BITMIME"]], ids=["pipelining", "in turn"])
@pytest.mark.parametrize(
    "content",
    [
        b".\r\n..\r\n.x\r\n" * 3,
        b"Subject: x\r\n\r\n" + b"y" * 998 + b"\r\n",
        bytes(range(14, 256)) + b"\x00\r\n",
        b"Subject: x\r\n\r\n" + b".line\r\n" * 300_000,
        b"\r\n\r\n",
    ],
    ids=["dots", "long line", "eight bit", "two megabytes", "empty lines"],
)
def test_content_arrives_byte_for_byte(run: Run, delivery: Delivery, extensions: list[str], content: bytes) -> None:
    with SmartHostServer(extensions) as server:
        result = run(carry(host(server, tls="none"), delivery, content, PATIENT))
        assert [type(one) for one in result.outcomes] == [Delivered]
        assert [one.content for one in server.messages] == [content]


def test_a_missing_final_line_end_is_added_as_data_demands(run: Run, delivery: Delivery) -> None:
    with SmartHostServer() as server:
        run(carry(host(server, tls="none"), delivery, b"Subject: x\r\n\r\nend"))
        assert server.messages[0].content == b"Subject: x\r\n\r\nend\r\n"


@pytest.mark.parametrize("attack", [b"\n.\n", b"\r.\r", b"\r.\n", b"\n.\r\n", b"\r\n.\n", b"\r\n.\r"])
def test_a_bare_line_end_never_leaves(run: Run, delivery: Delivery, attack: bytes) -> None:
    smuggled = b"Subject: x\r\n\r\na" + attack + b"MAIL FROM:<evil@example.com>\r\n"
    with SmartHostServer() as server:
        run(carry(host(server, tls="none"), delivery, normalize(smuggled)))
        [arrived] = server.messages
        assert arrived.content.count(b"\r") == arrived.content.count(b"\n") == arrived.content.count(b"\r\n")
        assert b"evil" in arrived.content
        assert [line for line, _ in server.lines if line.startswith("MAIL")] == [arrived.mail]


def test_commands_are_written_together_only_where_the_host_allows_it(run: Run, make_delivery: Any) -> None:
    """A host that reads the whole group before it answers shows that the group was sent at once."""
    many = make_delivery(*(f"r{number}@example.com" for number in range(130)))
    with SmartHostServer() as server:
        result = run(carry(host(server, tls="none"), many))
        assert len(result.outcomes) == 130
        assert len(server.messages[0].rcpts) == 130


def test_each_recipient_has_its_own_outcome(run: Run, make_delivery: Any) -> None:
    def answer(line: str) -> str:
        return "550 5.1.1 unknown" if "no@" in line else "450 4.2.0 busy" if "later@" in line else "250 2.1.5 ok"

    for extensions in (["PIPELINING"], []):
        with SmartHostServer(extensions, answers={"RCPT": answer}) as server:
            result = run(carry(host(server, tls="none"), make_delivery("no@x.y", "yes@x.y", "later@x.y")))
        kinds = {one.recipient: type(one) for one in result.outcomes}
        assert kinds == {"no@x.y": Refused, "yes@x.y": Delivered, "later@x.y": Deferred}
        assert len(server.messages) == 1


def test_no_accepted_recipient_sends_nothing_and_keeps_the_session(run: Run, make_delivery: Any) -> None:
    """Also where the host answers 354 although it accepted nobody (RFC 2920 section 3.1)."""
    answers: dict[str, Any] = {"RCPT": lambda line: "550 5.1.1 no" if "no@" in line else "250 ok"}
    for extra in ({}, {"DATA": "354 go on, whoever it is for", ".": "554 5.5.1 no recipients"}):
        with SmartHostServer(answers={**answers, **extra}) as server:

            async def both(where: Host) -> tuple[Result, bool]:
                session = await opened(where)
                assert isinstance(session, Session)
                first = make_delivery("no@x.y")
                result = await session.send(OutgoingMessage(first, CONTENT), first.pending)
                alive = session.is_open
                await session.quit()
                return result, alive

            result, alive = run(both(host(server, tls="none")))
            assert [type(one) for one in result.outcomes] == [Refused]
            assert alive
            assert not server.messages


@pytest.mark.parametrize("extensions", [["PIPELINING"], []], ids=["pipelining", "in turn"])
@pytest.mark.parametrize(
    ("verb", "answer", "trouble", "kind", "ambiguous"),
    [
        ("MAIL", "421 4.3.2 closing", Trouble.HOST, None, False),
        ("MAIL", "451 4.3.0 later", Trouble.SESSION, None, False),
        ("MAIL", "530 5.7.0 STARTTLS first", Trouble.SESSION, None, False),
        ("MAIL", "550 5.7.1 no", None, Refused, False),
        ("MAIL", DROP, Trouble.HOST, None, False),
        ("MAIL", HANG, Trouble.HOST, None, False),
        ("RCPT", "421 4.3.2 closing", Trouble.HOST, None, False),
        ("RCPT", "450 4.2.0 grey", None, Deferred, False),
        ("RCPT", "550 5.1.1 no", None, Refused, False),
        ("RCPT", DROP, Trouble.HOST, None, False),
        ("RCPT", "999 what", None, Deferred, False),
        ("DATA", "421 4.3.2 closing", Trouble.HOST, None, False),
        ("DATA", "452 4.3.1 full", None, Deferred, False),
        ("DATA", "554 5.6.0 no", None, Refused, False),
        ("DATA", "250 what", None, Deferred, False),
        ("DATA", DROP, Trouble.HOST, None, False),
        (".", "421 4.3.2 closing", Trouble.HOST, None, False),
        (".", "452 4.3.1 full", None, Deferred, False),
        (".", "554 5.6.0 no", None, Refused, False),
        (".", "nonsense", None, Deferred, True),
        (".", DROP, None, Deferred, True),
        (".", HANG, None, Deferred, True),
    ],
)
def test_a_fault_at_each_command(  # noqa: PLR0917 (a table of faults)
    delivery: Delivery,
    extensions: list[str],
    verb: str,
    answer: str,
    trouble: Trouble | None,
    kind: type[object] | None,
    ambiguous: bool,
) -> None:
    quick = Timeouts(2, 0.2, 0.2) if answer == HANG else SHORT
    with SmartHostServer(extensions, answers={verb: answer}) as server:
        result = asyncio.run(carry(host(server, tls="none"), delivery, timeouts=quick))
    assert isinstance(result, Result)
    assert (result.failure and result.failure.trouble) is trouble
    assert [type(one) for one in result.outcomes] == ([kind] if kind else [])
    assert [getattr(one, "ambiguous", False) for one in result.outcomes] == ([ambiguous] if kind else [])
    assert result.failure is None or result.failure.reply is not None
    assert not server.messages


@pytest.mark.parametrize("extensions", [["PIPELINING"], []], ids=["pipelining", "in turn"])
@pytest.mark.parametrize(
    ("verb", "after"),
    [("MAIL", "MAIL"), ("RCPT", "RCPT"), ("DATA", "DATA"), (".", "END-OF-MESSAGE")],
)
@pytest.mark.parametrize("answer", [DROP, HANG])
def test_a_broken_session_names_the_command_it_broke_at(
    make_delivery: Any, extensions: list[str], verb: str, after: str, answer: str
) -> None:
    """In a pipeline it is the first command without a reply, also the last of many groups."""
    quick = Timeouts(2, 0.2, 0.2)
    delivery = make_delivery(*(f"r{number}@example.com" for number in range(120)))
    with SmartHostServer(extensions, answers={verb: answer}) as server:
        result = asyncio.run(carry(host(server, tls="none"), delivery, timeouts=quick))
    assert isinstance(result, Result)
    [reply] = {result.failure.reply} if result.failure else {outcome.reply for outcome in result.outcomes}
    words = "timed out" if answer == HANG else "lost connection"
    assert str(reply) == f"451 4.4.2 {words} after {after}"


def test_a_connection_that_breaks_amid_the_content_broke_after_data(delivery: Delivery) -> None:
    """The host may not have the message: nothing is ambiguous."""
    with SmartHostServer([], answers={".": DROP_DURING_CONTENT}) as server:
        more_than_sockets_hold = (b"x" * 998 + b"\r\n") * 24_000
        result = asyncio.run(carry(host(server, tls="none"), delivery, more_than_sockets_hold, PATIENT))
    assert isinstance(result, Result)
    assert result.failure
    assert str(result.failure.reply) == "451 4.4.2 lost connection after DATA"


@pytest.mark.parametrize("verb", ["CONNECT", "EHLO", "HELO", "STARTTLS"])
@pytest.mark.parametrize("answer", [DROP, HANG, "gibberish"])
def test_a_session_that_does_not_open_names_the_command_it_broke_at(verb: str, answer: str) -> None:
    answers: dict[str, Any] = {verb: answer, **({"EHLO": "502 5.5.1 what"} if verb == "HELO" else {})}
    level = "required" if verb == "STARTTLS" else "none"
    with SmartHostServer(["STARTTLS"], answers=answers) as server:
        said = asyncio.run(opened(host(server, tls=level), Timeouts(0.2, 0.2, 0.2)))
    words = {DROP: "4.4.2 lost connection", HANG: "4.4.2 timed out", "gibberish": "4.5.0 host sent no SMTP reply"}
    assert str(said).startswith(f"451 {words[answer]} after {verb}")


@pytest.mark.parametrize("verb", ["CONNECT", "EHLO"])
@pytest.mark.parametrize("answer", ["554 5.3.2 no service", "421 4.3.2 later", DROP, HANG, "gibberish"])
def test_a_session_that_does_not_open_says_why(verb: str, answer: str) -> None:
    with SmartHostServer(answers={verb: answer, "HELO": answer}) as server:
        said = asyncio.run(opened(host(server, tls="none"), Timeouts(2, 0.2, 0.2)))
    assert isinstance(said, Reply)
    assert not said.is_positive


def test_a_host_without_ehlo_is_greeted_with_helo(run: Run, delivery: Delivery) -> None:
    with SmartHostServer(answers={"EHLO": "502 5.5.1 what"}) as server:
        run(carry(host(server, tls="none"), delivery))
        assert [line for line, _ in server.lines][:3] == [
            "EHLO gw.example.com",
            "HELO gw.example.com",
            "MAIL FROM:<a@example.com>",
        ]


def test_a_refused_connection_is_a_reply(run: Run) -> None:
    with SmartHostServer() as server:
        where = host(server, tls="none")
    assert isinstance(run(opened(where)), Reply)


def test_too_many_recipients_are_served_by_a_further_transaction(run: Run, make_delivery: Any) -> None:
    """RFC 5321 section 4.5.3.1.10."""
    order = count()
    answers: dict[str, Any] = {"RCPT": lambda _: "250 ok" if next(order) % 4 < 2 else "452 4.5.3 too many"}
    with SmartHostServer(answers=answers) as server:
        result = run(carry(host(server, tls="none"), make_delivery(*(f"{n}@x.y" for n in range(4)))))
        assert {one.recipient for one in result.outcomes} == {"0@x.y", "1@x.y"}
        assert result.failure is None, "the rest is left for another transaction"


# --- extensions


def said(server: SmartHostServer, verb: str) -> list[str]:
    return [line for line, _ in server.lines if line.startswith(verb)]


def test_what_the_host_offers_is_used(run: Run, make_delivery: Any) -> None:
    delivery = make_delivery("b@example.com", notify=("SUCCESS", "FAILURE"), ret="HDRS", envid="QQ1")
    delivery = replace(delivery, recipients=(replace(delivery.recipients[0], orcpt="rfc822;b@old.example"),))
    content = b"Subject: x\r\n\r\n\xc3\xa9\r\n"
    with SmartHostServer(["PIPELINING", "SIZE", "8BITMIME", "DSN"]) as server:
        result = run(carry(host(server, tls="none"), delivery, content))
        assert said(server, "MAIL") == ["MAIL FROM:<a@example.com> SIZE=18 BODY=8BITMIME RET=HDRS ENVID=QQ1"]
        assert said(server, "RCPT") == ["RCPT TO:<b@example.com> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;b@old.example"]
        assert result.outcomes[0].takes_reports
    with SmartHostServer([]) as server:
        result = run(carry(host(server, tls="none"), delivery, CONTENT))
        assert said(server, "MAIL") == ["MAIL FROM:<a@example.com>"]
        assert said(server, "RCPT") == ["RCPT TO:<b@example.com>"]
        assert not result.outcomes[0].takes_reports


def test_a_message_above_the_hosts_size_is_refused_without_asking(run: Run, delivery: Delivery) -> None:
    with SmartHostServer(["SIZE 1000"]) as server:
        [refused] = run(carry(host(server, tls="none"), delivery, b"x" * 2000)).outcomes
        assert (refused.reply.code, refused.reply.enhanced) == (552, "5.3.4")
        assert not said(server, "MAIL")


def test_eight_bit_content_is_converted_for_a_seven_bit_host(run: Run, delivery: Delivery) -> None:
    content = "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nGrüße\r\n".encode()
    with SmartHostServer([]) as server:
        run(carry(host(server, tls="none"), delivery, content))
        assert server.messages[0].content.isascii()
        assert said(server, "MAIL") == ["MAIL FROM:<a@example.com>"]


def test_a_signed_eight_bit_message_reaches_a_seven_bit_host_as_it_is(run: Run, delivery: Delivery) -> None:
    content = (
        b'MIME-Version: 1.0\r\nContent-Type: multipart/signed; boundary=b; protocol="x/y"\r\n\r\n--b\r\n'
        b"Content-Type: text/plain; charset=utf-8\r\n\r\n\xc3\xa9\r\n--b\r\nContent-Type: x/y\r\n\r\ns\r\n--b--\r\n"
    )
    with SmartHostServer([]) as server:
        [outcome] = run(carry(host(server, tls="none"), delivery, content)).outcomes
        assert isinstance(outcome, Delivered)
        assert server.messages[0].content == content
        assert said(server, "MAIL") == ["MAIL FROM:<a@example.com>"]


def test_internationalized_headers_alone_need_no_smtputf8(run: Run, make_delivery: Any) -> None:
    """MimeKit#706: refused with 5.6.7, which users take for a defect of the gateway."""
    content = (CASES / "06b-no8bitmime-raw-utf8-subject.eml").read_bytes()
    with SmartHostServer(["8BITMIME"]) as server:
        [outcome] = run(carry(host(server, tls="none"), make_delivery(smtputf8=True), content)).outcomes
        assert isinstance(outcome, Delivered)
        header = server.messages[0].content.partition(b"\r\n\r\n")[0]
        assert header.isascii()


@pytest.mark.parametrize("case", sorted(CASES.glob("06*.eml")), ids=lambda path: path.stem)
def test_a_host_without_8bitmime_gets_every_message(run: Run, delivery: Delivery, case: Path) -> None:
    content = case.read_bytes()
    with SmartHostServer([]) as server:
        [outcome] = run(carry(host(server, tls="none"), delivery, content)).outcomes
        assert isinstance(outcome, Delivered)
        received = server.messages[0].content
    assert received.partition(b"\r\n\r\n")[0].isascii()
    assert [decode_body(received, part) for part in parse(received).walk() if not part.children] == [
        decode_body(content, part) for part in parse(content).walk() if not part.children
    ]


@pytest.mark.parametrize("code", [500, 501, 502, 504, 550, 554])
def test_helo_is_tried_where_ehlo_is_refused(run: Run, delivery: Delivery, code: int) -> None:
    with SmartHostServer([], answers={"EHLO": f"{code} no"}) as server:
        [outcome] = run(carry(host(server, tls="none"), delivery)).outcomes
        assert isinstance(outcome, Delivered)
        assert [line.partition(" ")[0] for line, _ in server.lines[:2]] == ["EHLO", "HELO"]


def test_smtputf8_is_said_only_where_it_is_needed(run: Run, make_delivery: Any) -> None:
    offers = ["SMTPUTF8", "8BITMIME"]
    with SmartHostServer(offers) as server:
        run(carry(host(server, tls="none"), make_delivery("b@example.com", smtputf8=True)))
        run(carry(host(server, tls="none"), make_delivery("bjørn@example.com", smtputf8=True)))
        assert ["SMTPUTF8" in line for line in said(server, "MAIL")] == [False, True]


def test_without_smtputf8_only_the_recipients_that_need_it_are_refused(run: Run, make_delivery: Any) -> None:
    delivery = make_delivery("bjørn@example.com", "b@example.com", "c@bücher.example", smtputf8=True)
    with SmartHostServer(["8BITMIME"]) as server:
        result = run(carry(host(server, tls="none"), delivery))
        kinds = {one.recipient: type(one) for one in result.outcomes}
        assert kinds == {"bjørn@example.com": Refused, "b@example.com": Delivered, "c@bücher.example": Delivered}
        assert said(server, "RCPT")[1] == "RCPT TO:<c@xn--bcher-kva.example>"
        refused = next(one for one in result.outcomes if isinstance(one, Refused))
        assert refused.reply.enhanced == "5.6.7"


@pytest.mark.parametrize("address", ["b@x>\r\nRCPT TO:<evil@x", "b@x> NOTIFY=NEVER", "b\x00@x", "b @x"])
def test_an_address_cannot_inject_a_command(run: Run, make_delivery: Any, address: str) -> None:
    """aiosmtplib GHSA-v3q9-hj7j-63hq."""
    with SmartHostServer() as server:
        [refused] = run(carry(host(server, tls="none"), make_delivery(address))).outcomes
        assert refused.reply.enhanced == "5.1.3"
        assert not said(server, "RCPT")


# --- TLS


def assert_nothing_in_the_clear(server: SmartHostServer) -> None:
    told = {line.split(" ")[0] for line in server.clear_lines}
    assert told <= {"EHLO", "STARTTLS", "QUIT"}, f"in the clear: {server.clear_lines}"


@pytest.mark.parametrize("level", ["opportunistic", "required", "verify"])
@pytest.mark.parametrize("implicit", [False, True], ids=["starttls", "implicit"])
def test_a_good_host_is_spoken_to_over_tls(
    run: Run, certificates: Certificates, delivery: Delivery, level: str, implicit: bool
) -> None:
    if implicit and level == "opportunistic":
        return
    with SmartHostServer(context=server_context(certificates), implicit=implicit) as server:
        where = host(server, tls=level, implicit=implicit, ca=certificates.ca if level == "verify" else None)
        result = run(carry(where, delivery, CONTENT * 10_000))
        assert [type(one) for one in result.outcomes] == [Delivered]
        assert [one.encrypted for one in server.messages] == [True]
        assert server.messages[0].content == CONTENT * 10_000
        assert_nothing_in_the_clear(server)


def test_none_never_starts_tls(run: Run, certificates: Certificates, delivery: Delivery) -> None:
    with SmartHostServer(context=server_context(certificates)) as server:
        run(carry(host(server, tls="none"), delivery))
        assert not said(server, "STARTTLS")
        assert [one.encrypted for one in server.messages] == [False]


@pytest.mark.parametrize("level", ["required", "verify"])
@pytest.mark.parametrize("fault", ["stripped", "refused", "garbage", "dropped", "hung"])
def test_nothing_is_sent_in_the_clear_where_tls_must_be(
    run: Run, certificates: Certificates, delivery: Delivery, level: str, fault: str
) -> None:
    context = None if fault == "stripped" else server_context(certificates)
    server = SmartHostServer(context=context)
    if fault == "refused":
        server.answers["STARTTLS"] = "454 4.7.0 TLS not available"
    elif fault == "dropped":
        server.answers["STARTTLS"] = DROP
    elif fault == "hung":
        server.answers["STARTTLS"] = HANG
    elif fault == "garbage":
        server.context = None
        server.extensions = ["STARTTLS", "PIPELINING"]
    with server:
        ca = certificates.ca if level == "verify" else None
        result = run(carry(host(server, tls=level, ca=ca), delivery, timeouts=Timeouts(0.5, 0.5, 0.5)))
        assert isinstance(result, Reply)
        assert not result.is_positive
        assert not result.is_permanent
        assert_nothing_in_the_clear(server)
        assert not server.messages


@pytest.mark.parametrize(
    ("settings", "names", "trusted"),
    [
        ({"mx": "example.com"}, ["example.com"], True),
        ({"mx": "example.com"}, ["127.0.0.1", "mx1.attacker.example"], False),
        ({"mx": "example.com", "name": "mail.example.com"}, ["mail.example.com"], True),
        ({"mx": "example.com", "name": "mail.example.com"}, ["example.com"], False),
    ],
)
def test_the_certificate_of_a_host_found_by_mx_must_have_a_configured_name(
    run: Run,
    certificates: Certificates,
    delivery: Delivery,
    *,
    settings: dict[str, Any],
    names: list[str],
    trusted: bool,
) -> None:
    """A forged MX record leads to a host whose certificate has the name of that host."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificates.authority.issue_cert(*names).configure_cert(context)
    with SmartHostServer(context=context) as server:
        entry = SmartHost(**settings, port=server.port, tls="verify", ca=certificates.ca)
        result = run(carry(Host("127.0.0.1", server.port, 10, 1, entry), delivery))
        assert isinstance(result, Result) == trusted
        assert_nothing_in_the_clear(server)
    if isinstance(result, Reply):
        assert result.enhanced == "4.7.5"


@pytest.mark.parametrize(
    ("ours", "fails"),
    [
        ({}, "no TLS version or cipher in common"),  # the host here closes without an alert
        ({"ciphers": "DEFAULT"}, None),
    ],
)
def test_a_host_with_rsa_key_exchange_alone_is_reached_by_setting(
    run: Run, certificates: Certificates, delivery: Delivery, ours: dict[str, Any], fails: str | None
) -> None:
    """Domino 9.0.1 FP3 (case 07)."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("AES128-GCM-SHA256")
    certificates.authority.issue_cert("127.0.0.1", key_type=trustme.KeyType.RSA).configure_cert(context)
    with SmartHostServer(context=context) as server:
        result = run(carry(host(server, tls="required", **ours), delivery))
    if fails:
        assert isinstance(result, Reply)
        assert fails in str(result)
        assert not result.is_permanent
    else:
        assert isinstance(result.outcomes[0], Delivered)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize(
    ("theirs", "meaning"),
    [
        ({"ciphers": "AES128-GCM-SHA256"}, "no cipher in common with the host: set ciphers of the smart host"),
        ({"version": ssl.TLSVersion.TLSv1_1}, "no TLS version in common with the host: lower tls_minimum"),
    ],
)
def test_a_tls_alert_is_explained(certificates: Certificates, theirs: dict[str, Any], meaning: str) -> None:
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.minimum_version = ssl.TLSVersion.TLSv1
    server.maximum_version = theirs.get("version", ssl.TLSVersion.TLSv1_2)
    server.set_ciphers(theirs.get("ciphers", "DEFAULT@SECLEVEL=0"))
    certificates.authority.issue_cert("127.0.0.1", key_type=trustme.KeyType.RSA).configure_cert(server)
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    near = client_context(SmartHost(host="127.0.0.1")).wrap_bio(to_client, to_server, server_hostname="127.0.0.1")
    far = server.wrap_bio(to_server, to_client, server_side=True)
    with pytest.raises(ssl.SSLWantReadError):
        near.do_handshake()
    with pytest.raises(ssl.SSLError):
        far.do_handshake()
    with pytest.raises(ssl.SSLError) as caught:
        near.do_handshake()
    assert meaning in str(failure_reply(caught.value, "STARTTLS"))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize(("minimum", "reached"), [("TLSv1.2", False), ("TLSv1.1", True), ("TLSv1", True)])
def test_a_host_with_an_old_tls_version_is_reached_by_setting(
    run: Run, certificates: Certificates, delivery: Delivery, minimum: str, reached: bool
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("DEFAULT@SECLEVEL=0")
    certificates.authority.issue_cert("127.0.0.1", key_type=trustme.KeyType.RSA).configure_cert(context)
    with SmartHostServer(context=context) as server:
        result = run(carry(host(server, tls="required", tls_minimum=minimum), delivery))
        assert_nothing_in_the_clear(server)
    assert isinstance(result, Result) == reached
    if isinstance(result, Reply):
        assert "no TLS version or cipher in common" in str(result)


@pytest.mark.parametrize("fault", ["stripped", "refused", "garbage"])
def test_opportunistic_falls_back_to_the_clear(
    run: Run, certificates: Certificates, delivery: Delivery, fault: str
) -> None:
    server = SmartHostServer(context=server_context(certificates))
    if fault == "refused":
        server.answers["STARTTLS"] = "454 4.7.0 TLS not available"
    else:
        server.context = None
        server.extensions = ["STARTTLS"] if fault == "garbage" else []
    with server:
        result = run(carry(host(server, tls="opportunistic"), delivery, timeouts=Timeouts(0.5, 0.5, 0.5)))
        assert [type(one) for one in result.outcomes] == [Delivered]
        assert server.connections == (1 if fault == "stripped" else 2)


@pytest.mark.parametrize("fault", ["name", "authority", "expired"])
@pytest.mark.parametrize("implicit", [False, True], ids=["starttls", "implicit"])
def test_verify_refuses_a_certificate_that_is_not_the_hosts(
    run: Run, certificates: Certificates, delivery: Delivery, fault: str, implicit: bool
) -> None:
    authority = trustme.CA() if fault == "authority" else certificates.authority
    now = datetime.datetime.now(datetime.UTC)
    expiry = now - datetime.timedelta(days=1) if fault == "expired" else None
    names = ("other.example.com",) if fault == "name" else ("127.0.0.1",)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names, not_after=expiry).configure_cert(context)
    with SmartHostServer(context=context, implicit=implicit) as server:
        result = run(carry(host(server, tls="verify", ca=certificates.ca, implicit=implicit), delivery))
        assert isinstance(result, Reply)
        assert (result.code, result.enhanced) == (454, "4.7.5")
        assert_nothing_in_the_clear(server)
        assert not server.messages
        assert isinstance(run(carry(host(server, tls="required", implicit=implicit), delivery)), Result)


def test_verify_takes_the_configured_name(run: Run, certificates: Certificates, delivery: Delivery) -> None:
    with SmartHostServer(context=server_context(certificates)) as server:
        named = host(server, tls="verify", ca=certificates.ca, name="mail.example.com")
        assert isinstance(run(carry(named, delivery)), Result)
        other = host(server, tls="verify", ca=certificates.ca, name="else.example.com")
        assert isinstance(run(carry(other, delivery)), Reply)


def test_an_old_tls_version_is_no_tls(certificates: Certificates, delivery: Delivery) -> None:
    context = server_context(certificates)
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    with SmartHostServer(context=context) as server:
        assert isinstance(asyncio.run(carry(host(server, tls="required"), delivery)), Reply)
        assert_nothing_in_the_clear(server)


def test_a_client_certificate_is_shown(run: Run, certificates: Certificates, delivery: Delivery) -> None:
    context = server_context(certificates)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(certificates.ca)
    certificate, key = certificates.issue("gw.example.com")
    with SmartHostServer(context=context) as server:
        where = host(server, tls="required", certificate=certificate, key=key)
        assert isinstance(run(carry(where, delivery)), Result)
        assert isinstance(run(carry(host(server, tls="required"), delivery)), Reply)


def test_replies_injected_behind_starttls_are_not_believed(
    run: Run, certificates: Certificates, delivery: Delivery
) -> None:
    """aiosmtplib GHSA-vxj7-4xrp-5vr4: what came in the clear would be read as the answer to the encrypted EHLO."""
    injected = b"250-evil\r\n250 SIZE 10\r\n250 ok\r\n250 ok\r\n354 go on\r\n250 queued as FAKE\r\n"
    with SmartHostServer(context=server_context(certificates), after_starttls=injected) as server:
        result = run(carry(host(server, tls="required"), delivery))
        if isinstance(result, Result):
            assert [getattr(one, "remote_id", None) for one in result.outcomes] == ["4XyZ12"]
            assert [one.encrypted for one in server.messages] == [True]
        assert_nothing_in_the_clear(server)


def test_a_host_that_says_more_than_it_was_asked_is_not_trusted_on(run: Run, delivery: Delivery) -> None:
    """A surplus reply would be taken for the answer to the next command."""
    answers: dict[str, Any] = {"MAIL": "250 ok\r\n250 ok\r\n354 go on\r\n250 ok", ".": "554 5.6.0 refused"}
    with SmartHostServer([], answers=answers) as server:
        result = run(carry(host(server, tls="none"), delivery))
        assert isinstance(result, Result)
        assert not any(isinstance(one, Delivered) for one in result.outcomes)


def test_an_early_refusal_ends_a_large_message(run: Run, delivery: Delivery) -> None:
    content = b"x" * 76 + b"\r\n"
    answers: dict[str, Any] = {"DATA": "354 go on\r\n552 5.3.4 too large after all"}
    with SmartHostServer([], answers=answers) as server:
        result = run(carry(host(server, tls="none"), delivery, content * 100_000))
        assert isinstance(result, Result)
        assert not any(isinstance(one, Delivered) for one in result.outcomes)
        assert not any(getattr(one, "ambiguous", False) for one in result.outcomes)


def two_messages(where: Host, first: Delivery, second: Delivery) -> Awaitable[tuple[Result, bool, Result | None]]:
    """Send two messages on one session, the second only while it is open."""

    async def both() -> tuple[Result, bool, Result | None]:
        session = await opened(where)
        assert isinstance(session, Session)
        one = await session.send(OutgoingMessage(first, CONTENT), first.pending)
        alive = session.is_open
        two = await session.send(OutgoingMessage(second, CONTENT), second.pending) if alive else None
        await session.quit()
        return one, alive, two

    return both()


@pytest.mark.parametrize("answer", ["503 5.5.1 no", "421 4.3.2 closing", "451 4.3.0 later"])
def test_a_session_that_cannot_be_reset_carries_no_other_message(run: Run, make_delivery: Any, answer: str) -> None:
    """Its next MAIL would be nested, and its next message bounce."""
    answers: dict[str, Any] = {"RCPT": lambda line: "550 5.1.1 no" if "no@" in line else "250 ok", "RSET": answer}
    with SmartHostServer([], answers=answers) as server:
        _, alive, _ = run(two_messages(host(server, tls="none"), make_delivery("no@x.y"), make_delivery("yes@x.y")))
        assert not alive


def test_a_host_out_of_step_bounces_nothing(run: Run, delivery: Delivery) -> None:
    with SmartHostServer(answers={"MAIL": "503 5.5.1 sender already given"}) as server:
        result = run(carry(host(server, tls="none"), delivery))
        assert (result.outcomes, result.failure and result.failure.trouble) == ((), Trouble.SESSION)


def test_a_refused_sender_sends_no_empty_message(run: Run, delivery: Delivery) -> None:
    """A host that refuses MAIL, and then takes RCPT and DATA all the same, would take a lone dot for the message."""
    answers: dict[str, Any] = {"MAIL": "550 5.7.1 no", "RCPT": "250 ok", "DATA": "354 go on"}
    with SmartHostServer(answers=answers) as server:
        result = run(carry(host(server, tls="none"), delivery))
        assert [type(one) for one in result.outcomes] == [Refused]
        assert not server.messages


def test_a_reply_carries_no_control_character_and_no_novel(run: Run, delivery: Delivery) -> None:
    """It is stored for every recipient, and shown in logs, reports and terminals."""
    hostile = "550 5.1.1 \x1b]0;owned\x07\x00\x9b31m\u202e\u2028" + "x" * 7000
    with SmartHostServer(answers={"RCPT": hostile}) as server:
        result = run(carry(host(server, tls="none"), delivery))
    [outcome] = result.outcomes
    assert isinstance(outcome, Refused)
    assert outcome.reply.text.isprintable()
    assert len(outcome.reply.text) <= 1000


def test_a_host_that_speaks_unasked_is_left(run: Run, delivery: Delivery) -> None:
    """What it says between two messages could be read as the answer to the next MAIL."""

    async def scenario(where: Host) -> None:
        session = await opened(where)
        assert isinstance(session, Session)
        result = await session.send(OutgoingMessage(delivery, CONTENT), delivery.pending)
        assert [type(one) for one in result.outcomes] == [Delivered]
        try:
            async with asyncio.timeout(5):
                while session.is_open:  # noqa: ASYNC110 (the other side is a thread)
                    await asyncio.sleep(0.01)
        finally:
            await session.quit()

    with SmartHostServer(after_message=b"250 2.0.0 and to the next recipient\r\n") as server:
        run(scenario(host(server, tls="none")))


@pytest.mark.parametrize("code", [452, 552])
def test_too_many_recipients_refuses_none(run: Run, make_delivery: Any, code: int) -> None:
    """RFC 5321 section 4.5.3.1.10: 552 is to be read as 452 there."""
    answers: dict[str, Any] = {"RCPT": lambda line: f"{code} too many" if "second@" in line else "250 ok"}
    with SmartHostServer(answers=answers) as server:
        result = run(carry(host(server, tls="none"), make_delivery("first@x.y", "second@x.y")))
        assert [(one.recipient, type(one)) for one in result.outcomes] == [("first@x.y", Delivered)]


@pytest.mark.parametrize("name", ["a..b.example.com", "x" * 64 + ".example.com"])
def test_a_name_that_cannot_be_asked_for_is_a_reply(run: Run, name: str) -> None:
    said = run(opened(Host(name, 25, 10, 1, SmartHost(host=name, tls="none"))))
    assert isinstance(said, Reply)
    assert not said.is_permanent


async def reached(where: Host, look_up: LookUp) -> bool | Reply:
    """Open a session and close it; return whether it was encrypted, or why there was none."""
    session = await opened(where, look_up=look_up)
    if isinstance(session, Reply):
        return session
    await session.quit()
    return session.encrypted


def named(server: SmartHostServer, **settings: Any) -> Host:
    return Host("mail.example.com", server.port, 10, 1, SmartHost(host="mail.example.com", **settings))


@pytest.mark.parametrize("implicit", [False, True], ids=["STARTTLS", "implicit"])
def test_the_certificate_is_of_the_name_and_not_of_the_address(
    run: Run, certificates: Certificates, implicit: bool
) -> None:
    ends = ("::1", "127.0.0.1")
    with SmartHostServer(context=server_context(certificates), implicit=implicit) as server:
        where = named(server, tls="verify", ca=certificates.ca, implicit=implicit)
        assert run(reached(where, lambda _: ends)) is True
        other = replace(where, name="other.example.com")
        said = run(reached(other, lambda _: ends))
    assert isinstance(said, Reply)
    assert (said.code, said.enhanced) == (454, "4.7.5")


def test_the_next_address_is_tried_where_the_first_refuses(run: Run) -> None:
    with SmartHostServer() as server:
        assert run(reached(named(server, tls="none"), lambda _: ("::1", "127.0.0.1"))) is False
        assert server.connections == 1


def test_an_address_that_says_nothing_leaves_time_for_the_next(run: Run) -> None:
    """Its queue of connections is full, so that what asks for another is dropped."""
    with SmartHostServer() as server, socket.socket() as silent, ExitStack() as queued:
        silent.bind(("127.0.0.2", server.port))
        silent.listen(0)
        for _ in range(2):
            one = queued.enter_context(socket.socket())
            one.setblocking(False)
            one.connect_ex(silent.getsockname())
        in_turn = ("127.0.0.2", "127.0.0.1")  # the silent one is the first to have its turn, by the seed
        assert run(reached(named(server, tls="none"), lambda _: in_turn)) is False
        assert server.connections == 1


def test_a_host_that_refuses_at_every_address_is_a_reply(run: Run) -> None:
    with SmartHostServer() as server:
        port = server.port
    where = Host("mail.example.com", port, 10, 1, SmartHost(host="mail.example.com", tls="none"))
    said = run(reached(where, lambda _: ("127.0.0.1", "127.0.0.2")))
    assert said == Reply(451, "connection refused", "4.4.1")


def test_a_failed_look_up_says_nothing_about_the_host(run: Run) -> None:
    def look_up(_name: str) -> tuple[str, ...]:
        raise OSError(-3, "Temporary failure in name resolution")

    with SmartHostServer() as server:
        said = run(reached(named(server, tls="none"), look_up))
    cause = "cannot look up mail.example.com: Temporary failure in name resolution"
    assert said == NoAddress(451, cause, "4.4.3")
