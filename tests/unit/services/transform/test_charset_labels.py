"""Every label of the WHATWG registry and of Python, carried both ways: the text is identical, or exact.

What is exact says `endec`, the decoder of Firefox (encoding_rs), for the registry, and Python for its own names.
"""

from __future__ import annotations

import email
import email.policy
from base64 import b64encode
from email.message import EmailMessage
from encodings.aliases import aliases

import endec
import pytest
from endec.exceptions import DecodeError, EncodeError
from webencodings.labels import LABELS

from services.transform.app import dry_run
from shared.configuration.settings import Settings
from shared.mail import charset as charsets
from shared.mail import charset_names
from shared.mail.header import decode_words
from tests.support.systems import EXCHANGE, NOTES

SETTINGS = Settings(systems=[NOTES.model_copy(update={"notes_domains": ["ACME"]}), EXCHANGE])
DIRECTIONS = [("notes", "exchange"), ("exchange", "notes")]
MARKUP = (
    '<html xmlns:o="urn:schemas-microsoft-com:office:office"><body><p class=MsoNormal>',
    "<o:p></o:p></p></body></html>",
)
SAMPLE = "aé“”€ÄßŽřşąДяЖΩאبกあ会①㈱髙ｱ陳恒嘅漢字龍한국똠"
LEGACY = sorted({name for name in LABELS.values() if name != "replacement" and not name.startswith("utf-")})
PYTHON = sorted(name for name in {*aliases, *aliases.values()} if charset_names.codec(name))


def sample(codec: str) -> bytes:
    """Return a name and characters of a codec; what it cannot write is left out."""
    return "".join(["Jo ", *filter(lambda character: can_write(character, codec), SAMPLE)]).encode(codec)


def can_write(character: str, codec: str) -> bool:
    try:
        return character.encode(codec).decode(codec) == character
    except UnicodeError:
        return False


def message(label: str, octets: bytes, html: bytes) -> bytes:
    name = f"=?{label}?B?{b64encode(octets).decode('ascii')}?="
    return (
        f"From: {name} <john@notes.example.com>\r\nTo: {name} <jane@exchange.example.com>\r\nSubject: {name}\r\n"
        f'MIME-Version: 1.0\r\nContent-Type: text/html; charset="{label}"\r\nContent-Transfer-Encoding: 8bit\r\n\r\n'
    ).encode("ascii") + html


def carried(label: str, octets: bytes, expected: set[str]) -> None:
    """Carry a message both ways and look at its names and its text."""
    word = f"=?{label}?B?{b64encode(octets).decode('ascii')}?="
    assert decode_words(word) in {word, *expected}
    opening, closing = (part.encode("ascii") for part in MARKUP)
    html = opening + octets + closing + b"\r\n"
    for source, destination in DIRECTIONS:
        result = dry_run(SETTINGS, source, destination, message(label, octets, html)).converted
        parsed = email.message_from_bytes(result, policy=email.policy.default)
        assert isinstance(parsed, EmailMessage)
        assert f'charset="{label}"'.encode("ascii") in result, "a correct label stays"
        assert octets in result, "and so do the bytes of the text"
        assert b"\xef\xbf\xbd" not in result
        assert word.encode("ascii") in result, "a name that is no Notes name stays"
    notes_name = octets + b"/Sales/Acme"
    result = dry_run(SETTINGS, "notes", "exchange", message(label, notes_name, html)).converted
    shown = str(email.message_from_bytes(result, policy=email.policy.compat32)["From"]).rpartition(" <")[0]
    assert decode_words(shown.replace("\n", "")) in expected


@pytest.mark.parametrize("label", sorted(LABELS))
def test_every_label_of_the_registry_keeps_its_text(label: str) -> None:
    encoding = LABELS[label]
    if encoding == "replacement" or encoding.startswith("utf-16"):
        assert charset_names.is_charset(label)
        return
    octets = b"Jo " + (endec.encode("".join(character for character in SAMPLE if is_in(character, encoding)), encoding))
    carried(label, octets, {endec.decode(octets, encoding)})


def is_in(character: str, encoding: str) -> bool:
    try:
        return endec.decode(endec.encode(character, encoding), encoding) == character
    except (UnicodeError, EncodeError):
        return False


@pytest.mark.parametrize("label", PYTHON)
def test_every_name_of_python_keeps_its_text(label: str) -> None:
    charset = charsets.find(label)
    assert charset is not None
    if not charset.is_ascii_based:
        pytest.skip("written as a whole, see test_text_body")
    codec = aliases.get(label, label)
    octets = sample(codec)
    carried(label, octets, {octets.decode(codec), charset.decode(octets)})


@pytest.mark.parametrize("encoding", LEGACY)
def test_every_character_is_read_as_the_registry_has_it(encoding: str) -> None:
    """All sequences of one and two bytes, and those of three in EUC-JP; ISO-2022-JP in each of its sets."""
    charset = charsets.find(encoding)
    assert charset is not None
    sequences = [bytes((number,)) for number in range(256)]
    if encoding == "iso-2022-jp":
        pairs = [bytes((row, cell)) for row in range(0x21, 0x7F) for cell in range(0x21, 0x7F)]
        sequences = [b"\x1b$B" + pair + b"\x1b(B" for pair in pairs]
        sequences += [
            escape + bytes((number,)) + b"\x1b(B" for escape in (b"\x1b(J", b"\x1b(I") for number in range(0x21, 0x60)
        ]
    elif encoding in {"big5", "euc-jp", "euc-kr", "gbk", "gb18030", "shift_jis"}:
        sequences += [bytes((lead, trail)) for lead in range(0x80, 256) for trail in range(0x30, 256)]
    if encoding == "euc-jp":
        sequences += [bytes((0x8F, row, cell)) for row in range(0xA1, 0xFF) for cell in range(0xA1, 0xFF)]
    for octets in sequences:
        try:
            expected = endec.decode(octets, encoding)
        except DecodeError:
            continue
        assert charset.decode(octets) == expected, octets


@pytest.mark.parametrize(
    "label",
    [
        "x-ms-cp932",
        "ibm943",
        "cp943c",
        "euc-jp-ms",
        "eucjp-open",
        "cp51932",
        "x-x-big5",
        "big5-eten",
        "x-windows-950",
        "x-cp20949",
        "x-windows-949",
        "ks_c_5601-1989",
        "x-cp20936",
        "cn-gb",
        "windows-936",
        "x-windows-874",
        "ms874",
        "tis-620-2533",
        "dos-874",
        "logical",
        "visual",
        "dos-720",
        "x-mac-cyrillic",
        "koi8-ru",
        "x-mac-ce",
        "Windows-31J",
        "windows-949",
        "cn-big5",
        "GB_2312-80",
        "cp50220",
        "cp50221",
        "x-mac-japanese",
        "viscii",
        "ebcdic-us",
        "ibm-1047",
        "iso-2022-cn",
        "ISO-IR-165",
        "csISO159JISX02121990",
        "x-iscii-de",
        "x-mac-arabic",
        "tcvn",
    ],
)
@pytest.mark.parametrize("octets", [b"Dear \x92R\x93c san", b"plain", "Grüße".encode(), "Größe “x”".encode("cp1252")])
def test_a_label_of_a_charset_is_never_replaced(label: str, octets: bytes) -> None:
    content = (
        f"MIME-Version: 1.0\r\nContent-Type: text/plain; charset={label}\r\n\r\n".encode("ascii") + octets + b"\r\n"
    )
    for source, destination in DIRECTIONS:
        assert dry_run(SETTINGS, source, destination, content).converted == content
