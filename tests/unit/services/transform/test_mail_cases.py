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
