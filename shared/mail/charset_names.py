"""The names of character sets in mail: labels of the WHATWG registry, of Python, of Windows code pages, and others.

A label is read as its senders use it (WHATWG Encoding, section 4.2): `ISO-8859-1` and `US-ASCII` for
Windows-1252, `GB2312` for GB 18030, `ks_c_5601-1987` for Windows-949. Labels are compared without case, and any
punctuation counts as one underscore.
"""

from __future__ import annotations

import re
from encodings.aliases import aliases

from webencodings.labels import LABELS

_PUNCTUATION = re.compile(r"[^A-Za-z0-9]+")

# In Python's list, but no charsets of mail: transformations of bytes, and codecs that are slow or depend on the system.
_NOT_TEXT = frozenset(
    {
        *("base64_codec", "bz2_codec", "hex_codec", "quopri_codec", "rot_13", "uu_codec", "zlib_codec"),
        *("idna", "mbcs", "oem", "punycode", "raw_unicode_escape", "undefined", "unicode_escape"),
    }
)
# Names of the WHATWG registry that Python does not have.
_WHATWG = {
    "big5": "big5",
    "gbk": "gb18030",
    "ibm866": "cp866",
    "iso_8859_8_i": "iso8859_8",
    "koi8_u": "koi8_ru",
    "macintosh": "mac_roman",
    "shift_jis": "cp932",
    "euc_kr": "cp949",
    "utf_16le": "utf_16",  # a byte order mark counts
    "utf_16be": "utf_16_be",
    "windows_874": "cp874",
    "x_mac_cyrillic": "mac_cyrillic",
    "x_user_defined": "x_user_defined",
}
# Windows' code page identifiers and IBM's numbers, where Python has no codec of that number or a narrower one.
_CODE_PAGES = {
    708: "iso8859_6",
    936: "gb18030",
    942: "cp932",
    943: "cp932",
    950: "big5",
    951: "big5",
    970: "cp949",
    1200: "utf_16_le",
    1201: "utf_16_be",
    1361: "johab",
    1363: "cp949",
    1386: "gb18030",
    10000: "mac_roman",
    10006: "mac_greek",
    10007: "mac_cyrillic",
    10029: "mac_latin2",
    10079: "mac_iceland",
    10081: "mac_turkish",
    12000: "utf_32_le",
    12001: "utf_32_be",
    20127: "ascii",
    20866: "koi8_r",
    20932: "euc_jp",
    20936: "gb18030",
    20949: "cp949",
    21866: "koi8_ru",
    33722: "euc_jp",
    50220: "iso2022_jp",
    50221: "iso2022_jp",
    50222: "iso2022_jp",
    50225: "iso2022_kr",
    51932: "euc_jp",
    51936: "gb18030",
    51949: "cp949",
    52936: "hz",
    54936: "gb18030",
    65000: "utf_7",
    65001: "utf_8",
}
_OTHERS = {
    "big5_eten": "big5",
    "cn_gb": "gb18030",
    "euc_cn": "gb18030",
    "euc_jp_ms": "euc_jp",
    "eucjp_ms": "euc_jp",
    "eucjp_open": "euc_jp",
    "iso_2022_jp_ms": "iso2022_jp",
    "jis": "iso2022_jp",
    "ks_c_5601": "cp949",
    "mac_ce": "mac_latin2",
    "mac_greek": "mac_greek",
    "tis_620_2529": "cp874",
    "tis_620_2533": "cp874",
    "tis620_2533": "cp874",
    "unicode_1_1_utf_7": "utf_7",
    "windows_iso2022jp": "iso2022_jp",
}
# Python's codecs that are read as a wider one.
_WIDER = {
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "big5hkscs": "big5",
    "cp950": "big5",
    "euc_kr": "cp949",
    "shift_jis": "cp932",
    "koi8_u": "koi8_ru",
    "tis_620": "cp874",
    "iso8859_9": "cp1254",
    "iso8859_11": "cp874",
    "iso2022_jp_1": "iso2022_jp",
    "iso2022_jp_2": "iso2022_jp",
    "iso2022_jp_3": "iso2022_jp",
    "iso2022_jp_ext": "iso2022_jp",
    "iso2022_jp_2004": "iso2022_jp",
}
_NUMBERED = re.compile(r"(?:cs)?(?:windows|win|ms|cp|ibm|dos|msdos|oem|codepage|ccsid)_?(?:cp_?)?0*([1-9]\d{2,4})c?")
_FAMILY = re.compile(
    r"(?:x_)?(?:cs)?(?:adobe|arabic|armscii|ascii|asmo|big5|bocu|brf|cesu|ccsid|cn_|cp_?\d|cyrillic|dec_mcs|dkoi|dos_?\d"
    r"|ebcdic|ecma|euc|gb_?\d|georgian|gost|greek|hebrew|hp_|hz|ibm_?\d|iscii|iso|jis|jus|koi|korean|ksc?_|kz|latin"
    r"|mac|mazovia|mik|ms_?\d|nextstep|oem_?\d|pt_?cp|s_?jis|scsu|shift|tcvn|tis|tscii|ucs|unicode|utf|viqr|viscii|vni"
    r"|vps|win_?\d|windows)"
)


def key(label: str) -> str:
    """Return the form of a label used for comparison."""
    return _PUNCTUATION.sub("_", label).strip("_").lower()


def _python() -> dict[str, str]:
    codecs = {codec for codec in aliases.values() if codec not in _NOT_TEXT}
    codecs |= {"koi8_u", "cp720", "cp737", "cp856", "cp874", "cp875", "cp1006", "mac_arabic", "mac_croatian"}
    codecs |= {"mac_farsi", "mac_romanian", "utf_8_sig"}  # without aliases
    own = {codec: codec for codec in codecs}
    return own | {key(name): codec for name, codec in aliases.items() if codec in codecs}


def _whatwg() -> dict[str, str]:
    python = _python()
    named = {name: _WHATWG.get(key(name)) or python.get(key(name)) for name in set(LABELS.values())}
    return {key(label): codec for label, name in LABELS.items() if (codec := named[name])}


_PYTHON = _python()
_EXACT = _PYTHON | _whatwg() | _OTHERS
_UTF = re.compile(r"utf_?(?:7|8|16|32).*|u8|u16|u32|u7|cp65001")
_LATIN_1 = frozenset({"latin_1", "iso8859_1"})


def codec(label: str) -> str | None:
    """Return the name of the codec that decodes a label's text, or None. See `charset.Charset`.

    `ascii` and `latin_1` are kept distinct from `cp1252`, which decodes them.
    """
    name = key(label)
    for form in (name, name.removeprefix("x_")):
        python = _PYTHON.get(form)
        if python in {"ascii", *_LATIN_1} or (python and _UTF.fullmatch(form)):
            return "latin_1" if python in _LATIN_1 else python
        if found := _EXACT.get(form):
            return _WIDER.get(found, found)
        if numbered := _NUMBERED.fullmatch(form):
            return code_page(int(numbered[1]))
    return None


def narrow(label: str) -> str | None:
    """Return the name of Python's codec that encodes text for every reader of a label, or None."""
    found = _PYTHON.get(key(label)) or codec(label)
    return {"koi8_ru": "koi8_u", "x_user_defined": "ascii"}.get(found, found) if found else None


def code_page(number: int) -> str | None:
    """Return the name of the codec that decodes a code page of Windows or IBM, or None."""
    if 28591 <= number <= 28606:
        return codec(f"iso-8859-{number - 28590}")
    found = _CODE_PAGES.get(number) or _PYTHON.get(f"cp{number}") or _PYTHON.get(f"{number:03}")
    return _WIDER.get(found, found) if found else None


def is_charset(label: str) -> bool:
    """Whether the label names a charset that can be decoded here, or one of a family that other readers know."""
    return codec(label) is not None or key(label) in _REPLACED or _FAMILY.match(key(label)) is not None


_REPLACED = frozenset({key(label) for label in LABELS} | {"logical", "visual"})
