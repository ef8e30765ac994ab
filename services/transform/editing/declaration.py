"""What the header of a text part declares: its charset and its transfer encoding, changed by edits.

A Content-Type that names its charset in the plain way keeps all else byte for byte: Outlook loses a boundary from a
header that is wrapped anew. Fields that are missing come first, and MIME-Version with them in a message without it.
"""

from __future__ import annotations

import re

from shared.mail.edits import Edit
from shared.mail.header import Field
from shared.mail.mime import Entity

_PLAIN = re.compile(r"[ !#-\[\]-~]*")
_CHARSET = re.compile(rb";\s*+charset\s*+=\s*+(\"[^\"]*+\"|[^\s;\"]++)", re.IGNORECASE)


def declare(content: bytes, entity: Entity, charset: str | None, encoding: str) -> list[Edit]:
    """Return the edits that make a text part's header declare a charset and a transfer encoding; the rest stays.

    charset: None where the one that is declared stays.
    """
    edits, new = [], []
    if entity.start == 0 and entity.find("mime-version") is None:
        new.append("MIME-Version: 1.0")
    found = entity.find("content-type")
    if charset and found:
        edits.append(_declared_charset(content, entity, found, charset))
    elif charset:
        new.append(f"Content-Type: {entity.content_type}; charset={charset}")
    if found := entity.find("content-transfer-encoding"):
        edits.append(_value(content, found, encoding))
    else:
        new.append(f"Content-Transfer-Encoding: {encoding}")
    if new:
        at = entity.fields[0].start if entity.fields else entity.start
        edits.append(Edit(at, at, "".join(f"{line}\r\n" for line in new).encode("utf-8", "surrogateescape")))
    return sorted(edits)


def _declared_charset(content: bytes, entity: Entity, found: Field, charset: str) -> Edit:
    given = _CHARSET.search(found.raw(content))
    if given and given[1].strip(b'"').decode("latin-1") == entity.parameters.get("charset"):
        start = found.value_start + given.start(1)
        return Edit(start, start + len(given[1]), charset.encode("ascii"))
    kept = "".join(
        f'; {name}="{value}"'
        for name, value in entity.parameters.items()
        if name != "charset" and _PLAIN.fullmatch(name) and _PLAIN.fullmatch(value)
    )
    return _value(content, found, f"{entity.content_type}; charset={charset}{kept}")


def _value(content: bytes, found: Field, value: str) -> Edit:
    return Edit(
        found.value_start, found.value_start + len(found.raw(content)), f" {value}".encode("utf-8", "surrogateescape")
    )
