"""Compressed RTF (MS-OXRTFCP): LZ77 over a ring of 4096 bytes that starts out with common RTF.

A damaged stream yields the data before the damage, and reports the damage. The output is at most about nine times the
input, and never above a bound.
"""

from __future__ import annotations

from services.transform.tnef.cursor import Cursor, CutShort

MAX_OCTETS = 8 * 1024 * 1024

_COMPRESSED, _UNCOMPRESSED = b"LZFu", b"MELA"
_RING_SIZE = 4096
_DICTIONARY = (  # MS-OXRTFCP section 2.1.2.1
    b"{\\rtf1\\ansi\\mac\\deff0\\deftab720{\\fonttbl;}{\\f0\\fnil \\froman \\fswiss \\fmodern \\fscript \\fdecor "
    b"MS Sans SerifSymbolArialTimes New RomanCourier{\\colortbl\\red0\\green0\\blue0\r\n\\par "
    b"\\pard\\plain\\f0\\fs20\\b\\i\\u\\tab\\tx"
)


def decompress(octets: bytes) -> tuple[bytes, tuple[str, ...]]:
    """Return the RTF and the defects of the stream, none if it is complete.

    The checksum is ignored: the RTF reader detects unreadable data, and the size shows a truncation.
    """
    cursor = Cursor(octets)
    try:
        cursor.u32()  # the size of what follows, which the property's own length also gives
        size, kind, _checksum = cursor.u32(), cursor.take(4), cursor.u32()
    except CutShort as error:
        return b"", (f"compressed RTF: {error}",)
    if kind == _UNCOMPRESSED:
        rtf = octets[16 : 16 + min(size, MAX_OCTETS)]
    elif kind == _COMPRESSED:
        rtf = _expand(octets, min(size, MAX_OCTETS))
    else:
        return b"", (f"compressed RTF of unknown kind {kind!r}",)
    return rtf, () if len(rtf) == size else (f"compressed RTF gives {len(rtf)} bytes of {size}",)


def _expand(octets: bytes, size: int) -> bytes:
    ring = bytearray(_DICTIONARY.ljust(_RING_SIZE, b" "))
    write = len(_DICTIONARY)
    out = bytearray()
    at, end = 16, len(octets)
    while at < end and len(out) < size:
        control = octets[at]
        at += 1
        for bit in range(8):
            if control >> bit & 1:
                if at + 1 >= end:
                    return bytes(out[:size])
                reference = octets[at] << 8 | octets[at + 1]
                at += 2
                offset, length = reference >> 4, (reference & 0xF) + 2
                if offset == write:  # the end mark (section 3.1.3.2)
                    return bytes(out[:size])
                for step in range(length):
                    octet = ring[(offset + step) % _RING_SIZE]
                    out.append(octet)
                    ring[write] = octet
                    write = (write + 1) % _RING_SIZE
            else:
                if at >= end:
                    return bytes(out[:size])
                octet = octets[at]
                at += 1
                out.append(octet)
                ring[write] = octet
                write = (write + 1) % _RING_SIZE
    return bytes(out[:size])
