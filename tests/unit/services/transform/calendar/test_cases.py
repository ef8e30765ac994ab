"""Messages and sequences of messages that went wrong once, and what is right for each. See the names of the files."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.lives.receivers import expanded
from tests.support.meeting_gateway import Carried, MeetingGateway, sequence_of_files

CASES = Path(__file__).parents[4] / "cases"
CALENDAR, MEETINGS = CASES / "calendar", CASES / "meetings"
INTERNAL = re.compile(r"@(?:notes|exchange)\.example\.com|/Acme", re.IGNORECASE)


def carried(name: str) -> list[Carried]:
    """Carry a case through one gateway; nothing fails, and no internal address or name is left in a calendar."""
    folder, separator = (CALENDAR, ".") if name[0].isdigit() else (MEETINGS, "-")
    gateway = MeetingGateway()
    done = []
    for path in sequence_of_files(folder, name, separator):
        before = dict(gateway.memories)
        one = gateway.carry(path.read_bytes())
        assert not [report.failure for report in one.conversion.reports if report.failure]
        assert not [text for text in one.calendars if INTERNAL.search(text)]
        assert (gateway.memories != before) == bool(one.conversion.memories)
        done.append(one)
    return done


def lines(text: str, *names: str) -> list[str]:
    """Return the lines of an entry, not of its zones, that begin with one of the names."""
    entries = text[text.index("BEGIN:VEVENT") :]
    return [line for line in entries.splitlines() if line.startswith(names)]


@pytest.mark.parametrize(
    ("name", "number", "sequence"),
    [
        ("01-stale-invite-n2x", 2, 0),
        ("01-stale-after-cancel-n2x", 3, 0),
        ("01-stale-after-cancel-x2n", 2, 1),
        ("stale-request-notes", 2, 0),
        ("stale-after-cancel-notes", 2, 0),
        ("stale-after-cancel-exchange", 2, 0),
        ("stale-instance-exchange", 3, 1),
    ],
)
def test_what_is_out_of_date_keeps_its_sequence_and_changes_no_memory(name: str, number: int, sequence: int) -> None:
    done = carried(name)
    (late,) = done[number].calendars
    assert lines(late, "SEQUENCE") == [f"SEQUENCE:{sequence}"]
    written = [int(line[9:]) for text in done[number - 1].calendars for line in lines(text, "SEQUENCE")]
    assert sequence < max(written)
    assert not done[number].conversion.memories


@pytest.mark.parametrize(
    "name",
    [
        "02-second-copy-cancel-exploded",
        "02-second-copy-cancel-instance-rescheduled",
        "cancel-one-twice-notes",
        "cancel-rest-twice-notes",
    ],
)
def test_a_second_copy_says_the_same(name: str) -> None:
    done = carried(name)
    assert done[3].calendars == done[2].calendars
    assert not done[3].conversion.memories


def test_a_person_taken_out_leaves_the_names_of_instances() -> None:
    done = carried("03-one-removed-then-move")
    assert "METHOD:CANCEL" in done[2].calendars[0]
    assert not done[2].conversion.memories
    assert lines(done[3].calendars[0], "RECURRENCE-ID") == ["RECURRENCE-ID:20300115T100000Z"]


def test_a_migrated_organizers_meeting_is_of_the_side_where_they_are() -> None:
    assert lines(carried("04-migrated-organizer")[1].calendars[0], "RECURRENCE-ID") == [
        "RECURRENCE-ID:20300115T100000Z"
    ]


@pytest.mark.parametrize("name", ["join-rewrites-memory-notes", "invite-rewrites-memory"])
def test_who_joins_has_the_instances_of_the_others(name: str) -> None:
    done = carried(name)
    newcomer = dict.fromkeys(
        line for text in done[2].calendars for line in lines(text, "UID", "RECURRENCE-ID", "RRULE")
    )
    assert lines(done[0].calendars[0], "RRULE")[0] in newcomer
    named = lines(done[3].calendars[0], "UID", "RECURRENCE-ID")
    assert set(named) <= set(newcomer)


def test_an_answer_has_the_sequence_of_its_instance() -> None:
    assert lines(carried("answer-sequence-exchange")[2].calendars[0], "SEQUENCE") == ["SEQUENCE:1"]


def test_an_answer_to_a_single_meeting_names_the_instance_it_stands_for() -> None:
    text = carried("answer-to-apart-notes")[3].calendars[0]
    assert lines(text, "RECURRENCE-ID") == ["RECURRENCE-ID;VALUE=DATE:20270112"]


STARTS = {
    "05-tzid-tzone-custom-x2n": "DTSTART;TZID=W. Europe:20300107T090000",
    "05-tzid-tzone-n2x": "DTSTART;TZID=W. Europe Standard Time:20300107T090000",
    "05-tzid-tzone-utc-x2n": "DTSTART:20300107T090000Z",
    "06-tzid-unknown-no-vtimezone-n2x": "DTSTART;TZID=W. Europe Standard Time:20300107T090000",
    "06-tzid-unknown-no-vtimezone-x2n": "DTSTART;TZID=SA Pacific:20300107T090000",
    "07-floating-n2x": "DTSTART:20300107T090000",
    "07-floating-midnight-n2x": "DTSTART;VALUE=DATE:20300107",
    "11-allday-midnights-x2n": "DTSTART;VALUE=DATE:20300107",
    "11-allday-apptype2-n2x": "DTSTART;VALUE=DATE:20300107",
}


@pytest.mark.parametrize("name", STARTS)
def test_times_keep_their_zone_or_their_lack_of_one(name: str) -> None:
    text = carried(name)[0].calendars[0]
    assert lines(text, "DTSTART")[0] == STARTS[name]
    if "DATE" in STARTS[name]:
        assert lines(text, "DTEND")[0] == "DTEND;VALUE=DATE:20300108"


LINES = {
    "09-utf8-split-by-fold-x2n": "SUMMARY:Besprechung über Änderungen",
    "10-backslash-n-categories-n2x": "CATEGORIES:Projects\\\\North,Holiday",
    "10-backslash-n-tnef": "DESCRIPTION:See \\\\\\\\files\\\\Notes\\\\New and C:\\\\Notes\\\\notes.ini",
    "13-tnef-exception-body": "DESCRIPTION:Bring the figures to this one.",
    "15-cn-semicolon-n2x": 'ATTENDEE;CN="Roe; Jane";ROLE=OPT-PARTICIPANT;RSVP=TRUE:mailto:jane@example.com',
    "16-rrule-blanks-n2x": "RRULE:FREQ=WEEKLY;COUNT=4;BYDAY=MO,WE",
    "notes-trailing-exdate": "EXDATE:20270106T090000Z",
    "exchange-quote-escape": 'DESCRIPTION:He said "no".',
    "12-reply-delegated-n2x": "COMMENT:Delegated to bob@example.com",
}


@pytest.mark.parametrize("name", LINES)
def test_what_is_written_is_what_was_meant(name: str) -> None:
    assert LINES[name] in carried(name)[0].calendars[0].splitlines()


def test_a_person_invited_under_two_addresses_is_invited_once() -> None:
    people = lines(carried("14-duplicate-attendees-n2x")[0].calendars[0], "ATTENDEE")
    assert [one.rpartition(":")[2].lower() for one in people] == ["john@example.com", "jane@example.com"]


def test_an_answer_that_delegates_has_one_attendee_in_words_that_exchange_knows() -> None:
    (one,) = lines(carried("12-reply-delegated-n2x")[0].calendars[0], "ATTENDEE")
    assert "PARTSTAT=TENTATIVE" in one


def test_a_proposal_says_which_time_it_would_replace() -> None:
    text = carried("12-counter-n2x")[1].calendars[0]
    zone = "TZID=W. Europe Standard Time"
    assert lines(text, "DTSTART", "X-MS-OLK") == [
        f"DTSTART;{zone}:20300107T130000",
        f"X-MS-OLK-ORIGINALEND;{zone}:20300107T100000",
        f"X-MS-OLK-ORIGINALSTART;{zone}:20300107T090000",
    ]


DAYS = {
    "08-allday-timed-recurrence-id-x2n": ["2030-01-07", "2030-01-15", "2030-01-21"],
    "08-timed-date-recurrence-id-n2x": ["2030-01-07", "2030-01-15", "2030-01-21"],
    "exchange-day-series-one-moved": ["2027-01-05", "2027-01-13", "2027-01-19", "2027-01-26"],
    "exchange-yearly-1mo": ["2027-01-04", "2028-01-03", "2029-01-01"],
    "notes-yearly-1mo": ["2027-01-04", "2028-01-03", "2029-01-01"],
    "exchange-yearly-20mo": ["2027-05-17", "2028-05-15", "2029-05-14"],
    "exchange-yearly-weekno": ["2027-05-17", "2028-05-15", "2029-05-14"],
    "exchange-same-slot-twice": ["2027-01-04", "2027-01-05", "2027-01-06"],
    "notes-trailing-exdate": ["2027-01-04", "2027-01-05"],
}


@pytest.mark.parametrize("name", DAYS)
def test_the_days_are_those_that_the_rules_make(name: str) -> None:
    text = carried(name)[0].calendars[0]
    assert sorted(start[:10] for start, _ in expanded(text, 2031).values()) == DAYS[name]


def test_of_two_overrides_of_one_slot_the_higher_sequence_counts() -> None:
    spans = expanded(carried("exchange-same-slot-twice")[0].calendars[0], 2031).values()
    assert "2027-01-05T14:00:00+00:00" in [start for start, _ in spans]


def test_the_last_day_of_each_month_is_every_month() -> None:
    text = carried("notes-yearly-last-day")[0].calendars[0]
    starts = sorted(start[:10] for start, _ in expanded(text, 2031, 2024).values())
    assert starts == ["2024-02-29", "2024-03-31", "2024-04-30", "2024-05-31", "2024-06-30", "2024-07-31", "2024-08-31"]


def test_a_cancelled_day_is_named_by_its_local_day() -> None:
    text = carried("08-allday-timed-cancel-x2n")[1].calendars[0]
    assert lines(text, "RECURRENCE-ID") == ["RECURRENCE-ID;VALUE=DATE:20300114"]


def test_a_series_with_nothing_left_is_a_cancellation() -> None:
    assert "METHOD:CANCEL" in carried("notes-nothing-left")[0].calendars[0]


@pytest.mark.parametrize(
    "name", ["notes-weekdays-eight-years", "notes-weekdays-weekly-eight-years", "notes-daily-2000-one-moved-off"]
)
def test_a_long_series_is_whole(name: str) -> None:
    before = re.search(r"BEGIN:VCALENDAR.*END:VCALENDAR", (MEETINGS / f"{name}.eml").read_text(), re.DOTALL)
    assert before
    after = carried(name)[0].calendars[0]
    wanted = expanded(before[0].replace("\r\n ", "").replace("\n ", ""), 2040)
    assert sorted(expanded(after, 2040).values()) == sorted(wanted.values())
