"""The arguments of SMTP commands as values: EHLO, MAIL, RCPT and BDAT (RFC 5321 section 4.1, RFC 3030). Pure.

A function returns the value, or the refusal to answer with. Nothing that contains a control character is accepted.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from services.ingress import parameters, replies
from services.ingress.parameters import MailParameters, RcptParameters
from services.ingress.replies import Refusal
from shared.errors import MalformedAddress
from shared.mail.address import Address

MAX_COMMAND_BYTES = 2048
MAX_MAIL_BYTES = 12_288  # RFC 5321 section 4.5.3.1.4 asks for 512; long Notes names, SMTPUTF8 and ORCPT need more

_HELLO = re.compile(r"[\x21-\x7e]{1,255}")
_SOURCE_ROUTE = r"(?:@[^:,@<>\s]+(?:,@[^:,@<>\s]+)*:)?"  # RFC 5321 section 4.1.1.3: accepted and ignored
_PATH = re.compile(rf'[ \t]*<{_SOURCE_ROUTE}((?:"(?:[^"\\]|\\.)*"|[^<>"])*)>(?=[ \t]|\Z)')
_CHUNK = re.compile(r"([0-9]{1,20})(?:[ \t]+(LAST))?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Mail:
    """MAIL FROM. sender: None is the null sender."""

    sender: str | None
    parameters: MailParameters


@dataclass(frozen=True, slots=True)
class Rcpt:
    """RCPT TO. address: as the client wrote it, between the brackets, without a source route."""

    address: str
    parameters: RcptParameters


@dataclass(frozen=True, slots=True)
class Chunk:
    """BDAT: that many bytes follow the command directly."""

    octets: int
    last: bool


def command(line: bytes) -> tuple[str, str] | Refusal:
    """Split a line (without its CRLF) into a verb in upper case and the rest, blanks around it removed.

    Bytes that are not UTF-8 become surrogates, which no address and no parameter may contain.
    """
    verb, _, rest = line.partition(b" ")
    if len(line) > (MAX_MAIL_BYTES if verb.upper() in (b"MAIL", b"RCPT") else MAX_COMMAND_BYTES):
        return replies.LINE_TOO_LONG
    if b"\r" in line or b"\n" in line:
        return replies.BARE_NEWLINE
    return verb.decode("utf-8", "surrogateescape").upper(), rest.decode("utf-8", "surrogateescape").strip(" \t")


def hello(argument: str) -> str | Refusal:
    """Return the name that the client claims; nothing is decided by it."""
    return argument if _HELLO.fullmatch(argument) else replies.HELLO_SYNTAX


def mail(argument: str) -> Mail | Refusal:
    """Read what follows MAIL."""
    split = _path(argument, "FROM:")
    if split is None:
        return replies.MAIL_SYNTAX
    path, rest = split
    if path and not _is_address(path):
        return replies.BAD_SENDER
    given = parameters.split(rest)
    found = given if isinstance(given, Refusal) else parameters.mail_parameters(given)
    if isinstance(found, Refusal):
        return found
    if not path.isascii() and not found.smtputf8:
        return replies.NEED_SMTPUTF8
    return Mail(path or None, found)


def rcpt(argument: str, *, smtputf8: bool) -> Rcpt | Refusal:
    """Read what follows RCPT. smtputf8: whether MAIL asked for it."""
    split = _path(argument, "TO:")
    if split is None:
        return replies.RCPT_SYNTAX
    path, rest = split
    if path.lower() != "postmaster" and not _is_address(path):  # RFC 5321 section 4.1.1.3
        return replies.BAD_RECIPIENT
    if not path.isascii() and not smtputf8:
        return replies.NEED_SMTPUTF8
    given = parameters.split(rest)
    found = given if isinstance(given, Refusal) else parameters.rcpt_parameters(given, smtputf8=smtputf8)
    return found if isinstance(found, Refusal) else Rcpt(path, found)


def chunk(argument: str) -> Chunk | Refusal:
    """Read what follows BDAT."""
    found = _CHUNK.fullmatch(argument)
    return Chunk(int(found[1]), found[2] is not None) if found else replies.BDAT_SYNTAX


def _path(argument: str, keyword: str) -> tuple[str, str] | None:
    if argument[: len(keyword)].upper() != keyword:
        return None
    found = _PATH.match(argument, len(keyword))
    return (found[1], argument[found.end() :]) if found else None


def _is_address(path: str) -> bool:
    try:
        Address.parse(path)
    except MalformedAddress:
        return False
    return True
