"""Who meets: organizers, attendees and rooms, as everybody may see them."""

from __future__ import annotations

from typing import Any

import pytest

from services.transform.calendar.to_exchange.people import publish_people
from shared.calendar.ical import read_calendars, values_of
from shared.routing.router import Router
from tests.support.systems import EXCHANGE, NOTES


def published(router: Router, *lines: str) -> Any:
    text = "\r\n".join(("BEGIN:VEVENT", *lines, "END:VEVENT"))
    (event,) = read_calendars(text)[0].walk("VEVENT")
    publish_people(event, router)
    return event


@pytest.fixture
def router() -> Router:
    notes = NOTES.model_copy(update={"notes_domains": ["ACME"]})
    return Router([notes, EXCHANGE])


@pytest.mark.parametrize(
    ("line", "address", "sent_by"),
    [
        ("ORGANIZER:mailto:john@notes.example.com", "mailto:john@example.com", None),
        ("ORGANIZER:john@notes.example.com", "mailto:john@example.com", None),
        ("ORGANIZER:MAILTO:mailto:john@notes.example.com", "mailto:john@example.com", None),
        (
            'ORGANIZER;SENT-BY="mailto:john@notes.example.com":mailto:John_Doe/Acme@server.notes.example.com',
            "mailto:john@example.com",
            None,
        ),
        ("ORGANIZER;SENT-BY=john@notes.example.com:invalid:nomail", "mailto:john@example.com", None),
        (
            "ORGANIZER;SENT-BY=mailto:mary@notes.example.com:mailto:john@notes.example.com",
            "mailto:john@example.com",
            "mailto:mary@example.com",
        ),
        ("ORGANIZER;SENT-BY=mailto:j@notes.example.com:mailto:j@notes.example.com", "mailto:j@example.com", None),
    ],
)
def test_an_organizer_is_known_by_a_public_address(
    router: Router, line: str, address: str, sent_by: str | None
) -> None:
    organizer = published(router, line)["ORGANIZER"]
    assert str(organizer) == address
    assert organizer.params.get("SENT-BY") == sent_by


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("John Doe/Sales/Acme", "John Doe"),
        ("CN=John Doe/OU=Sales/O=Acme", "John Doe"),
        ("John Doe/Sales/Acme@ACME", "John Doe"),
        ("Doe, John", "Doe, John"),
        ("Jane Roe", "Jane Roe"),
    ],
)
def test_a_name_is_what_people_say(router: Router, name: str, shown: str) -> None:
    (attendee,) = values_of(published(router, f'ATTENDEE;CN="{name}":mailto:j@example.com'), "ATTENDEE")
    assert attendee.params["CN"] == shown


def test_a_room_is_a_room_and_takes_no_part(router: Router) -> None:
    event = published(
        router,
        "LOCATION:Room 7/HQ@ACME",
        "X-LOTUS-ROOM:CN=Room 7/O=HQ",
        'ATTENDEE;CN="Room 7/HQ";ROLE=REQ-PARTICIPANT:mailto:room7@example.com',
        'ATTENDEE;CN="Beamer/HQ";CUTYPE=RESOURCE:mailto:beamer@example.com',
        "ATTENDEE;CN=Jane;CUTYPE=INDIVIDUAL:mailto:jane@example.com",
    )
    kinds = [(one.params.get("CUTYPE"), one.params.get("ROLE")) for one in values_of(event, "ATTENDEE")]
    assert kinds == [("ROOM", "NON-PARTICIPANT"), ("RESOURCE", "NON-PARTICIPANT"), ("INDIVIDUAL", None)]
    assert str(event["LOCATION"]) == "Room 7"


def test_delegates_and_members_are_public_and_unknown_words_go(router: Router) -> None:
    (attendee,) = values_of(
        published(
            router,
            'ATTENDEE;PARTSTAT=delegated;ROLE=BOSS;DELEGATED-TO="mailto:a@notes.example.com","mailto:b@notes.example.com"'
            ":mailto:john@notes.example.com",
        ),
        "ATTENDEE",
    )
    assert attendee.params["DELEGATED-TO"] == ["mailto:a@example.com", "mailto:b@example.com"]
    assert attendee.params["PARTSTAT"] == "DELEGATED"
    assert "ROLE" not in attendee.params
