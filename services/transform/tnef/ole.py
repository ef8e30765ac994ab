"""The content of an OLE attachment (MS-OLEDS; compound files: MS-CFB): a usable file, if there is one.

An object that was dropped into rich text comes as a compound file. A packaged file is taken out of it by its own name;
a document of Office is such a file itself; anything else stays the compound file it is.
"""

from __future__ import annotations

import io
from uuid import UUID

import olefile

from services.transform.tnef.cursor import Cursor, CutShort

_IIDS = frozenset(UUID(f"000000{low}-0000-0000-c000-000000000046").bytes_le for low in ("0b", "0c"))  # storage, stream
_PACKAGE = "\x01Ole10Native"
_DOCUMENTS = (  # a stream that only this kind of document has
    ("WordDocument", ".doc", "application/msword"),
    ("Workbook", ".xls", "application/vnd.ms-excel"),
    ("Book", ".xls", "application/vnd.ms-excel"),
    ("PowerPoint Document", ".ppt", "application/vnd.ms-powerpoint"),
    ("VisioDocument", ".vsd", "application/vnd.visio"),
)
_CONTENTS = ("Package", "CONTENTS")
_SIGNATURES = (
    (b"PK\x03\x04", ".zip", "application/zip"),
    (b"%PDF", ".pdf", "application/pdf"),
    (b"\x89PNG\r\n", ".png", "image/png"),
    (b"\xff\xd8\xff", ".jpg", "image/jpeg"),
    (b"GIF8", ".gif", "image/gif"),
    (b"BM", ".bmp", "image/bmp"),
)


def what_it_holds(name: str, octets: bytes) -> tuple[str, str, bytes]:
    """Return name, content type ("" where it is not known) and bytes of what an OLE attachment holds. Never fails."""
    octets = octets[16:] if octets[:16] in _IIDS else octets
    if not octets.startswith(olefile.MAGIC):
        return name, "", octets
    try:
        with olefile.OleFileIO(io.BytesIO(octets)) as storage:
            if storage.exists(_PACKAGE):
                return _packaged(name, storage.openstream(_PACKAGE).read())
            for stream, ending, content_type in _DOCUMENTS:
                if storage.exists(stream):
                    return _with_ending(name, ending), content_type, octets
            for stream in _CONTENTS:
                if storage.exists(stream):
                    held = storage.openstream(stream).read()
                    for start, ending, content_type in _SIGNATURES:
                        if held.startswith(start):
                            return _with_ending(name, ending), content_type, held
    except Exception:  # noqa: BLE001 a damaged file makes the library raise many kinds; it stays what it is
        return _with_ending(name, ".ole"), "application/octet-stream", octets
    return _with_ending(name, ".ole"), "application/octet-stream", octets


def _with_ending(name: str, ending: str) -> str:
    return name if name.lower().endswith(ending) else f"{name or 'object'}{ending}"


def _packaged(name: str, stream: bytes) -> tuple[str, str, bytes]:
    """Read Ole10Native: label, file name and two paths, each ended by a zero, then the file with its length."""
    try:
        cursor = Cursor(stream, 6)
        label = _string(cursor)
        path = _string(cursor)
        cursor.take(4)
        cursor.take(cursor.u32())  # the temporary path, with its length
        held = cursor.take(cursor.u32())
    except CutShort:
        return _with_ending(name, ".bin"), "application/octet-stream", stream
    own = label or path.replace("\\", "/").rpartition("/")[2]
    return own or name, "", held


def _string(cursor: Cursor) -> str:
    end = cursor.octets.find(b"\0", cursor.position)
    if end < 0:
        raise CutShort("a string without its end")
    text = cursor.take(end - cursor.position).decode("cp1252", "replace")
    cursor.take(1)
    return text
