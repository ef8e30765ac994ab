"""Bounces that are only text, as Notes R4 and some Domino servers and relays leave them.

Notes R4: the reasons stand before the recipients, and the returned message follows.

    ------- Failure Reasons  --------
    User not listed in public Name & Address Book
    jane@example.com

    ------- Returned Message --------
    Received: …

Domino, where the report was flattened on its way:

    Your message
      Subject: …
    was not delivered to:
      jane@example.com
    because:
      User Jane (jane@example.com) not listed in Domino Directory
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

NOT_DELIVERED = "was not delivered to:"
FAILURES = re.compile(rb"^-{5,9}[ ]{1,3}Failure Reasons[ ]{1,3}-{5,9}[ \t]*\r?\n", re.MULTILINE)
RETURNED = re.compile(rb"^-{5,9}[ ]{1,3}Returned Message[ ]{1,3}-{5,9}[ \t]*(?:\r?\n|\Z)", re.MULTILINE)

_ADDRESS = re.compile(r"[!#-'*+\-./0-9=?A-Z^-~]+@[0-9A-Za-z.\-\[\]:]+")
_MAX_REASON = 1000  # characters and lines; a reason is repeated for each recipient
_MAX_FAILURES = 1000  # listed in a report, so that it is not a thousand times as long as the bounce


@dataclass(frozen=True, slots=True)
class Failure:
    """One recipient that was not reached; address as in the bounce. reason: one line, "" if none is given."""

    address: str
    reason: str


def notes_failures(text: str) -> list[Failure]:
    """Return the failures between the two markers of a Notes R4 bounce."""
    failures: list[Failure] = []
    reason: list[str] = []
    has_recipient = False  # whether a recipient of this reason was seen, so that the next words are another reason
    for line in _lines(text):
        if len(failures) == _MAX_FAILURES:
            break
        if _ADDRESS.fullmatch(line):
            failures.append(Failure(line, _one_line(reason)))
            has_recipient = True
        elif line:
            if has_recipient:
                reason, has_recipient = [], False
            reason.append(line)
    return failures


def domino_failures(text: str) -> list[Failure]:
    """Return the failures in the text of a Domino bounce; none if it is not such a text."""
    failures: list[Failure] = []
    addresses: list[str] = []
    reason: list[str] = []
    block = ""
    for line in (*_lines(text), "your message"):
        low = line.lower()
        if low in ("your message", NOT_DELIVERED):
            if block == "because:":
                failures += (Failure(address, _one_line(reason)) for address in addresses)
                addresses, reason = [], []
            block = low
        elif low == "because:" and addresses:
            block = low
        elif block == NOT_DELIVERED and _ADDRESS.fullmatch(line):
            if len(failures) + len(addresses) < _MAX_FAILURES:
                addresses.append(line)
        elif block == "because:" and line:
            reason.append(line)
        elif block == "because:" and reason:  # an empty line: what follows is no reason, but a disclaimer or the like
            failures += (Failure(address, _one_line(reason)) for address in addresses)
            addresses, reason, block = [], [], ""
    return failures


def _one_line(reason: list[str]) -> str:
    return " ".join(reason[:_MAX_REASON])[:_MAX_REASON]


def _lines(text: str) -> Iterator[str]:
    return (line.strip() for line in text.splitlines())
