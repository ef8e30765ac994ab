"""What the gateway last told one side of a meeting: kept between messages, so that a later one can be an update.

One side is one system, by its name: what Exchange was told of a meeting of Notes is another memory than what Notes was
told of a meeting of Exchange. The value is small, frozen and JSON-ready, with a format number.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import chain
from typing import Any

from shared.calendar.moments import Occurrence, instant
from shared.calendar.values import Moment

_FORMAT = 1
_LONGEST_KEY = 200
_MARK = "-causeway-"
_STAMP = "%Y%m%dT%H%M%SZ"


@dataclass(frozen=True, slots=True)
class Told:
    """One instance as it was last told.

    original: where the organizer's side first had it: its RECURRENCE-IDs name that. slot: where the rule has it that
    this side was told: what this side's RECURRENCE-IDs name. Both in UTC, or dates. is_apart: told as a single meeting
    with a UID of its own, `single_uid(series.uid, original)`, because the rule cannot hold it.
    """

    original: Moment
    slot: Moment
    occurrence: Occurrence
    is_apart: bool = False


@dataclass(frozen=True, slots=True)
class Series:
    """A meeting as one side was last told of it.

    organizer_side: name of the system where its organizer is. rule: the RRULE told, "" where there is none; zone: the
    key in tzdata of the zone it is told in. sequence: SEQUENCE as told to this side; source_sequence: as the
    organizer's side had it then. Without instances the meeting is cancelled.
    """

    uid: str
    organizer_side: str
    instances: tuple[Told, ...]
    rule: str = ""
    zone: str = "UTC"
    sequence: int = 0
    source_sequence: int = 0

    @property
    def occurrences(self) -> tuple[Occurrence, ...]:
        """When the meeting is, in the order told."""
        return tuple(one.occurrence for one in self.instances)

    @property
    def is_exploded(self) -> bool:
        """Whether nothing of it is told by a rule."""
        return bool(self.instances) and all(one.is_apart for one in self.instances)

    def find(self, slot: Moment) -> Told | None:
        """Return the instance that a RECURRENCE-ID names: by its first slot, else by its slot here, else by its start.

        Notes names an instance by where it first was, or by where the last change of all instances put it.
        """
        wanted = instant(slot)
        by_first = (one for one in self.instances if instant(one.original) == wanted)
        by_slot = (one for one in self.instances if instant(one.slot) == wanted)
        by_start = (one for one in self.instances if instant(one.occurrence.start) == wanted)
        return next(chain(by_first, by_slot, by_start), None)

    def expires_at(self, now: float, margin_seconds: float) -> float:
        """Return when it may be forgotten: a margin after the last occurrence, and after now."""
        ends = [instant(one.occurrence.end).timestamp() for one in self.instances]
        return max([now, *ends]) + margin_seconds

    def to_json(self) -> dict[str, Any]:
        """Return it JSON-ready; `from_json` restores an equal one."""
        return {
            "format": _FORMAT,
            "uid": self.uid,
            "organizer_side": self.organizer_side,
            "rule": self.rule,
            "zone": self.zone,
            "sequence": self.sequence,
            "source_sequence": self.source_sequence,
            "instances": [
                [
                    *map(_write, (told.original, told.slot, told.occurrence.start, told.occurrence.end)),
                    int(told.is_apart),
                ]
                for told in self.instances
            ],
        }

    @classmethod
    def from_json(cls, value: dict[str, Any] | None) -> Series | None:
        """Return what `to_json` wrote; None for nothing, and for a format of another release."""
        if not value or value.get("format") != _FORMAT:
            return None
        return cls(
            value["uid"],
            value["organizer_side"],
            tuple(_told(*told) for told in value["instances"]),
            value["rule"],
            value["zone"],
            value["sequence"],
            value["source_sequence"],
        )


def _told(original: int | str, slot: int | str, start: int | str, end: int | str, is_apart: int) -> Told:
    return Told(_read(original), _read(slot), Occurrence(_read(start), _read(end)), bool(is_apart))


def memory_key(side: str, uid: str) -> str:
    """Return the key under which is remembered what the system named `side` was told of a meeting."""
    name = uid if len(uid) <= _LONGEST_KEY else hashlib.sha256(uid.encode("utf-8", "replace")).hexdigest()
    return f"series:{side}:{name}"


def single_uid(uid: str, original: Moment) -> str:
    """Return the UID of the single meeting that stands for one instance of a series; `series_of` undoes it."""
    return f"{uid}{_MARK}{_stamp(original)}"


def series_of(uid: str) -> tuple[str, Moment] | None:
    """Return UID and slot of the instance that a single meeting stands for; None for any other UID."""
    series, mark, stamp = uid.rpartition(_MARK)
    if not mark or not series:
        return None
    try:
        return series, _from_stamp(stamp)
    except ValueError:
        return None


def _stamp(moment: Moment) -> str:
    return moment.strftime(_STAMP if isinstance(moment, datetime) else "%Y%m%d")


def _from_stamp(stamp: str) -> Moment:
    if "T" in stamp:
        return datetime.strptime(stamp, _STAMP).replace(tzinfo=UTC)
    return datetime.strptime(stamp, "%Y%m%d").replace(tzinfo=UTC).date()


def _write(moment: Moment) -> int | str:
    return int(moment.timestamp()) if isinstance(moment, datetime) else moment.isoformat()


def _read(value: int | str) -> Moment:
    return datetime.fromtimestamp(value, UTC) if isinstance(value, int) else date.fromisoformat(value)
