"""Encapsulated Notes rich text: what is stripped, and what is left."""

from __future__ import annotations

import email
import email.policy
from collections.abc import Callable
from email.message import Message
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.transform.pipeline import Context, StepMessage, convert
from services.transform.steps import encapsulation
from shared.mail.edits import apply
from shared.mail.mime import Entity, parse

CORPUS = Path(__file__).parents[4] / "corpus" / "encapsulation"
PAIRS = sorted(path for path in CORPUS.glob("*.eml") if not path.name.endswith(".expected.eml"))

MakeContext = Callable[[str, str], Context]


def stripped(content: bytes, context: Context) -> bytes:
    conversion = convert(content, context, [encapsulation.STEP])
    assert not [report.failure for report in conversion.reports if report.failure]
    return apply(content, conversion.edits)


def leaves(entity: Entity) -> list[Entity]:
    return [one for one in entity.walk() if not one.children]


def is_encapsulation(entity: Entity) -> bool:
    return encapsulation.is_encapsulation(entity)


@pytest.mark.parametrize("pair", PAIRS, ids=lambda path: path.stem)
def test_corpus_pair(pair: Path, make_context: MakeContext) -> None:
    expected = pair.with_name(f"{pair.stem}.expected.eml").read_bytes()
    assert stripped(pair.read_bytes(), make_context("domino", "exchange")) == expected


@pytest.mark.parametrize("pair", PAIRS, ids=lambda path: path.stem)
def test_stripping_twice_changes_nothing_more(pair: Path, make_context: MakeContext) -> None:
    context = make_context("domino", "exchange")
    once = stripped(pair.read_bytes(), context)
    assert stripped(once, context) == once


@pytest.mark.parametrize("pair", PAIRS, ids=lambda path: path.stem)
def test_a_system_that_keeps_it_gets_every_byte(pair: Path, make_context: MakeContext) -> None:
    conversion = convert(pair.read_bytes(), make_context("exchange", "domino"), [encapsulation.STEP])
    assert conversion.edits == ()
    assert conversion.reports == ()


@pytest.mark.parametrize("pair", PAIRS, ids=lambda path: path.stem)
def test_another_reader_finds_no_defect_in_what_is_left(pair: Path, make_context: MakeContext) -> None:
    result = stripped(pair.read_bytes(), make_context("domino", "exchange"))
    read: Message = email.message_from_bytes(result, policy=email.policy.compat32)
    for part in read.walk():
        assert part.defects == []
        if part.get_content_maintype() == "multipart":
            assert part.get_payload()


ENCAPSULATION = [
    b"Content-Type: application/X-Lotus-Encap2\r\n\r\nopaque",
    b"Content-Type: APPLICATION/x-lotus-encap\r\n\r\n",
    b'Content-Type: application/octet-stream; name="a.OND"\r\n\r\nx\r\n',
    b"Content-Disposition: attachment; filename=encap2.ond\r\n\r\n\r\n\r\n",
]
OTHERS = [
    b"Content-Type: text/plain\r\n\r\nHello",
    b"Content-Type: text/html\r\n\r\n<p>Hello</p>\r\n\r\n",
    b"\r\nno header",
    b"Content-Type: text/plain\r\n\r\n",
    b'Content-Type: application/pdf; name="a.pdf"\r\nContent-Transfer-Encoding: base64\r\n\r\nJVBERg==\r\n',
    b"Content-Type: message/rfc822\r\n\r\nSubject: inner\r\n\r\nHello",
]


@st.composite
def multipart(draw: st.DrawFn, depth: int = 0) -> bytes:
    inner = st.sampled_from(ENCAPSULATION) | st.sampled_from(OTHERS)
    parts = draw(st.lists(inner | multipart(depth=depth + 1) if depth < 2 else inner, min_size=1, max_size=4))
    kind = draw(st.sampled_from([b"mixed", b"alternative", b"related", b"report", b"signed"]))
    boundary = b"=_%d %08x_=" % (depth, draw(st.integers(0, 2**32 - 1)))
    header = b'Content-Type: multipart/%s; boundary="%s"\r\n\r\n' % (kind, boundary)
    preamble = draw(st.sampled_from([b"", b"preamble\r\n"]))
    close = draw(st.sampled_from([b"--" + boundary + b"--\r\n", b"--" + boundary + b"--\r\nepilogue\r\n", b""]))
    return header + preamble + b"".join(b"--" + boundary + b"\r\n" + part + b"\r\n" for part in parts) + close


def may_go(entity: Entity, *, closed: bool = False) -> list[Entity]:
    """Return the encapsulation that may be taken out: none of it in what is protected or a report."""
    closed = closed or entity.is_protected or entity.content_type == "multipart/report"
    if is_encapsulation(entity):
        return [] if closed else [entity]
    return [found for child in entity.children for found in may_go(child, closed=closed)]


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(multipart())
def test_every_other_part_keeps_its_bytes(make_context: MakeContext, body: bytes) -> None:
    """All parts except the encapsulation are kept, in the same order, byte for byte, but for a stand-in."""
    content = b"Subject: x\r\nMIME-Version: 1.0\r\n" + body
    before = parse(content)
    result = stripped(content, make_context("domino", "exchange"))
    after = parse(result)
    gone = {one.start for one in may_go(before)}
    wanted = [content[leaf.start : leaf.end] for leaf in leaves(before) if leaf.start not in gone]
    left = [result[leaf.start : leaf.end] for leaf in leaves(after)]
    assert [part for part in left if encapsulation.STAND_IN.encode() not in part] == wanted
    assert not may_go(after)
    if not gone:
        assert result == content


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(multipart())
def test_every_multipart_keeps_a_part(make_context: MakeContext, body: bytes) -> None:
    content = b"Subject: x\r\nMIME-Version: 1.0\r\n" + body
    after = parse(stripped(content, make_context("domino", "exchange")))
    assert all(entity.children for entity in after.walk() if entity.content_type.startswith("multipart/"))


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from([*ENCAPSULATION, *OTHERS, b"--b", b"--b--", b"\r\n", b"\n", b"x: y\r\n"]), max_size=12))
def test_torn_messages_are_stripped_without_failure(make_context: MakeContext, pieces: list[bytes]) -> None:
    content = b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n' + b"\r\n".join(pieces)
    context = make_context("domino", "exchange")
    message = StepMessage(content, parse(content))
    if encapsulation.STEP.applies(message, context):
        edits = encapsulation.STEP.change(message, context)
        assert isinstance(edits, tuple)
        apply(content, edits)


def test_a_related_without_parts_stays(make_context: MakeContext) -> None:
    empty = b"--b\r\nContent-Type: multipart/related; boundary=r\r\n\r\nnothing\r\n"
    content = (
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n" + ENCAPSULATION[0] + b"\r\n" + empty + b"--b--"
    )
    assert stripped(content, make_context("domino", "exchange")).endswith(b"\r\n\r\n" + empty + b"--b--")
