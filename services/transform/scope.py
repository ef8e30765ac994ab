"""What a step of mail details works on: which way the message goes, and the messages in it that may be changed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from services.transform.pipeline import Context
from shared.mail.mime import Entity


def leaves_notes(context: Context) -> bool:
    """Whether the message goes from Domino to any other kind of system."""
    return context.source.kind == "domino" and context.destination.kind != "domino"


def enters_notes(context: Context) -> bool:
    """Whether the message goes to Domino from any other kind of system."""
    return context.source.kind != "domino" and context.destination.kind == "domino"


def changes_sides(context: Context) -> bool:
    """Whether the message goes from Domino to any other kind of system, or the other way round."""
    return (context.source.kind == "domino") != (context.destination.kind == "domino")


@dataclass(frozen=True, slots=True)
class OpenMessage:
    """A message, the one carried or one attached to it, whose header may be changed.

    parts: its entities that may be changed, itself among them unless it is protected; none of a message attached to it.
    """

    entity: Entity
    parts: tuple[Entity, ...]


def open_messages(root: Entity) -> Iterator[OpenMessage]:
    """Yield the message itself and each attached one; nothing signed or encrypted, nor what a report returns.

    A returned message is evidence: its sender must find it as it was.
    """
    waiting = [root]
    while waiting:
        message = waiting.pop()
        parts: list[Entity] = []
        inside = [message]
        while inside:
            entity = inside.pop()
            if entity.is_protected:
                continue
            parts.append(entity)
            if entity.content_type == "multipart/report" or not entity.children:
                continue
            if entity.content_type.startswith("multipart/"):
                inside += reversed(entity.children)
            else:
                waiting += (child for child in entity.children if not child.is_protected)
        yield OpenMessage(message, tuple(parts))
