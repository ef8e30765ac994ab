"""Time zones by every name and by their rules, right for the dates in use."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from icalendar import Timezone
from tzlocal.windows_tz import win_tz

from shared.calendar.ical import read_calendars
from shared.calendar.zones.find import Switch, ZoneRules, from_rules, notes_name, windows_name, zone_of, zones_of
from shared.calendar.zones.names import iana_name, notes_names, windows_names
from shared.calendar.zones.write import notes_timezone, windows_timezone

REAL = sorted(name for name in available_timezones() if name not in {"localtime", "Factory"} and "posix" not in name)
SUMMER, WINTER = datetime(2026, 7, 15, 12), datetime(2026, 1, 15, 12)


def vtimezone(text: str) -> Any:
    return Timezone.from_ical(
        "BEGIN:VTIMEZONE\r\n" + "".join(f"{line.strip()}\r\n" for line in text.split()) + "END:VTIMEZONE\r\n"
    )


OLD_US = """BEGIN:STANDARD DTSTART:19501029T020000 TZOFFSETFROM:-0400 TZOFFSETTO:-0500
    RRULE:FREQ=YEARLY;BYMINUTE=0;BYHOUR=2;BYDAY=-1SU;BYMONTH=10 END:STANDARD
    BEGIN:DAYLIGHT DTSTART:19500402T020000 TZOFFSETFROM:-0500 TZOFFSETTO:-0400
    RRULE:FREQ=YEARLY;BYMINUTE=0;BYHOUR=2;BYDAY=1SU;BYMONTH=4 END:DAYLIGHT"""
EUROPE = """BEGIN:STANDARD DTSTART:16011028T030000 TZOFFSETFROM:+0200 TZOFFSETTO:+0100
    RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10 END:STANDARD
    BEGIN:DAYLIGHT DTSTART:16010325T020000 TZOFFSETFROM:+0100 TZOFFSETTO:+0200
    RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=3 END:DAYLIGHT"""


def key_of(zone: ZoneInfo | None) -> str | None:
    return zone.key if zone else None


@pytest.mark.parametrize(
    ("name", "iana"),
    [
        ("Eastern", "America/New_York"),
        ("Pacific", "America/Los_Angeles"),
        ("GMT", "Europe/London"),
        ("Western/Central Europe", "Europe/Berlin"),
        ("W. Europe", "Europe/Berlin"),
        ("Pacific Standard Time (Mexico)", "America/Tijuana"),
        ("W. Europe Standard Time", "Europe/Berlin"),
        ("Pacific Daylight Time", "America/Los_Angeles"),
        ("europe/paris", "Europe/Paris"),
        ('"Eastern"', "America/New_York"),
        ('"(UTC+02:00) Athens, Bucharest, Istanbul"', "Europe/Bucharest"),
        (r"(UTC+02:00) Athens\, Bucharest\, Istanbul", "Europe/Bucharest"),
        ("(GMT+01:00) Amsterdam, Berlin, Bern, Rome, Stockholm, Vienna", "Europe/Berlin"),
        ("(GMT+01.00) Amsterdam / Berlin / Bern / Rome / Stockholm / Vienna", "Europe/Berlin"),
        ("Belgrade, Bratislava, Budapest, Ljubljana, Prague", "Europe/Budapest"),
        ("(UTC+03:00) Moscow, St. Petersburg, Volgograd (RTZ 2)", "Europe/Moscow"),
        ("(GMT) Greenwich Mean Time : Dublin, Edinburgh, Lisbon, London", "Europe/London"),
        ("(UTC) Coordinated Universal Time", "Etc/UTC"),
        ("(UTC+01:00) Madrid, Barcelona", "Europe/Madrid"),
        ("/mozilla.org/20050126_1/Europe/Berlin", "Europe/Berlin"),
        ("Z=6$DO=1$DL=3 2 1 11 1 1$ZX=23$ZN=Central", "America/Chicago"),
        ("Z=-1$DO=1$DL=3 -1 1 10 -1 1$ZX=70$ZN=W. Europe", "Europe/Berlin"),
        ("Z=5$DO=1$DL=3 2 1 11 1 1$ZX=9", "America/New_York"),
        ("Z=-3005$DO=0$ZX=170", "Asia/Calcutta"),
        ("Z=3003$DO=1$DL=3 2 1 11 1 1$ZX=190$ZN=St. John's", "America/St_Johns"),
    ],
)
def test_every_kind_of_name_is_known(name: str, iana: str) -> None:
    assert key_of(zone_of(name, dates=[SUMMER])) == iana


@pytest.mark.parametrize(
    "name", ["", "nope", "(UTC+25:99) Nowhere", "Z=", "Z=x$DO=1", "Z=5$DO=1$DL=3 2", '"', "(", "/"]
)
def test_what_is_no_name_is_no_crash(name: str) -> None:
    zone = zone_of(name)
    assert zone is None or zone.key in {"America/New_York", "America/Bogota"}


def test_every_name_that_notes_or_windows_knows_leads_to_a_zone() -> None:
    for name in [*notes_names(), *windows_names()]:
        assert iana_name(name), name
        assert iana_name(f'"{name}"') == iana_name(name)


@settings(deadline=None)
@given(st.text(max_size=300))
def test_any_text_is_a_name_or_none(name: str) -> None:
    zone = zone_of(name)
    assert zone is None or zone.utcoffset(SUMMER) is not None


def test_a_known_name_goes_before_ancient_rules() -> None:
    """Notes 6 writes the US rules from before 2007: in March 2008 it is summer all the same."""
    zone = zone_of("Eastern", vtimezone(OLD_US), [date(2008, 3, 20)])
    assert zone
    assert zone.utcoffset(datetime(2008, 3, 20, 12)) == timedelta(hours=-4)


def test_rules_far_from_what_the_name_says_go_before_it() -> None:
    """Samoa was east of the date line when Notes named it."""
    rules = vtimezone("BEGIN:STANDARD DTSTART:19500101T000000 TZOFFSETFROM:-1100 TZOFFSETTO:-1100 END:STANDARD")
    zone = zone_of("Samoa", rules, [date(2013, 5, 1)])
    assert zone
    assert zone.utcoffset(datetime(2013, 5, 1)) == timedelta(hours=-11)


def test_gmt_without_summer_time_is_not_london() -> None:
    rules = vtimezone("BEGIN:STANDARD DTSTART:16010101T000000 TZOFFSETFROM:+0000 TZOFFSETTO:+0000 END:STANDARD")
    zone = zone_of("GMT", rules, [SUMMER])
    assert zone
    assert zone.utcoffset(SUMMER) == timedelta()


def test_an_unknown_name_is_matched_by_its_rules() -> None:
    assert key_of(zone_of("Customized Time Zone", vtimezone(EUROPE), [SUMMER])) == "Europe/Berlin"


def test_an_unknown_name_is_matched_by_rules_of_earlier_years() -> None:
    assert key_of(zone_of("Head office", vtimezone(OLD_US), [date(2012, 3, 20)])) == "America/New_York"


def test_rules_that_nobody_has_make_a_zone_of_their_own() -> None:
    rules = vtimezone(
        """BEGIN:STANDARD DTSTART:16011004T020000 TZOFFSETFROM:+0150 TZOFFSETTO:+0050
        RRULE:FREQ=YEARLY;BYDAY=1SU;BYMONTH=10 END:STANDARD
        BEGIN:DAYLIGHT DTSTART:16010503T020000 TZOFFSETFROM:+0050 TZOFFSETTO:+0150
        RRULE:FREQ=YEARLY;BYDAY=SU;BYMONTHDAY=1,2,3,4,5,6,7;BYMONTH=5 END:DAYLIGHT"""
    )
    zone = zone_of("Ours", rules, [SUMMER])
    assert zone
    assert zone.key == "Ours"
    assert zone.utcoffset(SUMMER) == timedelta(hours=1, minutes=50)
    assert zone.utcoffset(WINTER) == timedelta(minutes=50)
    assert zone.utcoffset(datetime(2026, 5, 3, 1)) == timedelta(minutes=50)
    assert zone.utcoffset(datetime(2026, 5, 3, 4)) == timedelta(hours=1, minutes=50)


@pytest.mark.parametrize(
    "damage",
    [
        "",
        "BEGIN:STANDARD END:STANDARD",
        "BEGIN:STANDARD DTSTART:20070101T000000 TZOFFSETFROM:+9900 TZOFFSETTO:+9900 END:STANDARD",
        "BEGIN:STANDARD DTSTART:20070101 TZOFFSETFROM:+0100 TZOFFSETTO:+0100 END:STANDARD",
        "BEGIN:STANDARD DTSTART:20070101T000000 TZOFFSETFROM:+0100 TZOFFSETTO:+0100 RRULE:FREQ=SECONDLY END:STANDARD",
        "BEGIN:STANDARD DTSTART:20070101T000000 TZOFFSETFROM:+0100 TZOFFSETTO:+0100"
        " RRULE:FREQ=YEARLY;BYMONTH=13;BYDAY=9SU END:STANDARD",
        "BEGIN:STANDARD DTSTART:20070101T000000 TZOFFSETFROM:+0100 TZOFFSETTO:+0100"
        " RRULE:FREQ=YEARLY;BYMONTHDAY=31;BYMONTH=2 END:STANDARD",
        "BEGIN:STANDARD DTSTART:99991231T235959 TZOFFSETFROM:-1100 TZOFFSETTO:+0100 END:STANDARD",
        "BEGIN:STANDARD DTSTART:00010101T000000 TZOFFSETFROM:+1100 TZOFFSETTO:+0100 END:STANDARD",
    ],
)
def test_damaged_rules_leave_the_name(damage: str) -> None:
    (calendar,) = read_calendars(
        "BEGIN:VCALENDAR\r\nBEGIN:VTIMEZONE\r\nTZID:Eastern\r\n"
        + "".join(f"{line}\r\n" for line in damage.split())
        + "END:VTIMEZONE\r\nEND:VCALENDAR\r\n"
    )
    assert zones_of(calendar, [SUMMER])["eastern"].utcoffset(SUMMER) is not None


def test_rules_of_mapi_are_a_zone() -> None:
    pacific = ZoneRules(480, 0, -60, standard=Switch(11, 1, 0, 2), daylight=Switch(3, 2, 0, 2))
    assert key_of(from_rules("", [pacific], [SUMMER])) == "America/Los_Angeles"
    assert key_of(from_rules("W. Europe Standard Time", [ZoneRules(-60)], [SUMMER])) == "Europe/Berlin"
    sydney = ZoneRules(-600, 0, -60, standard=Switch(4, 1, 0, 3), daylight=Switch(10, 1, 0, 2))
    assert key_of(from_rules("", [sydney], [SUMMER])) == "Australia/Sydney"
    with pytest.raises(ValueError, match="without rules"):
        from_rules("", [], [SUMMER])


def test_rules_of_mapi_that_change_hold_each_in_its_years() -> None:
    before = ZoneRules(300, 0, -60, standard=Switch(10, 5, 0, 2), daylight=Switch(4, 1, 0, 2), first_year=1987)
    since = ZoneRules(300, 0, -60, standard=Switch(11, 1, 0, 2), daylight=Switch(3, 2, 0, 2), first_year=2007)
    zone = from_rules("Ours", [since, before], [date(2005, 1, 1), date(2009, 1, 1)])
    assert zone.key == "America/New_York"


numbers = st.one_of(st.integers(0, 70), st.integers(-(2**31), 2**31 - 1))
switches = st.none() | st.builds(Switch, numbers, numbers, numbers, numbers, numbers, numbers)


@settings(deadline=None)
@given(st.text(max_size=9), st.lists(st.builds(ZoneRules, *[numbers] * 3, switches, switches, numbers), max_size=3))
def test_any_rules_of_mapi_are_a_zone_or_make_no_sense(name: str, rules: list[ZoneRules]) -> None:
    try:
        zone = from_rules(name, rules, [SUMMER])
    except ValueError:
        return
    assert zone.utcoffset(SUMMER) is not None


@settings(deadline=None)
@given(numbers, st.lists(numbers, max_size=7), st.sampled_from(["", "Central", "nope"]))
def test_any_notes_string_is_a_zone_or_none(west: int, changes: list[int], name: str) -> None:
    zone = zone_of(f"Z={west}$DO=1$DL={' '.join(map(str, changes))}$ZN={name}")
    assert zone is None or zone.utcoffset(SUMMER) is not None


@pytest.mark.parametrize(("iana", "notes"), [("Europe/Istanbul", "Arab"), ("Europe/Berlin", "W. Europe")])
def test_zones_that_notes_lacks_go_by_one_with_the_same_offsets(iana: str, notes: str) -> None:
    assert ZoneInfo(win_tz[f"{notes} Standard Time"]).utcoffset(SUMMER) == ZoneInfo(iana).utcoffset(SUMMER)
    assert notes_name(ZoneInfo(iana), [SUMMER]) == notes


moments = st.datetimes(datetime(1990, 1, 1), datetime(2037, 12, 31)).map(lambda one: one.replace(microsecond=0))


@settings(deadline=None, max_examples=150)
@given(st.sampled_from(REAL), st.lists(moments, min_size=1, max_size=3), st.booleans())
def test_every_local_time_is_the_same_instant_after_the_way_there(
    iana: str, locals: list[datetime], to_notes: bool
) -> None:
    """Zone → VTIMEZONE of the other side → read by ours, and by a reader that knows no name: the same UTC."""
    zone = ZoneInfo(iana)
    write = notes_timezone if to_notes else windows_timezone
    component = write(zone, locals)
    written = Timezone.from_ical(component.to_ical())
    again = zone_of(str(written["TZID"]), written, locals)
    without_name = zone_of("no such name", written, locals)
    assert again
    assert without_name
    for local in locals:
        instant = local.replace(tzinfo=zone).astimezone(UTC)
        if instant.astimezone(zone).replace(tzinfo=None) != local:
            continue  # in the gap of spring there is no such local time
        assert local.replace(tzinfo=again).astimezone(UTC) == instant
        assert local.replace(tzinfo=without_name).astimezone(UTC) == instant


@settings(deadline=None, max_examples=60)
@given(st.sampled_from(REAL), moments, st.booleans())
def test_other_readers_of_a_written_zone_get_the_same_instant(iana: str, local: datetime, to_notes: bool) -> None:
    """The reader is python-dateutil's."""
    zone = ZoneInfo(iana)
    instant = local.replace(tzinfo=zone).astimezone(UTC)
    if instant.astimezone(zone).replace(tzinfo=None) != local or local.replace(fold=1, tzinfo=zone) != local.replace(
        tzinfo=zone
    ):
        return
    if zone.utcoffset(local) != zone.utcoffset(local.replace(fold=1)):
        return
    component = (notes_timezone if to_notes else windows_timezone)(zone, [local])
    other = component.to_tz(lookup_tzid=False)
    assert local.replace(tzinfo=other).utcoffset() == zone.utcoffset(local)


def test_the_windows_name_has_the_offsets_of_the_zone_in_the_years_in_use() -> None:
    for iana in REAL:
        zone = ZoneInfo(iana)
        for year in (2008, 2026):
            name = windows_name(zone, [date(year, 1, 1)])
            if name in win_tz:
                for month in range(1, 13):
                    local = datetime(year, month, 20, 12)
                    assert ZoneInfo(win_tz[name]).utcoffset(local) == zone.utcoffset(local), (iana, name, local)


def test_outlook_gets_its_own_name_and_rules_from_1601() -> None:
    text = windows_timezone(ZoneInfo("America/New_York"), [SUMMER]).to_ical().decode()
    assert "TZID:Eastern Standard Time\r\n" in text
    assert "DTSTART:16010311T020000\r\nRRULE:FREQ=YEARLY;BYDAY=2SU;BYMONTH=3\r\n" in text


def test_notes_gets_its_own_name_and_form() -> None:
    text = notes_timezone(ZoneInfo("America/New_York"), [date(2005, 4, 11)]).to_ical().decode()
    assert "TZID:Eastern\r\n" in text
    assert "DTSTART:19501029T020000\r\nRRULE:FREQ=YEARLY;BYMINUTE=0;BYHOUR=2;BYDAY=-1SU;BYMONTH=10\r\n" in text
