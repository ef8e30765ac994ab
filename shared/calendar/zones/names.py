"""Every name by which a message may call a time zone, and the IANA name for it.

Names of Windows come from CLDR (by way of tzlocal). A name of Notes is in most cases a Windows name without its
` Standard Time`; the others stand here. Windows labels, with or without `(UTC+02:00)`, stand in `zones.tsv`: one
Windows name and one label a line, of Windows, Exchange and the Notes preferences of many releases.
"""

from __future__ import annotations

import re
from datetime import timedelta
from functools import cache
from importlib.resources import files
from zoneinfo import available_timezones

from tzlocal.windows_tz import tz_win, win_tz

STANDARD = " Standard Time"
NOTES_ONLY = {
    "GMT": "Europe/London",
    "Western/Central Europe": "Europe/Berlin",
    "Armenian": "Asia/Yerevan",
    "Kamchatka": "Asia/Kamchatka",
    "Mexico": "America/Mexico_City",
    "Mexico Standard Time 2": "America/Chihuahua",
    "Mid-Atlantic": "Etc/GMT+2",
}
"""Notes' own names that are no Windows name without its ending, or another zone than IANA's of that name."""

# Names of Windows that Notes' own list lacks, to which zones.tsv was no guide: it came with later releases of Windows.
_NOTES_LACKS = frozenset(
    {
        *("Aleutian", "Altai", "Astrakhan", "Aus Central W.", "Bahia", "Belarus", "Bougainville", "Chatham Islands"),
        *("Cuba", "Easter Island", "Eastern Standard Time (Mexico)", "Haiti", "Kaliningrad", "Libya", "Line Islands"),
        *("Lord Howe", "Magadan", "Magallanes", "Marquesas", "Norfolk", "North Korea", "Omsk", "Qyzylorda"),
        *("Russia Time Zone 3", "Russia Time Zone 10", "Russia Time Zone 11", "Saint Pierre", "Sakhalin", "Sao Tome"),
        *("Saratov", "South Sudan", "Sudan", "Tocantins", "Tomsk", "Transbaikal", "Turkey", "Turks And Caicos"),
        *("UTC+13", "UTC-08", "UTC-09", "Volgograd", "W. Mongolia", "West Bank", "Yukon"),
    }
)

_OFFSET = re.compile(r"\(?(?:utc|gmt)?\s*(?:[+-]\s*\d{1,2}[:.]?\d{2})?\)?\s+")
_NOTE = re.compile(r"\s*(?:\(rtz \d+\)|- (?:old|new))$")
_SEPARATOR = re.compile(r"[,;/]")
_BLANKS = re.compile(r"\s+")


_ENGLISH = {
    **dict.fromkeys(("Central European", "Central Europe", "Middle European", "CEST", "MEZ", "MESZ"), "Europe/Berlin"),
    **dict.fromkeys(("Eastern European", "EEST"), "Europe/Kiev"),
    **dict.fromkeys(("Western European", "WEST"), "Europe/Lisbon"),
    **dict.fromkeys(("Greenwich Mean", "British", "BST"), "Europe/London"),
    **dict.fromkeys(("Coordinated Universal", "Universal", "Zulu"), "UTC"),
    **dict.fromkeys(("Japan", "JST"), "Asia/Tokyo"),
    **dict.fromkeys(("EDT", "US Eastern"), "America/New_York"),
    **dict.fromkeys(("CDT", "US Central"), "America/Chicago"),
    **dict.fromkeys(("MDT", "US Mountain"), "America/Denver"),
    **dict.fromkeys(("PST", "PDT", "US Pacific"), "America/Los_Angeles"),
}
"""What people call zones in English, with or without `Time`, `Standard Time` or `Summer Time`."""

_TIME = re.compile(r" (?:standard |summer |daylight )?time$")
_NAMED_OFFSET = re.compile(
    r"\(?(?:utc|gmt)?\s*(?P<sign>[+-])\s*(?P<hours>\d{1,2}?)(?::?(?P<minutes>\d\d))?\)?(?:\s.*)?"
)
_MAX_HOURS = 14


def offset_named(name: str) -> timedelta | None:
    """Return the offset, east of UTC, that stands in a name: `GMT-0500`, `UTC+05:30`, `(UTC+01:00) Anywhere`."""
    found = _NAMED_OFFSET.fullmatch(plain(name[:200]))
    if not found or int(found["hours"]) > _MAX_HOURS:
        return None
    offset = timedelta(hours=int(found["hours"]), minutes=int(found["minutes"] or 0))
    return -offset if found["sign"] == "-" else offset


def plain(name: str) -> str:
    """Return a name as it is compared: no quotes, no escapes, single blanks, case folded."""
    return _BLANKS.sub(" ", name.replace("\\", "").strip().strip("\"'")).strip().casefold()


def iana_name(name: str) -> str | None:
    """Return the IANA name for a name of Notes, Windows or IANA, or for a label of either; None for an unknown one."""
    return _of_plain(plain(name[:200]))


def windows_names() -> tuple[str, ...]:
    """Return the names that Windows has known for long, those of the most people first."""
    return _windows_names()


def notes_names() -> dict[str, str]:
    """Return the names that Notes knows, and the IANA name of each."""
    return _notes_names()


def windows_name_of(iana: str) -> str | None:
    """Return the Windows name for an IANA name."""
    return tz_win.get(iana)


def _of_plain(name: str) -> str | None:
    known = _names()
    if found := known.get(name):
        return found
    if name.endswith(" daylight time"):
        return known.get(name.removesuffix(" daylight time") + STANDARD.casefold())
    if found := _english().get(_TIME.sub("", name)):
        return found
    for at, sign in enumerate(name):  # `/mozilla.org/20050126_1/Europe/Berlin`
        if sign == "/" and (found := _iana().get(name[at + 1 :])):
            return found
    return _of_label(name)


def _of_label(name: str) -> str | None:
    label = _NOTE.sub("", _OFFSET.sub("", name + " ", count=1).strip() if name[:1] in "(gu" else name)
    if found := _labels().get(_cities(label)):
        return win_tz[found]
    for city in _cities(label):
        if found := _iana_cities().get(city):
            return found
    return None


def _cities(label: str) -> tuple[str, ...]:
    return tuple(city.strip() for city in _SEPARATOR.split(label))


@cache
def _english() -> dict[str, str]:
    return {name.casefold(): iana for name, iana in _ENGLISH.items()}


@cache
def _iana() -> dict[str, str]:
    return {name.casefold(): name for name in sorted(available_timezones()) if name not in {"localtime", "Factory"}}


@cache
def _iana_cities() -> dict[str, str]:
    return {
        name.rpartition("/")[2].replace("_", " ").casefold(): name
        for name in sorted(tz_win)
        if "/" in name and not name.startswith("Etc/")
    }


@cache
def _labels() -> dict[tuple[str, ...], str]:
    return {_cities(plain(label)): windows for windows, label in _table()}


@cache
def _table() -> tuple[tuple[str, str], ...]:
    lines = files(__package__).joinpath("zones.tsv").read_text("utf-8").splitlines()
    return tuple((windows, label) for windows, _, label in (line.partition("\t") for line in lines))


@cache
def _names() -> dict[str, str]:
    names = dict(_iana())
    for windows, iana in win_tz.items():
        names[windows.casefold()] = iana
        names.setdefault(windows.removesuffix(STANDARD).casefold(), iana)
    for name, iana in NOTES_ONLY.items():
        names[name.casefold()] = iana
        names.setdefault(f"{name}{STANDARD}".casefold(), iana)
    return names


_MOST_PEOPLE = (
    *("UTC", "GMT Standard Time", "W. Europe Standard Time", "FLE Standard Time", "Eastern Standard Time"),
    *("Central Standard Time", "Mountain Standard Time", "Pacific Standard Time", "China Standard Time"),
    *("Tokyo Standard Time", "India Standard Time", "AUS Eastern Standard Time", "Arab Standard Time"),
    *("E. South America Standard Time", "Arabian Standard Time"),
)


@cache
def _windows_names() -> tuple[str, ...]:
    return tuple(dict.fromkeys([*_MOST_PEOPLE, *sorted({windows for windows, _ in _table()})]))


@cache
def _notes_names() -> dict[str, str]:
    stems = {windows.removesuffix(STANDARD): win_tz[windows] for windows in _windows_names()}
    return {name: iana for name, iana in (stems | NOTES_ONLY).items() if name not in _NOTES_LACKS}
