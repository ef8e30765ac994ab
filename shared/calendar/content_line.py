"""Content lines of iCalendar (RFC 5545 section 3.1), read leniently: unfolded, and split into name, parameters, value.

Every expression here takes time linear in the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from icalendar.parser import Parameters

from shared.errors import MalformedCalendar

MAX_LINES = 50_000

_LINE_END = re.compile(r"\r\n|\r|\n")
_FOLD = re.compile(r"\n[ \t]")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_NAME = re.compile(r"([A-Za-z0-9_.-]++)[ \t]*+(?=[;:])")
_PARAMETER = re.compile(r";[ \t]*+([A-Za-z0-9_-]++)[ \t]*+=")
_QUOTED = re.compile(r'[ \t]*+"([^"]*+)"[^:;,]*+')
_TEXT = re.compile(r"[^:;]*+")
_URI = re.compile(r"cid:<[^>;\"]*+>|(?:mailto|cid|notes|https?):(?://)?+[^:;,]*+|[^:;,]*+", re.IGNORECASE)
# A bare name of a zone may hold colons (`(UTC+02:00) Athens`, `tzone://Microsoft/Custom`): it ends where a date or a
# rule begins, or the next parameter.
_ZONE = re.compile(r"[^;\"]*?(?=:[ \t]*+(?:\d{8}|[A-Za-z]++=))|[^;\"]*+(?=;[ \t]*+[A-Za-z0-9_-]++[ \t]*+=)|[^:;\"]*+")
_NAME_OF_PERSON = re.compile(r"[^:;]*+(?:;(?![ \t]*+[A-Za-z0-9_-]++[ \t]*+=)[^:;]*+)*+")  # `CN=Roe; Jane`
_CARET = re.compile(r"\^([n'^])")  # RFC 6868

_LISTS = frozenset(("MEMBER", "DELEGATED-FROM", "DELEGATED-TO"))
_BARE = {**dict.fromkeys(_LISTS | {"ALTREP", "DIR", "SENT-BY"}, _URI), "TZID": _ZONE, "CN": _NAME_OF_PERSON}


def content_lines(text: str) -> Iterator[str]:
    """Yield content lines, unfolded; what cannot begin one continues the line before.

    A line with an empty name (`:x`) is one of its own, which `split_line` then refuses.
    """
    unfolded = _FOLD.sub("", _LINE_END.sub("\n", text))
    lines = unfolded.split("\n")
    if len(lines) > MAX_LINES:
        raise MalformedCalendar(f"more than {MAX_LINES} lines")
    pending: list[str] = []
    for line in lines:
        if not line.strip():
            continue
        if pending and (_NAME.match(line) or line.lstrip().startswith(":")):
            yield "".join(pending)
            pending = []
        pending.append(line)
    if pending:
        yield "".join(pending)


def split_line(line: str) -> tuple[str, Parameters, str] | None:
    """Return name (upper case), parameters and raw value of a content line, or None."""
    line = _CONTROL.sub("", line).lstrip()
    found = _NAME.match(line)
    if not found:
        return None
    name, at = found[1].upper(), found.end()
    parameters = Parameters()
    while part := _PARAMETER.match(line, at):
        key = part[1].upper()
        value, at = _parameter_value(line, part.end(), key)
        if key not in parameters:
            parameters[key] = value
    colon = line.find(":", at)
    return (name, parameters, line[colon + 1 :]) if colon >= 0 else None


def _parameter_value(line: str, at: int, key: str) -> tuple[str | list[str], int]:
    bare = _BARE.get(key, _TEXT)
    values: list[str] = []
    while True:
        if quoted := _QUOTED.match(line, at):
            values.append(quoted[1])
            at = quoted.end()
        else:
            found = bare.match(line, at)
            assert found  # every one of them matches the empty string
            values.append(found[0].strip())
            at = found.end()
        if not line.startswith(",", at):
            break
        at += 1
    values = [_CARET.sub(lambda caret: {"n": "\n", "'": '"', "^": "^"}[caret[1]], value) for value in values]
    return (values if key in _LISTS and len(values) > 1 else ",".join(values)), at
