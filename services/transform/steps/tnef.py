"""Exchange's winmail.dat, replaced by its content for every destination except Exchange.

A part of type application/ms-tnef, or one named `winmail.dat`, anywhere in the tree is replaced by its body, files,
messages and meeting; `services.transform.tnef.placement` describes how they are merged into the message. Signed,
encrypted and returned content is not changed, nor is mail from Domino, whose users forward the file on purpose.

- A meeting becomes a text/calendar with its METHOD in the multipart/alternative of the body, unless the message has one
  already: Exchange sends some people both.
- A read receipt that fills a message makes it a proper one, multipart/report (RFC 8098). Elsewhere it is text.
- Of a damaged stream everything that can be read is delivered, and the stream itself stays beside it, marked as read.
  One that cannot be read at all stays as it is, and counts as a failure.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

from services.transform.pipeline import Context, Step, StepMessage
from services.transform.tnef.carrier import Carrier
from services.transform.tnef.content import content_of
from services.transform.tnef.message import MAX_DEPTH, Person, read_message
from services.transform.tnef.placement import KEPT, Place, edits_for
from shared.errors import MalformedTnef
from shared.mail.address_list import read_addresses
from shared.mail.body import decode_body
from shared.mail.budget import Budget
from shared.mail.edits import Edit, apply, compose
from shared.mail.header import decode_words
from shared.mail.mime import Entity, parse

TYPES = frozenset(("application/ms-tnef", "application/vnd.ms-tnef"))
FILE_NAMES = frozenset(("winmail.dat", "win.dat"))


def is_tnef(entity: Entity) -> bool:
    """Whether the part is a TNEF stream by its type or its name, and not kept beside what was read of it."""
    if entity.children or entity.is_protected or entity.find(KEPT):
        return False
    return entity.content_type in TYPES or (entity.filename or "").strip().lower() in FILE_NAMES


def _places(root: Entity) -> Iterator[Place]:
    """Yield the positions of the streams of a message, including attached messages."""
    waiting = [Place(root, None, root)]
    while waiting:
        place = waiting.pop()
        entity = place.stream
        if is_tnef(entity):
            yield place
        elif not entity.content_type.startswith("multipart/"):
            waiting += [Place(child, None, child) for child in entity.children]
        elif entity.content_type != "multipart/report":
            waiting += [Place(child, entity, place.holder) for child in reversed(entity.children)]


def _carrier(content: bytes, holder: Entity) -> Carrier:
    """Return the header of the message around a stream."""

    def listed(name: str, role: str) -> list[Person]:
        return [
            Person(mailbox.name, mailbox.address, role)
            for field in holder.all(name)
            for mailbox in read_addresses(content, field.value_start, field.end)
        ]

    subject, answered = holder.find("subject"), holder.find("in-reply-to")
    sender, delegate = (next(iter(listed(name, "to")), None) for name in ("from", "sender"))
    is_other = sender and delegate and delegate.address.lower() != sender.address.lower()
    return Carrier(
        sender=sender,
        delegate=delegate if is_other else None,
        recipients=(*listed("to", "to"), *listed("cc", "cc")),
        subject=decode_words(subject.value(content)) if subject else "",
        in_reply_to=answered.value(content) if answered else "",
    )


def _has_calendar(holder: Entity) -> bool:
    """Whether a message has a calendar of its own; attachments do not count."""
    waiting = [holder]
    while waiting:
        entity = waiting.pop()
        if entity.content_type == "text/calendar" and entity.disposition != "attachment":
            return True
        if entity.content_type.startswith("multipart/"):
            waiting += entity.children
    return False


def _applies(message: StepMessage, context: Context) -> bool:
    if context.source.kind == "domino" or context.destination.kind == "exchange":
        return False
    return any(map(is_tnef, message.root.walk()))


def _edits(message: StepMessage, context: Context) -> tuple[Edit, ...]:
    """Return the edits that leave no readable stream: one that was a file in another is replaced, too."""
    now = datetime.fromtimestamp(context.now, UTC)
    content, root = message.content, message.root
    edits: tuple[Edit, ...] = ()
    for _ in range(MAX_DEPTH):
        made, failures = _replaced(content, root, now, context.budget)
        if failures and not made and not edits:
            raise failures[0]
        if not made:
            return edits
        context.budget.spend("text_bytes", sum(len(edit.replacement) for edit in made))
        content, edits = apply(content, made), compose(edits, made)
        root = parse(content)  # thousands of parts must not make an unreadable message
        if not any(map(is_tnef, root.walk())):
            return edits
    raise MalformedTnef(f"streams nested more than {MAX_DEPTH} deep")


def _replaced(content: bytes, root: Entity, now: datetime, budget: Budget) -> tuple[list[Edit], list[MalformedTnef]]:
    """Return the edits that replace every stream, and why some cannot be read."""
    edits: list[Edit] = []
    failures: list[MalformedTnef] = []
    joined: set[int] = set()  # starts of the multiparts whose body is joined with a stream's
    for place in _places(root):
        try:
            stream = read_message(decode_body(content, place.stream), budget)
        except MalformedTnef as failure:
            failures.append(failure)
            continue
        held = content_of(stream, _carrier(content, place.holder), now)
        if held.calendar and _has_calendar(place.holder):
            held = replace(held, calendar=None)
        around = place.parent.start if place.parent else place.stream.start
        edits += edits_for(content, place, held, may_join=around not in joined)
        joined.add(around)
    edits.sort()
    return edits, failures


STEP = Step(
    name="tnef",
    description="Exchange's winmail.dat is replaced by its body, files and meeting.",
    applies=_applies,
    change=_edits,
    on_failure="pass",
)
