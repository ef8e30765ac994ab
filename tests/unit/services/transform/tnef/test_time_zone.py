"""Time zones of Outlook against the zones that the rest of the world has."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.transform.tnef.time_zone import Zone, fixed, read_definition, read_rule
from tests.support.tnef import BERLIN, NEW_YORK, SYDNEY, Rule, zone_definition, zone_rule

# MS-OXOCAL section 4.1.4: Pacific time, a rule for 2006 and the effective one from 2007.
PACIFIC = bytes.fromhex(
    "0201300002001500500061006300690066006900630020005300740061006E0064006100720064002000540069006D006500020002013E00"
    "0000D6070000000000000000000000000000E001000000000000C4FFFFFF00000A0000000500020000000000000000000400000001000200"
    "00000000000002013E000200D7070000000000000000000000000000E001000000000000C4FFFFFF00000B00000001000200000000000000"
    "00000300000002000200000000000000"
)
ZONES = {"Europe/Berlin": BERLIN, "America/New_York": NEW_YORK, "Australia/Sydney": SYDNEY}
MOMENTS = st.datetimes(datetime(2010, 1, 2), datetime(2037, 12, 30), timezones=st.just(UTC))


def zone(rule: Rule) -> Zone:
    found = read_definition(zone_definition("A Standard Time", rule), 2024)
    assert found
    return found


def test_the_definition_of_the_specification() -> None:
    pacific = read_definition(PACIFIC, 2007)
    assert pacific
    assert pacific.name == "Pacific Standard Time"
    assert (pacific.standard, pacific.daylight) == (timedelta(hours=-8), timedelta(hours=-7))
    assert pacific.component().to_ical().decode().split("\r\n")[2:8] == [
        "BEGIN:STANDARD",
        "DTSTART:16010101T020000",
        "RRULE:FREQ=YEARLY;INTERVAL=1;BYDAY=1SU;BYMONTH=11",
        "TZOFFSETFROM:-0700",
        "TZOFFSETTO:-0800",
        "END:STANDARD",
    ]


@given(moment=MOMENTS, name=st.sampled_from(sorted(ZONES)))
def test_clocks_agree_with_the_zone_database(moment: datetime, name: str) -> None:
    there = moment.astimezone(ZoneInfo(name)).replace(tzinfo=None)
    assert zone(ZONES[name]).to_local(moment) == there


@given(moment=MOMENTS, name=st.sampled_from(sorted(ZONES)))
def test_a_local_time_is_the_first_moment_when_clocks_show_it(moment: datetime, name: str) -> None:
    one = zone(ZONES[name])
    again = one.to_utc(one.to_local(moment))
    assert one.to_local(again) == one.to_local(moment)
    assert moment - again in (timedelta(), timedelta(hours=1))


def test_the_bare_rule_reads_like_the_definition() -> None:
    bare = read_rule(zone_rule(BERLIN), "(UTC+01:00) Berlin")
    assert bare
    assert (bare.to_standard, bare.to_daylight) == (zone(BERLIN).to_standard, zone(BERLIN).to_daylight)
    assert read_rule(zone_rule(BERLIN), "") is None


def test_a_zone_without_summer_time_has_one_offset() -> None:
    tokyo = zone(Rule(-540))
    assert tokyo.to_local(datetime(2024, 7, 1, tzinfo=UTC)) == datetime(2024, 7, 1, 9)
    assert b"DAYLIGHT" not in tokyo.component().to_ical()
    assert fixed(timedelta()).name == "UTC"
    assert fixed(timedelta(hours=-3)).name == "UTC-03:00"


def test_where_no_rule_is_effective_the_years_decides() -> None:
    early, late = Rule(300, year=2000, effective=False), Rule(240, year=2010, effective=False)
    octets = zone_definition("A", early, late)
    assert [found and found.standard for found in (read_definition(octets, 2005), read_definition(octets, 2020))] == [
        timedelta(hours=-5),
        timedelta(hours=-4),
    ]


@pytest.mark.parametrize("octets", [b"", PACIFIC[:50], b"\x03" + PACIFIC[1:], zone_definition("A", Rule(100_000))])
def test_what_cannot_be_read_is_no_zone(octets: bytes) -> None:
    assert read_definition(octets, 2024) is None


@given(st.binary(max_size=200), st.integers(0, 190), st.binary(max_size=20))
def test_any_octets_are_a_zone_or_none(octets: bytes, at: int, noise: bytes) -> None:
    for candidate in (octets, PACIFIC[:at] + noise + PACIFIC[at + len(noise) :]):
        for found in (read_definition(candidate, 2024), read_rule(candidate, "A")):
            if found:
                moment = datetime(2024, 6, 1, tzinfo=UTC)
                assert found.to_local(found.to_utc(found.to_local(moment))) == found.to_local(moment)
                found.component().to_ical()
