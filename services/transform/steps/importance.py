"""Importance and sensitivity of a message, in values that all clients understand.

Importance. Exchange reads `Importance`, and `X-Priority`, `X-MSMail-Priority` or `Priority` only without it (MS-OXCMAIL
section 2.2.3.2.5); other programs read them in another order. So `Importance`, `X-Priority` and `X-MSMail-Priority` are
made to agree: the first valid field decides, and fields with other or unknown
values get its value. `Priority` stays: it is how fast Domino is to route (RFC 2156 section 4.3.6), set apart from
importance in Notes; where it would be taken for another importance, an `Importance` field is added.

Sensitivity. RFC 2156 section 4.3.5 knows Personal, Private and Company-Confidential. An empty
value (from Notes) is removed, other spellings are corrected, and unknown values are kept.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from services.transform.pipeline import Context, Step, StepMessage
from services.transform.scope import leaves_notes
from shared.mail.edits import Edit
from shared.mail.header import Field
from shared.mail.mime import Entity

_LEVELS = {
    **dict.fromkeys(("high", "highest", "urgent"), "high"),
    **dict.fromkeys(("normal", "medium"), "normal"),
    **dict.fromkeys(("low", "lowest", "non-urgent"), "low"),
}
_BY_DIGIT = {"1": "high", "2": "high", "3": "normal", "4": "low", "5": "low"}
_ITEM_DIGIT = {"1": "high", "2": "normal", "3": "low"}  # the values of the Notes item Importance
_IMPORTANCE_FIELDS = ("importance", "x-priority", "x-msmail-priority")  # in this order
_WORDS = {"importance": "{level}", "x-priority": "{digit} ({level})", "x-msmail-priority": "{level}"}
_DIGITS = {"high": "1", "normal": "3", "low": "5"}
_X_PRIORITY = re.compile(r"([1-5])(?:[ \t(][ -~]*)?")

_SENSITIVITIES = {
    **dict.fromkeys(("", "0", "none", "normal"), None),
    **dict.fromkeys(
        ("confidential", "company confidential", "companyconfidential", "company_confidential"), "Company-Confidential"
    ),
}


def _level(field: Field, content: bytes) -> str | None:
    value = field.value(content).lower()
    if field.name == "x-priority" and (found := _X_PRIORITY.fullmatch(value)):
        return _BY_DIGIT[found[1]]
    if field.name == "importance" and value in _ITEM_DIGIT:
        return _ITEM_DIGIT[value]
    return _LEVELS.get(value)


def _is_plain(field: Field, content: bytes) -> bool:
    """Whether the value is one that MS-OXCMAIL lists, which a number with words after it is for `X-Priority`."""
    value = field.value(content).lower()
    return _X_PRIORITY.fullmatch(value) is not None if field.name == "x-priority" else value in _DIGITS


def _importance(root: Entity, content: bytes) -> Iterator[Edit]:
    fields = [field for name in _IMPORTANCE_FIELDS for field in root.all(name)]
    decided = next((level for field in fields if (level := _level(field, content))), None)
    if decided is None:
        return
    for field in fields:
        if _level(field, content) != decided or not _is_plain(field, content):
            value = _WORDS[field.name].format(level=decided.capitalize(), digit=_DIGITS[decided])
            yield _new_value(field, content, value)
    priority = root.find("priority")
    if priority and not root.find("importance") and _LEVELS.get(priority.value(content).lower()) not in (None, decided):
        yield Edit(priority.start, priority.start, b"Importance: " + decided.capitalize().encode() + b"\r\n")


def _sensitivity(root: Entity, content: bytes) -> Iterator[Edit]:
    for field in root.all("sensitivity"):
        value = field.value(content).lower()
        word = _SENSITIVITIES.get(value, value)
        if word is None:
            yield Edit(field.start, field.end, b"")
        elif word != value:
            yield _new_value(field, content, word)


def _new_value(field: Field, content: bytes, value: str) -> Edit:
    return Edit(field.value_start, field.value_start + len(field.raw(content)), f" {value}".encode("ascii"))


def _applies(message: StepMessage, context: Context) -> bool:
    return leaves_notes(context) and any(map(message.root.find, (*_IMPORTANCE_FIELDS, "sensitivity")))


def _edits(message: StepMessage, _context: Context) -> tuple[Edit, ...]:
    return tuple(sorted([*_importance(message.root, message.content), *_sensitivity(message.root, message.content)]))


STEP = Step(
    name="importance",
    description="Importance and sensitivity get the values that Outlook reads, consistently.",
    applies=_applies,
    change=_edits,
    on_failure="pass",
)
