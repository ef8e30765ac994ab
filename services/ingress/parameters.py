"""The parameters of MAIL and RCPT: SIZE (RFC 1870), BODY (RFC 6152), SMTPUTF8 (RFC 6531) and DSN (RFC 3461). Pure.

A parameter is checked where it is read; one that passes can be relayed unchanged.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, cast, get_args

from services.ingress import replies
from services.ingress.replies import Refusal
from shared.mail.envelope import BodyType, Notify

Parameters = Mapping[str, str | None]

MAX_ENVID = 100  # RFC 3461 section 4.4
MAX_ORCPT = 500  # RFC 3461 section 4.2
_KEYWORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*")
_VALUE = re.compile(r"[^\x00-\x20=\x7f]+")  # RFC 5321 section 4.1.2: esmtp-value
_XTEXT = re.compile(r"(?:[\x21-\x2a\x2c-\x3c\x3e-\x7e]|\+[0-9A-F]{2})+")  # RFC 3461 section 4
_UTF8_XTEXT = re.compile(
    r"(?:[\x21-\x2a\x2c-\x3c\x3e-\x7e\u00a0-\ud7ff\ue000-\U0010ffff]|\+[0-9A-F]{2}|\\x\{[0-9A-F]{2,6}\})+"
)
_ADDRESS_TYPE = re.compile(r"[A-Za-z0-9-]+")
_SIZE = re.compile(r"[0-9]{1,20}")
_BLANKS = re.compile(r"[ \t]+")


@dataclass(frozen=True, slots=True)
class MailParameters:
    """Of MAIL FROM. size: bytes the client declared. envid: still in xtext."""

    size: int | None = None
    body: BodyType = "7BIT"
    smtputf8: bool = False
    ret: Literal["FULL", "HDRS"] | None = None
    envid: str | None = None


@dataclass(frozen=True, slots=True)
class RcptParameters:
    """Of RCPT TO. orcpt: "type;address", the address still in xtext."""

    notify: tuple[Notify, ...] = ()
    orcpt: str | None = None


def split(text: str) -> dict[str, str | None] | Refusal:
    """Read `KEYWORD[=value] …`; keywords in upper case, None where there is no value. No keyword may be repeated."""
    found: dict[str, str | None] = {}
    for word in _BLANKS.split(text):
        if not word:
            continue
        keyword, equals, value = word.partition("=")
        if not _KEYWORD.fullmatch(keyword) or (equals and not _VALUE.fullmatch(value)) or keyword.upper() in found:
            return replies.BAD_PARAMETER
        found[keyword.upper()] = value if equals else None
    return found


def mail_parameters(given: Parameters) -> MailParameters | Refusal:
    """Check the parameters of MAIL."""
    if given.keys() - {"SIZE", "BODY", "SMTPUTF8", "RET", "ENVID"}:
        return replies.UNKNOWN_PARAMETER
    size, body, ret, envid = given.get("SIZE", "0"), given.get("BODY", "7BIT"), given.get("RET", ""), given.get("ENVID")
    if size is None or not _SIZE.fullmatch(size) or body is None or body.upper() not in ("7BIT", "8BITMIME"):
        return replies.BAD_PARAMETER
    if given.get("SMTPUTF8") is not None or ret is None or ("RET" in given and ret.upper() not in ("FULL", "HDRS")):
        return replies.BAD_PARAMETER
    if "ENVID" in given and (envid is None or len(envid) > MAX_ENVID or not _XTEXT.fullmatch(envid)):
        return replies.BAD_PARAMETER
    return MailParameters(
        size=int(size) if "SIZE" in given else None,
        body=cast("BodyType", body.upper()),
        smtputf8="SMTPUTF8" in given,
        ret=cast('Literal["FULL", "HDRS"] | None', ret.upper() or None),
        envid=envid,
    )


def rcpt_parameters(given: Parameters, *, smtputf8: bool) -> RcptParameters | Refusal:
    """Check the parameters of RCPT; with SMTPUTF8 an ORCPT of type utf-8 may hold such characters (RFC 6533)."""
    if given.keys() - {"NOTIFY", "ORCPT"}:
        return replies.UNKNOWN_PARAMETER
    notify: tuple[str, ...] = ()
    if "NOTIFY" in given:
        notify = tuple((given["NOTIFY"] or "").upper().split(","))
        known = set(notify) <= set(get_args(Notify)) and len(set(notify)) == len(notify)
        if not known or ("NEVER" in notify and len(notify) > 1):  # RFC 3461 section 4.1
            return replies.BAD_PARAMETER
    orcpt = given.get("ORCPT")
    if "ORCPT" in given and not _is_original_recipient(orcpt or "", smtputf8):
        return replies.BAD_PARAMETER
    return RcptParameters(cast("tuple[Notify, ...]", notify), orcpt)


def _is_original_recipient(text: str, smtputf8: bool) -> bool:
    kind, semicolon, address = text.partition(";")
    if not semicolon or len(text) > MAX_ORCPT or not _ADDRESS_TYPE.fullmatch(kind):
        return False
    xtext = _UTF8_XTEXT if smtputf8 and kind.lower() == "utf-8" else _XTEXT
    return xtext.fullmatch(address) is not None
