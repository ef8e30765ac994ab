"""The arguments of commands: what is read, and that nothing dangerous passes."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingress import commands, replies
from services.ingress.commands import Chunk, Mail, Rcpt
from services.ingress.replies import Refusal

CONTROL = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")
near_paths = st.text(st.sampled_from('<>"\\@:,. \t\r\n\0abß%/=+;'), max_size=40)


def sender(argument: str) -> str | None:
    found = commands.mail(argument)
    assert isinstance(found, Mail), found
    return found.sender


@pytest.mark.parametrize(
    ("argument", "wanted"),
    [
        ("FROM:<>", None),
        ("from:<a@example.com>", "a@example.com"),
        ("FROM: <a@example.com>", "a@example.com"),
        ("FROM:<@x.example,@y.example:a@example.com>", "a@example.com"),
        ('FROM:<"a>b c"@example.com> SIZE=1', '"a>b c"@example.com'),
        ("FROM:<a@example.com>  SIZE=1\tBODY=7BIT", "a@example.com"),
    ],
)
def test_a_sender_is_the_text_between_the_brackets(argument: str, wanted: str | None) -> None:
    assert sender(argument) == wanted


@pytest.mark.parametrize(
    "argument",
    ["", "FROM", "FROM:a@example.com", "FROM:<a@example.com", "FROM:<a@example.com>SIZE=1", "TO:<a@example.com>"],
)
def test_anything_else_is_a_fault_of_syntax(argument: str) -> None:
    assert commands.mail(argument) == replies.MAIL_SYNTAX


@pytest.mark.parametrize(
    "path",
    [
        "John_Doe/Sales/Acme%Acme@company.com",
        '"John Doe/Sales/Acme@ACME"@notes.example.com',
        "postmaster",
        "a@[192.0.2.1]",
    ],
)
def test_notes_forms_are_recipients(path: str) -> None:
    found = commands.rcpt(f"TO:<{path}>", smtputf8=False)
    assert isinstance(found, Rcpt)
    assert found.address == path


@given(near_paths)
def test_no_address_holds_a_control_character(text: str) -> None:
    for found in (commands.mail(f"FROM:{text} SMTPUTF8"), commands.rcpt(f"TO:<{text}>", smtputf8=True)):
        address = found.sender if isinstance(found, Mail) else found.address if isinstance(found, Rcpt) else None
        assert not address or not CONTROL.search(address)


@given(
    st.binary(max_size=60),
    st.sampled_from([b"MAIL FROM:<a@example.com> ENVID=", b"RCPT TO:<a@example.com> ORCPT=utf-8;"]),
)
def test_no_parameter_holds_a_control_character(value: bytes, start: bytes) -> None:
    split = commands.command(start + value)
    if isinstance(split, Refusal):
        return
    found = commands.mail(split[1]) if split[0] == "MAIL" else commands.rcpt(split[1], smtputf8=True)
    if isinstance(found, Mail):
        assert not CONTROL.search(found.parameters.envid or "")
    elif isinstance(found, Rcpt):
        assert not CONTROL.search(found.parameters.orcpt or "")


@given(st.binary(max_size=100))
def test_any_line_is_split_or_refused(line: bytes) -> None:
    split = commands.command(line)
    assert isinstance(split, Refusal) == (b"\r" in line or b"\n" in line)


@pytest.mark.parametrize(
    ("verb", "octets", "fits"),
    [(b"NOOP", 2048, True), (b"NOOP", 2049, False), (b"mail", 12_288, True), (b"RCPT", 12_289, False)],
)
def test_a_line_has_its_limit(verb: bytes, octets: int, fits: bool) -> None:
    split = commands.command((verb + b" ").ljust(octets, b"x"))
    assert isinstance(split, tuple) is fits


@pytest.mark.parametrize(("argument", "wanted"), [("10", Chunk(10, False)), ("0 last", Chunk(0, True))])
def test_a_chunk_has_a_length(argument: str, wanted: Chunk) -> None:
    assert commands.chunk(argument) == wanted


@pytest.mark.parametrize("argument", ["", "-1", "1x", "1 FIRST", "١", "1" * 21])
def test_a_chunk_without_a_length_is_refused(argument: str) -> None:
    assert commands.chunk(argument) == replies.BDAT_SYNTAX


@pytest.mark.parametrize(("parameters", "size"), [("", None), ("SIZE=0", 0), ("size=123", 123)])
def test_a_size_may_be_declared(parameters: str, size: int | None) -> None:
    found = commands.mail(f"FROM:<a@example.com> {parameters}")
    assert isinstance(found, Mail)
    assert found.parameters.size == size
