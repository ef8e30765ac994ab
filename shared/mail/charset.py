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
