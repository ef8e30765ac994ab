"""Mail of other people that the gateway once got wrong, each at its right value: `tests/cases/mail`.

`name.eml` and `name.expected.eml`, converted as `causeway convert --config causeway.yaml` does it.
"""

from __future__ import annotations

import email
import email.policy
from pathlib import Path

import pytest

from services.transform.app import dry_run
from shared.configuration.file import load
from shared.configuration.settings import Settings
from shared.mail.header import decode_words, parameters
from shared.mail.mime import parse

CASES = Path(__file__).parents[3] / "cases" / "mail"
INPUTS = sorted(path for path in CASES.glob("0[1-4]*.eml") if not path.name.endswith(".expected.eml"))
TO_NOTES = ("01a", "01d", "01e")


@pytest.fixture(scope="module")
def settings() -> Settings:
    return load(CASES / "causeway.yaml")


@pytest.mark.parametrize("case", INPUTS, ids=lambda path: path.stem)
def test_case_reads_as_its_sender_meant(case: Path, settings: Settings) -> None:
    source, destination = ("exchange", "notes") if case.name.startswith(TO_NOTES) else ("notes", "exchange")
    result = dry_run(settings, source, destination, case.read_bytes())
    assert result.error is None
    assert result.converted == case.with_name(f"{case.stem}.expected.eml").read_bytes()


@pytest.mark.parametrize(
    ("name", "charset", "subject"),
    [
        ("04a-unlabelled-czech", "iso-8859-2", "Dobrý den, posílám přílohu. Žluťoučký kůň, Dvořák"),
        ("04c-unlabelled-polish", "iso-8859-2", "Proszę o potwierdzenie, dziękuję. Łódź"),
        ("04e-unlabelled-lithuanian", "windows-1257", "Ačiū, labas rytas. Žąsis"),
    ],
)
def test_the_default_charset_of_a_system_is_what_its_unlabelled_mail_is_in(
    name: str, charset: str, subject: str, settings: Settings
) -> None:
    systems = [
        system.model_copy(update={"default_charset": charset} if system.name == "notes" else {})
        for system in settings.systems
    ]
    configured = settings.model_copy(update={"systems": systems})
    original = (CASES / f"{name}.eml").read_bytes()
    result = dry_run(configured, "notes", "exchange", original).converted
    message = email.message_from_bytes(result, policy=email.policy.default)
    assert message.get_content_charset() == charset
    assert message["Subject"] == subject
    assert result.partition(b"\r\n\r\n")[2] == original.partition(b"\r\n\r\n")[2]


@pytest.mark.parametrize(
    ("field", "shown"),
    [
        (b"=?ISO-2022-JP?Q?=1B$B-j;3ED-!=1B(B/Acme?=", "㈱山田①"),
        (b"=?ISO-2022-JP?B?GyRCLQ==?= =?ISO-2022-JP?B?ajszRUQtIRsoQi9BY21l?=", "㈱山田①"),  # a split character
        (b"=?iso-2022-jp?B?GyQoRCJxGyhCL0FjbWU=?=", "№"),
        (b"=?iso-2022-jp?B?GyhJMTIzGyhCL0FjbWU=?=", "ｱｲｳ"),
        (b"=?euc-jp?Q?=A9=A1=AD=A1/Acme?=", "=?euc-jp?Q?=A9=A1=AD=A1/Acme?="),  # no such character
        (b"=?euc-jp?Q?=AD=EA=AD=A1/Acme?=", "㈱①"),
        (b"=?Windows-31J?Q?=87=8A=FBW/Acme?=", "㈱煇"),
        (b"=?gb2312?Q?=E9F_=80/Acme?=", "镕 €"),
        (b"=?ks_c_5601-1987?Q?=81A/Acme?=", "갂"),
        (b"=?TIS-620?Q?=A1=93=94/Acme?=", "ก“”"),
        (b"=?iso-8859-9?Q?=93=FE=94/Acme?=", "“ş”"),
        (b"=?utf-8?Q?Jos=E9/Acme?=", "=?utf-8?Q?Jos=E9/Acme?="),
        (b'"Dvo\xf8\xe1k/Sales/Acme"', '"Dvo\udcf8\udce1k/Sales/Acme"'),
    ],
)
def test_a_name_is_exact_or_left(field: bytes, shown: str, settings: Settings) -> None:
    content = b"From: " + field + b" <jdoe@notes.example.com>\r\nTo: jroe@exchange.example.com\r\n\r\nx\r\n"
    result = dry_run(settings, "notes", "exchange", content).converted
    value = result.partition(b" <")[0].removeprefix(b"From: ").decode("utf-8", "surrogateescape")
    assert shown in (decode_words(value), value)


@pytest.mark.parametrize(
    ("octets", "shown"),
    [
        (b"\x1b$B-!-j\x1b(B.xls", "①㈱.xls"),
        ("Größe.xls".encode("cp1252"), "Größe.xls"),
        ("příloha.xls".encode("iso8859_2"), None),
        (b"\x1b$B~~\x1b(B.xls", None),
    ],
)
@pytest.mark.parametrize("nested", [False, True])
def test_a_raw_file_name_is_exact_or_left(octets: bytes, shown: str | None, nested: bool, settings: Settings) -> None:
    part = b'Content-Type: application/pdf\r\nContent-Disposition: attachment; filename="' + octets + b'"\r\n\r\nx\r\n'
    head = b"From: a@example.net\r\nMIME-Version: 1.0\r\n"
    content = head + b"Content-Type: message/rfc822\r\n\r\n" + head + part if nested else head + part
    result = dry_run(settings, "notes", "exchange", content).converted
    if shown is None:
        assert result == content
    else:
        (entity,) = parse(result).children or (parse(result),)
        assert entity.filename == shown
        assert octets not in result


def test_an_extended_file_name_is_read_as_its_sender_meant() -> None:
    assert parameters("a; filename*=iso-2022-jp''%1B$B-!%1B(B.xls")[1] == {"filename": "①.xls"}
    assert parameters("a; filename*=us-ascii''O%92N.xls")[1] == {"filename": "O’N.xls"}
