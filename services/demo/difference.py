"""What changed between two texts of one message, for a person: header fields and parts, never whole bodies."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import zip_longest

from shared.mail.mime import Entity, parse


@dataclass(frozen=True, slots=True)
class Part:
    """One leaf of the MIME tree. size: bytes of its body as transferred."""

    name: str
    size: int
    digest: bytes

    def __str__(self) -> str:
        return f"{self.name}, {self.size:,} bytes"


def header_lines(content: bytes, root: Entity) -> list[str]:
    """Return the fields of the message's header, each with its folding as it stands."""
    return [content[field.start : field.end].decode("utf-8", "replace").rstrip("\r\n") for field in root.fields]


def parts(content: bytes, root: Entity) -> list[Part]:
    """Return the leaves of the tree in their order."""
    found = []
    for entity in root.walk():
        if not entity.children:
            body = content[entity.body_start : entity.end]
            name = f"{entity.content_type} {entity.filename or ''}".rstrip()
            found.append(Part(name, len(body), hashlib.sha256(body).digest()))
    return found


def _marked(before: list[str], after: list[str]) -> Iterator[str]:
    for tag, a, b, c, d in SequenceMatcher(a=before, b=after, autojunk=False).get_opcodes():
        if tag == "equal":
            continue
        for old, new in zip_longest(before[a:b], after[c:d]):
            if old is not None:
                yield f"- {old}"
            if new is not None:
                yield f"+ {new}"


def header_changes(before: bytes, after: bytes) -> list[str]:
    """Return the header fields that went (`- `) and came (`+ `)."""
    return list(_marked(header_lines(before, parse(before)), header_lines(after, parse(after))))


def part_changes(before: bytes, after: bytes) -> list[str]:
    """Return the parts that went (`- `) and came (`+ `), and how many stayed byte for byte."""
    old, new = parts(before, parse(before)), parts(after, parse(after))
    kept = [part for part in old if part in new]
    gone = [f"- {part}" for part in old if part not in new]
    come = [f"+ {part}" for part in new if part not in old]
    return [*gone, *come, f"{len(kept)} of {len(old)} parts byte for byte as they were"]
