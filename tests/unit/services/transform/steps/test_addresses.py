from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.transform.pipeline import Context, Conversion, convert
from services.transform.steps.addresses import STEP, leaks, leaks_after, rewrite
from shared.configuration.systems import System
from shared.mail.address_fields import FIELDS
from shared.mail.edits import Edit, apply
from shared.mail.mime import parse
from shared.routing.address_map import read
from shared.routing.router import Router
from tests.support.mail import message

CORPUS = Path(__file__).parents[4] / "corpus" / "addresses"
MESSAGES = sorted(path for path in CORPUS.glob("*.eml") if not path.name.endswith(".expected.eml"))
NOTES = System(
    name="notes",
    kind="domino",
    domains=["notes.example.com"],
    notes_domains=["ACME"],
    public_domain="example.com",
    default_route="exchange",
)
EXCHANGE = System(
    name="exchange",
    kind="exchange",
    domains=["exchange.example.com"],
    public_domain="example.com",
    default_route="notes",
)
MAP = read(
    "public,internal,notes_name\n"
    "john.doe@example.com,jdoe@notes.example.com,John Doe/Sales/Acme\n"
    "jürgen.müller@example.com,jm@notes.example.com,Jürgen Müller/Sales/Acme\n"
    "mary@example.com,m1@exchange.example.com,\n",
    "addresses.csv",
)
DIRECTORY = Router([NOTES, EXCHANGE], MAP)


def rewritten(content: bytes, humanize_names: bool = True) -> bytes:
    return apply(content, rewrite(content, parse(content), DIRECTORY, humanize_names))


def leaks_of(content: bytes) -> int:
    return leaks(content, parse(content), DIRECTORY)


@pytest.mark.parametrize("path", MESSAGES, ids=lambda path: path.stem)
def test_corpus_messages_become_what_is_expected(path: Path) -> None:
    content = path.read_bytes()
    expected = path.with_suffix(".expected.eml")
    assert rewritten(content) == (expected.read_bytes() if expected.exists() else content)
    assert leaks_of(rewritten(content)) == 0


def test_the_corpus_is_there() -> None:
    assert len(MESSAGES) >= 5


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b' "John Doe/Sales/Acme" <jdoe@notes.example.com>', b' "John Doe" <john.doe@example.com>'),
        (b" John Doe/Sales/Acme <jdoe@notes.example.com>", b" John Doe <john.doe@example.com>"),
        (b" CN=John Doe/OU=Sales/O=Acme@ACME", b" john.doe@example.com"),
        (b" <John Doe/Sales/Acme@ACME>", b" <john.doe@example.com>"),
        (b" user@exchange.example.com@ACME,\r\n\tb@x.example", b" user@example.com,\r\n\tb@x.example"),
        (b" (a) jane(b)@(c)notes.example.com (d)", b" (a) jane(b)@(c)example.com (d)"),
        (b' "Jane"\r\n <jane@\r\n notes.example.com>', b' "Jane"\r\n <jane@\r\n example.com>'),
        (b" Team: a@notes.example.com, b@x;, c@exchange.example.com", b" Team: a@example.com, b@x;, c@example.com"),
        (b" =?utf-8?q?Zo=C3=AB/Acme?= <z@x>", b" =?utf-8?b?Wm/Dqw==?= <z@x>"),
        (b" =?iso-8859-1?Q?Jo_Do/Acme?= <z@x>", b" Jo Do <z@x>"),
        (b' "Doe, Jo/Acme" <z@x>', b' "Doe, Jo" <z@x>'),
        (b" <@relay.example:jane@notes.example.com>", b" <@relay.example:jane@example.com>"),
        (b" \"'jane@notes.example.com'\" <jane@notes.example.com>", b" \"'jane@example.com'\" <jane@example.com>"),
        (b" j\xfcrgen@notes.example.com", b" j\xfcrgen@example.com"),
        (b" AC/DC <acdc@x>", b" AC/DC <acdc@x>"),
        (b" =?utf-8?q?jane=40notes=2Eexample=2Ecom?=", b" jane@example.com"),
        (b" J <=?utf-8?q?jane=40notes.example.com?=>", b" J <jane@example.com>"),
        (b" =?utf-8?q?a=40x=2C_jane=40notes.example.com?=", b' "a@x, jane"@example.com'),
        (b" =?utf-8?q?a=0D=0ABcc:_x=40notes.example.com?=", b" =?utf-8?q?a=0D=0ABcc:_x=40notes.example.com?="),
        (b" <>", b" <>"),
        (b"", b""),
    ],
)
def test_only_the_octets_of_the_address_or_the_name_change(value: bytes, expected: bytes) -> None:
    content = b"From:" + value + b"\r\nSubject: jdoe@notes.example.com\r\n\r\njdoe@notes.example.com\r\n"
    assert rewritten(content) == content.replace(b"From:" + value, b"From:" + expected, 1)


def test_notes_readers_keep_notes_names_but_see_no_internal_address() -> None:
    content = b'From: "Mary/Hr/Acme" <m1@exchange.example.com>\r\nTo: "m1@exchange.example.com" <b@x>\r\n\r\n'
    assert rewritten(content, humanize_names=False) == (
        b'From: "Mary/Hr/Acme" <mary@example.com>\r\nTo: "mary@example.com" <b@x>\r\n\r\n'
    )


@pytest.mark.parametrize("field", sorted(FIELDS))
def test_every_address_field_is_rewritten(field: str) -> None:
    content = f"X-A: jdoe@notes.example.com\r\n{field.title()}: jdoe@notes.example.com\r\n\r\n".encode()
    assert leaks_of(content) == 1
    assert (
        rewritten(content) == f"X-A: jdoe@notes.example.com\r\n{field.title()}: john.doe@example.com\r\n\r\n".encode()
    )


def test_the_header_of_a_signed_message_is_rewritten_and_nothing_inside_it() -> None:
    inside = b"From: jdoe@notes.example.com\r\n\r\nHello jdoe@notes.example.com\r\n"
    body = (
        b"--b\r\nContent-Type: message/rfc822\r\n\r\n" + inside + b"--b\r\n"
        b"Content-Type: application/pkcs7-signature\r\n\r\nx\r\n--b--\r\n"
    )
    head = b"From: %s\r\nContent-Type: multipart/signed; boundary=b\r\n\r\n"
    assert rewritten(head % b"jdoe@notes.example.com" + body) == head % b"john.doe@example.com" + body


def test_an_attached_message_stays_as_it_is() -> None:
    content = b"From: a@x\r\nContent-Type: message/rfc822\r\n\r\nFrom: jdoe@notes.example.com\r\n\r\nx\r\n"
    assert rewritten(content) == content
    assert leaks_of(content) == 0


def test_what_no_edit_reaches_is_counted_as_a_leak() -> None:
    content = b"From: a@x (was john.doe@example.com)\r\nTo: <@hub.notes.example.com,@notes.example.com:b@x>\r\n\r\n"
    assert rewritten(content) == content
    assert leaks_of(content) == 1


def test_leaks_are_counted_in_the_message_as_its_edits_leave_it() -> None:
    content = b"From: <@notes.example.com:jdoe@notes.example.com>\r\nCc: jdoe@notes.example.com\r\n\r\nbody\r\n"
    edits = tuple(rewrite(content, parse(content), DIRECTORY, humanize_names=True))
    done = [Conversion(some, ()) for some in ((), edits[:1], edits, (Edit(0, len(content), b""),))]
    assert [leaks_after(content, conversion, DIRECTORY) for conversion in done] == [3, 2, 1, 3], (
        "an edit across the body counts not"
    )


@pytest.mark.parametrize(("destination", "name"), [(EXCHANGE, b"John Doe"), (NOTES, b"John Doe/Sales/Acme")])
def test_the_step_in_its_pipeline_humanizes_names_except_for_domino(destination: System, name: bytes) -> None:
    accepted = message(content=b"From: John Doe/Sales/Acme <jdoe@notes.example.com>\r\n\r\nx\r\n")
    done = convert(accepted.content, Context(accepted.envelope, NOTES, destination, DIRECTORY), [STEP])
    assert done.stopped is None
    assert apply(accepted.content, done.edits) == b"From: " + name + b" <john.doe@example.com>\r\n\r\nx\r\n"


SHARDS = st.sampled_from(
    [
        *(
            b"jdoe@notes.example.com",
            b"John Doe/Sales/Acme",
            b"@ACME",
            b"CN=A/O=Acme",
            b"x@exchange.example.com",
            b"%ACME",
        ),
        *(
            b"<",
            b">",
            b",",
            b";",
            b":",
            b'"',
            b"(",
            b")",
            b" ",
            b"\r\n ",
            b"@",
            b"=?utf-8?q?J=C3=BC/Acme?=",
            b"\xff",
            b"a",
        ),
    ]
)


@given(st.lists(SHARDS, max_size=30).map(b"".join))
def test_rewriting_is_done_once_and_leaves_everything_outside_its_field(value: bytes) -> None:
    head, tail = b"Subject: jdoe@notes.example.com\r\nTo:", b"\r\nX-Y: jdoe@notes.example.com\r\n\r\nBody\r\n"
    once = rewritten(head + value + tail)
    assert once.startswith(head)
    assert once.endswith(tail)
    assert rewritten(once) == once
