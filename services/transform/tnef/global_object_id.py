"""The global object id of a meeting (MS-OXOCAL section 2.2.1.27), and the UID that it is in iCalendar.

A meeting of Outlook has the id itself, in hexadecimal, as its UID. One that came from another program as iCalendar has
the foreign UID wrapped in it behind `vCal-Uid`, and that is its UID again. An id of one occurrence names its day.
"""

from __future__ import annotations

from datetime import date

_ID = bytes.fromhex("040000008200E00074C5B7101A82E008")
_DAY = slice(16, 20)  # year (big-endian), month, day of the occurrence; zeros in the id of a series
_DATA = 40
_FOREIGN = b"vCal-Uid\x01\0\0\0"


def uid(octets: bytes) -> str:
    """Return the UID of a global object id, the same for a series and each of its occurrences."""
    if octets.startswith(_ID):
        wrapped = octets[_DATA:]
        if wrapped.startswith(_FOREIGN):
            foreign = wrapped[len(_FOREIGN) :].partition(b"\0")[0].decode("utf-8", "replace").strip()
            if foreign and foreign.isprintable():
                return foreign
        octets = octets[: _DAY.start] + bytes(4) + octets[_DAY.stop :]
    return octets.hex().upper()


def occurrence(octets: bytes) -> date | None:
    """Return the original day of the occurrence that the id is of; None for a series or a single meeting."""
    if not octets.startswith(_ID) or not any(octets[_DAY]):
        return None
    try:
        return date(octets[16] << 8 | octets[17], octets[18], octets[19])
    except (ValueError, IndexError):
        return None
