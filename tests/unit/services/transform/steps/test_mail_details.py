"""What all steps of mail details have in common: they do their one thing, once, and touch nothing else."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.transform.pipeline import Context, Conversion, Step, convert
from services.transform.steps import (
    appearance,
    charsets,
    dispositions,
    domino_bounces,
    embedded_images,
    importance,
    raw_headers,
    references,
)
from shared.mail.edits import apply

MakeContext = Callable[[str, str], Context]

STEPS: dict[str, Step] = {
    step.STEP.name: step.STEP
    for step in (
        *(domino_bounces, charsets, embedded_images, dispositions),
        *(appearance, importance, references, raw_headers),
    )
}
CORPUS = Path(__file__).parents[4] / "corpus"
PAIRS = sorted(
    path for name in STEPS for path in (CORPUS / name).glob("*.eml") if not path.name.endswith(".expected.eml")
)

_CONTEXTS_ARE_PURE = settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])


def converted(content: bytes, context: Context, *steps: Step) -> Conversion:
    conversion = convert(content, replace(context, hostname="gw.example.com"), steps)
    assert not [report.failure for report in conversion.reports if report.failure]
    return conversion


def direction(pair: Path) -> tuple[str, str]:
    """Return the kinds in the file's name, `exchange-to-domino.what.eml`; from Domino to Exchange without."""
    source, reported, destination = pair.name.partition(".")[0].partition("-to-")
    return (source, destination) if reported else ("domino", "exchange")


@pytest.mark.parametrize("pair", PAIRS, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_corpus_pair(pair: Path, make_context: MakeContext) -> None:
    context, step, content = make_context(*direction(pair)), STEPS[pair.parent.name], pair.read_bytes()
    result = apply(content, converted(content, context, step).edits)
    assert result == pair.with_name(f"{pair.stem}.expected.eml").read_bytes()
    assert converted(result, context, step).edits == (), "a second run finds nothing to do"


def test_every_step_has_its_pairs() -> None:
    assert {pair.parent.name for pair in PAIRS} == set(STEPS)


@pytest.mark.parametrize("pair", PAIRS, ids=lambda path: f"{path.parent.name}-{path.stem}")
@pytest.mark.parametrize("kinds", [("domino", "domino"), ("exchange", "exchange"), ("exchange", "internet")])
def test_mail_that_stays_on_one_side_is_no_business_of_theirs(
    pair: Path, kinds: tuple[str, str], make_context: MakeContext
) -> None:
    assert converted(pair.read_bytes(), make_context(*kinds), *STEPS.values()).reports == ()


@pytest.mark.parametrize("pair", PAIRS, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_all_of_them_together_leave_nothing_to_do(pair: Path, make_context: MakeContext) -> None:
    context, content = make_context(*direction(pair)), pair.read_bytes()
    result = apply(content, converted(content, context, *STEPS.values()).edits)
    assert converted(result, context, *STEPS.values()).edits == ()


@pytest.mark.parametrize("pair", PAIRS, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_what_is_signed_keeps_every_byte(pair: Path, make_context: MakeContext) -> None:
    signed = b"Content-Type: multipart/signed; protocol=x/y; boundary=sig\r\n\r\n--sig\r\n" + pair.read_bytes()
    signed += b"\r\n--sig\r\nContent-Type: x/y\r\n\r\nsignature\r\n--sig--\r\n"
    content = b"Subject: Gr\xfc\xdfe\r\nImportance:\r\nX-Priority: 1\r\n" + signed
    result = apply(content, converted(content, make_context("domino", "exchange"), *STEPS.values()).edits)
    assert result != content
    assert result.endswith(signed)


_JIS = "会議".encode("iso2022_jp")
SHARDS = st.sampled_from(
    [
        *(b"\r\n", b"\n", b" ", b"\t", b"\r\n ", b"\r\n\r\n", b"--b\r\n", b"\r\n--b\r\n", b"--b--\r\n", b";", b":"),
        *(b"Content-Type: text/plain\r\n", b"Content-Type: text/html; charset=us-ascii\r\n", b"; charset=x-foo"),
        *(b'Content-Type: image/gif; name="a.gif"\r\n', b"Content-Type: message/rfc822\r\n\r\n", b"; name=\xe9"),
        *(b"Content-Type: multipart/related; boundary=b; start=1@\r\n", b"Content-Transfer-Encoding: base64\r\n"),
        *(b"Content-Type: multipart/report; boundary=b\r\n", b"Content-Type: message/delivery-status\r\n"),
        *(b"Content-Transfer-Encoding: quoted-printable\r\n", b"Content-Disposition: inline\r\n", b"filename="),
        *(b"Content-ID: <1@>\r\n", b"cid:1@", b'"', b"'", b"<", b">", b"(", b")", b"@", b"=", b"=?", b"?=", b"\\"),
        *(b"References: ", b"<a@b>", b"In-Reply-To: ", b"Importance: ", b"X-Priority: 1", b"high", b"Priority: urgent"),
        *(b"Sensitivity: ", b"X-Notes-Item: C; name=$Mood\r\n", b"Subject: ", b"From: ", b"To: ", b"postmaster@x.org"),
        *(b"X-A: ", b"\xe9", b"\x93", b"\xc3\xa9", _JIS, b"\x1b$B", b"\x1b(B", b"\xff" * 5, b"\0", b"Hello", b"a.gif"),
        *(b"(See attached file: a.gif)", b"------- Failure Reasons  --------\r\n", b"Status: 5.0.0\r\n"),
        *(b"------- Returned Message --------\r\n", b"was not delivered to:\r\n", b"because:\r\n", b"quota"),
        *(b"Diagnostic-Code: X-Notes; ", b"Remote-MTA: smtp; x\r\n", b"a@example.com\r\n", b"Bcc: "),
    ]
)
MESSAGES = st.builds(
    lambda fields, parts: b"From: postmaster@x.org\r\n" + b"".join(fields) + b"\r\n" + b"".join(parts),
    st.lists(SHARDS, max_size=15),
    st.lists(SHARDS, max_size=25),
)


@_CONTEXTS_ARE_PURE
@given(MESSAGES, st.sampled_from(sorted(STEPS)))
def test_any_message_has_an_outcome_and_a_second_run_changes_nothing(
    make_context: MakeContext, content: bytes, name: str
) -> None:
    context = make_context("domino", "exchange")
    result = apply(content, converted(content, context, STEPS[name]).edits)
    assert converted(result, context, STEPS[name]).edits == ()


@_CONTEXTS_ARE_PURE
@given(st.binary(max_size=300))
def test_arbitrary_octets_have_an_outcome(make_context: MakeContext, content: bytes) -> None:
    converted(content, make_context("domino", "exchange"), *STEPS.values())


@_CONTEXTS_ARE_PURE
@given(MESSAGES)
def test_a_boundary_is_never_folded_anew(make_context: MakeContext, content: bytes) -> None:
    """Outlook loses a boundary in a header that is written anew, so fields with one keep it on its line."""
    head = b'Content-Type: multipart/mixed;\r\n\tboundary="=_mixed 006E25D1852585E3_="\r\n' + content
    result = apply(head, converted(head, make_context("domino", "exchange"), *STEPS.values()).edits)
    assert result.count(b'boundary="=_mixed 006E25D1852585E3_="\r\n') == 1
    assert re.match(rb"Content-Type: multipart/mixed;\r\n\tboundary=", result)
