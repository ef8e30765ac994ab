"""Character sets as mail names them, decoded by Python's own codecs: none that a stranger can make slow."""

from __future__ import annotations

import re
from encodings.aliases import aliases

# Names that mail uses and Python does not, and narrow names that senders use for the wider set (WHATWG Encoding,
# section 4.2).
_MAIL_NAMES = {
    "cp_850": "cp850",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "iso_8859_8_i": "iso8859_8",
    "iso_8859_8_e": "iso8859_8",
    "koi8_u": "koi8_u",
    "ks_c_5601": "cp949",
    "ks_c_5601_1987": "cp949",
    "euc_kr": "cp949",
    "shift_jis": "cp932",
    "x_sjis": "cp932",
    "x_gbk": "gb18030",
    "x_euc_jp": "euc_jp",
    "windows_874": "cp874",
    "cp874": "cp874",
    "windows_1252": "cp1252",
    "unicode_1_1_utf_7": "utf_7",
}

# In Python's list, but no character sets of mail: transformations of octets, and codecs that are slow or depend on the
# system.
_NOT_TEXT = {"base64_codec", "bz2_codec", "hex_codec", "quopri_codec", "rot_13", "uu_codec", "zlib_codec"} | {
    *("idna", "mbcs", "oem", "punycode", "raw_unicode_escape", "undefined", "unicode_escape")
}
# Only names known beforehand reach the codec registry: it imports modules by name and remembers every miss for ever.
_CODECS = {
    **{codec: codec for codec in aliases.values() if codec not in _NOT_TEXT},
    **{name: codec for name, codec in aliases.items() if codec not in _NOT_TEXT},
    **_MAIL_NAMES,
}
_PUNCTUATION = re.compile(r"[^A-Za-z0-9]+")
_JIS_ESCAPE = re.compile(rb"\x1b\$[@B]")
# Four octets above 127 together are no Western text, but Cyrillic, Greek, Japanese or Chinese; nor do letters follow
# the signs ƒ † ‡ ˆ ‰ ˜ ™, as they seem to do in Shift_JIS.
_NOT_WESTERN = re.compile(rb"[\x80-\xff]{4}|[\x83\x86-\x89\x98\x99][\x80-\xff]|\x1b|\0")
_TOLD_BY_OCTETS = frozenset({"iso2022_jp", "utf_8", "cp1252", "latin_1", "ascii"})  # better than by any label


def codec(charset: str) -> str | None:
    """Return the name of Python's codec for a charset of mail, or None where there is none."""
    return _CODECS.get(_PUNCTUATION.sub("_", charset).strip("_").lower())


def decode(octets: bytes, charset: str) -> str | None:
    """Return the octets as text, undecodable ones as U+FFFD; None for a charset that is not known."""
    name = codec(charset)
    return None if name is None else octets.decode(name, "replace")


def guess(octets: bytes) -> str:
    """Return text whose charset is not told or not known: UTF-8 where it is valid, else Windows-1252, never failing."""
    try:
        return octets.decode()
    except UnicodeDecodeError:
        return octets.decode("cp1252", "replace")


def recognise(octets: bytes) -> str | None:
    """Return the charset that unlabelled octets can only be in: ISO-2022-JP, UTF-8 or Windows-1252.

    None where nothing tells: plain ASCII, octets that none of them decodes strictly, and octets above 127 in an
    order that no Western text has.
    """
    if octets.isascii():
        is_japanese = b"\x1b" in octets and _JIS_ESCAPE.search(octets) and _decodes(octets, "iso2022_jp")
        return "iso-2022-jp" if is_japanese else None
    if _decodes(octets, "utf_8"):
        return "utf-8"
    return "windows-1252" if not _NOT_WESTERN.search(octets) and _decodes(octets, "cp1252") else None


def read_unlabelled(octets: bytes, nearby: str | None = None) -> str | None:
    """Return octets as text by the charset they show, else by the one that text nearby declares; None where neither."""
    found = recognise(octets)
    if found in ("iso-2022-jp", "utf-8"):
        return octets.decode(found)
    name = codec(nearby) if nearby else None
    if name and name not in _TOLD_BY_OCTETS and _decodes(octets, name):
        return octets.decode(name)
    if found:
        return octets.decode("cp1252")
    return octets.decode("ascii") if octets.isascii() else None


def _decodes(octets: bytes, name: str) -> bool:
    try:
        octets.decode(name)
    except UnicodeError:
        return False
    return True
