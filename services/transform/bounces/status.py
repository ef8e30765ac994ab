"""The status code (RFC 3463) for Domino's diagnostic text: its reports have 5.0.0 for every failure.

Domino's messages are translated with its user interface, so only the most common have other languages here; only
unambiguous phrases, because a wrong code is worse than a general code.
"""

from __future__ import annotations

import re

UNKNOWN = "5.0.0"

_CODE = re.compile(r"(?<![\d.])([45]\.[0-7]\.\d{1,3})(?![\d.]*\d)")

_SIGNS: tuple[tuple[str, str], ...] = (
    # Addresses (X.1)
    (r"several matches found in (?:the )?(?:domino|public)|not unique", "5.1.4"),
    (
        r"not listed in (?:the )?(?:domino directory|public (?:name & )?address book|public name)"
        r"|non répertorié dans l.annuaire domino|(?:ディレクトリ|アドレス帳).{0,20}(?:見つかりません|ありません)"
        r"|user unknown|unknown user|no such (?:user|recipient)|recipient unknown|mailbox (?:not found|does not exist)",
        "5.1.1",
    ),
    # Mailboxes (X.2)
    (r"quota|mail(?:box| ?file) (?:is )?full|database has grown too large", "5.2.2"),
    (
        r"(?:message|mail|size).{0,60}(?:too (?:large|big)|exceed|larger than|over the limit)|maximum.{0,20}size",
        "5.2.3",
    ),
    # Routing and networks (X.4)
    (r"hop count exceeded|routing loop|mail loop", "5.4.6"),
    (
        r"no route (?:found )?to|cannot route mail|unable to route|domain.{0,40}not found in (?:dns|the domain name)",
        "5.4.4",
    ),
    (r"expired|delivery time|could not be delivered within|tried for", "4.4.7"),
    (
        r"connection (?:was )?(?:reset|broken|closed|lost)|session (?:has been )?closed|network operation did not",
        "4.4.2",
    ),
    (
        r"not respond|no longer responding|unable to (?:connect|find (?:a )?path|locate)|timed? ?out|network error"
        r"|remote system|connection refused|host unreachable|server is unavailable",
        "4.4.1",
    ),
    # Policy (X.7)
    (
        r"not authorized|access denied|relay(?:ing)? (?:is )?(?:not allowed|denied)|rejected for policy|policy reasons",
        "5.7.1",
    ),
)
_TABLE = tuple((re.compile(pattern, re.IGNORECASE), code) for pattern, code in _SIGNS)


def status_of(reason: str) -> str:
    """Return the status code of a failure: one that the words hold, else the one they mean, else `UNKNOWN`."""
    words = " ".join(reason.split())[:2000]
    if found := _CODE.search(words):
        return found[1]
    return next((code for pattern, code in _TABLE if pattern.search(words)), UNKNOWN)
