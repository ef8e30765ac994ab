"""What the gateway remembers of a meeting between messages: the organizer's statements, and what one side was sent.

Kept under UID, organizer and side: another organizer's meeting of the same UID is another meeting. The value is frozen,
small and JSON-ready, with a format number. Format 1 (kept by UID alone, and without statements) is read where no newer
memory is: what it says becomes the first statement.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import groupby
from operator import sub
from typing import Any

from services.transform.calendar.life import Life, Statement
from services.transform.calendar.sent import Replaced, SentInstance, SentMeeting
from shared.calendar.moments import Occurrence
from shared.calendar.values import Moment
from shared.spool.memory import Memory, Remember

FORMAT = 2
_OLD_FORMAT = 1
_LONGEST_OLD_KEY = 200
_SECONDS_A_DAY = 86_400
_EPOCH_DAY = date(1970, 1, 1).toordinal()

Recall = Callable[[str], Memory]


@dataclass(frozen=True, slots=True)
class MeetingMemory:
    """What is remembered. people: digests of the addresses that are invited; empty where nobody knows."""

    life: Life = field(default_factory=Life)
    sent: SentMeeting | None = None
    people: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return it JSON-ready; `from_json` restores an equal one."""
        return {
            "format": FORMAT,
            "keeps_names": self.life.keeps_names,
            "statements": [_from_statement(statement) for statement in self.life.statements],
            "sent": _from_sent(self.sent) if self.sent else None,
            "people": list(self.people),
        }

    @classmethod
    def from_json(cls, value: dict[str, Any] | None) -> MeetingMemory | None:
        """Return what `to_json` wrote; None for nothing, and for a format of another release."""
        if not value or value.get("format") != FORMAT:
            return None
        life = Life(tuple(_to_statement(one) for one in value["statements"]), value["keeps_names"])
        return cls(life, _to_sent(value["sent"]) if value["sent"] else None, tuple(value["people"]))

    @classmethod
    def from_format_1(cls, value: dict[str, Any] | None, side: str, *, keeps_names: bool) -> MeetingMemory | None:
        """Return what release 0.1 remembered of a meeting whose organizer is on the named side, or None."""
        if not value or value.get("format") != _OLD_FORMAT or value.get("organizer_side") != side:
            return None
        sequence, source = value["sequence"], value["source_sequence"]
        instances = tuple(
            SentInstance(
                _read(original),
                _read(slot),
                Occurrence(_read(start), _read(end)),
                bool(is_apart),
                sequence=sequence,
                source_sequence=source,
            )
            for original, slot, start, end, is_apart in value["instances"]
        )
        statement = Statement(
            source,
            0,
            "all",
            is_cancelled=not instances,
            slots=tuple(one.occurrence.start for one in instances),
            occurrences=tuple(one.occurrence for one in instances),
            originals=tuple(one.original for one in instances),
        )
        sent = SentMeeting(
            value["uid"], instances, zone=value["zone"], sequence=sequence, source_sequence=source, rule=value["rule"]
        )
        return cls(Life((statement,), keeps_names), sent)


@dataclass(frozen=True, slots=True)
class Remembered:
    """A memory and the version of the spool's key that it was read under."""

    key: str
    version: int
    memory: MeetingMemory

    def remember(self, memory: MeetingMemory, now: float, margin_seconds: float) -> Remember | None:
        """Return what is to be written for a changed memory; None where nothing changed."""
        if memory == self.memory:
            return None
        expires_at = memory.sent.expires_at(now, margin_seconds) if memory.sent else now + margin_seconds
        return Remember(self.key, self.version, memory.to_json(), expires_at)


def recall_meeting(
    recall: Recall, side: str, organizer_side: str, uid: str, organizer: str, *, keeps_names: bool
) -> Remembered:
    """Recall a meeting.

    side: the system it is sent to. organizer_side: the system of its organizer. organizer: their public address.
    """
    key = memory_key(side, uid, organizer)
    found = recall(key)
    if (memory := MeetingMemory.from_json(found.value)) is not None:
        return Remembered(key, found.version, memory)
    old = recall(_old_key(side, uid)).value if not found.version else None
    memory = MeetingMemory.from_format_1(old, organizer_side, keeps_names=keeps_names)
    return Remembered(key, found.version, memory or MeetingMemory(Life(keeps_names=keeps_names)))


def recall_answered(
    recall: Recall, side: str, organizer_side: str, uid: str, organizers: Iterable[str], *, keeps_names: bool
) -> SentMeeting | None:
    """Return what a side was sent of a meeting that it answers. organizers: who may be its organizer."""
    for organizer in organizers:
        found = recall_meeting(recall, side, organizer_side, uid, organizer, keeps_names=keeps_names)
        if found.memory.sent:
            return found.memory.sent
    return None


def memory_key(side: str, uid: str, organizer: str) -> str:
    """Return the key of what is remembered of a meeting that the system named `side` is sent."""
    return f"meeting:{side}:{digest_of(uid, organizer.casefold())}"


def digest_of(*texts: str, length: int = 40) -> str:
    """Return hex digits that stand for texts."""
    return hashlib.sha256("\0".join(texts).encode("utf-8", "replace")).hexdigest()[:length]


def _old_key(side: str, uid: str) -> str:
    name = uid if len(uid) <= _LONGEST_OLD_KEY else hashlib.sha256(uid.encode("utf-8", "replace")).hexdigest()
    return f"series:{side}:{name}"


def _from_statement(statement: Statement) -> list[Any]:
    starts, lengths = _spans(statement.occurrences)
    return [
        statement.sequence,
        statement.stamped_at,
        statement.scope,
        int(statement.is_cancelled) + 2 * int(statement.is_shift),
        None if statement.slot is None else _write(statement.slot),
        starts,
        lengths,
        [] if statement.slots == _starts(statement) else _pack(statement.slots),
        _pack(statement.originals),
    ]


def _to_statement(value: Sequence[Any]) -> Statement:
    sequence, stamped_at, scope, flags, slot, starts, lengths, slots, originals = value
    occurrences = _occurrences(starts, lengths)
    own = tuple(one.start for one in occurrences) if scope == "all" else ()
    return Statement(
        sequence,
        stamped_at,
        scope,
        is_cancelled=bool(flags & 1),
        slot=None if slot is None else _read(slot),
        slots=_unpack(slots) or own,
        occurrences=occurrences,
        originals=_unpack(originals),
        is_shift=bool(flags & 2),
    )


def _starts(statement: Statement) -> tuple[Moment, ...]:
    return tuple(one.start for one in statement.occurrences) if statement.scope == "all" else ()


def _from_sent(sent: SentMeeting) -> dict[str, Any]:
    return {
        "uid": sent.uid,
        "rule": sent.rule,
        "start": None if sent.start is None else _write(sent.start),
        "length": int(sent.length.total_seconds()),
        "zone": sent.zone,
        "sequence": sent.sequence,
        "source_sequence": sent.source_sequence,
        "stamped_at": sent.stamped_at,
        "cancelled_by": sent.cancelled_by,
        "was_cut": sent.was_cut,
        "instances": _from_instances(sent.instances),
        "replaced": _from_replaced(sent.replaced) if sent.replaced else None,
    }


def _to_sent(value: dict[str, Any]) -> SentMeeting:
    return SentMeeting(
        value["uid"],
        _to_instances(value["instances"]),
        value["rule"],
        None if value["start"] is None else _read(value["start"]),
        timedelta(seconds=value["length"]),
        value["zone"],
        value["sequence"],
        value["source_sequence"],
        value["stamped_at"],
        value["cancelled_by"],
        value["was_cut"],
        _to_replaced(value["replaced"]) if value["replaced"] else None,
    )


def _from_replaced(replaced: Replaced) -> list[Any]:
    return [replaced.uid, replaced.is_series, _from_instances(replaced.instances), replaced.sequence, replaced.by]


def _to_replaced(value: Sequence[Any]) -> Replaced:
    uid, is_series, instances, sequence, by = value
    return Replaced(uid, is_series, _to_instances(instances), sequence, by)


def _from_instances(instances: Sequence[SentInstance]) -> list[Any]:
    """Return instances by columns: each is mostly the same, or grows evenly, which packs well."""
    starts, lengths = _spans([one.occurrence for one in instances])
    originals, slots = [one.original for one in instances], [one.slot for one in instances]
    packed = _pack(originals)
    flags = [one.is_apart + 2 * one.is_cancelled for one in instances]
    marked = {
        number: [one.changed_by, one.left_by] for number, one in enumerate(instances) if one.changed_by or one.left_by
    }
    return [
        packed,
        packed if slots == originals else _pack(slots),
        starts,
        lengths,
        _runs(flags),
        _runs([one.sequence for one in instances]),
        _runs([one.source_sequence for one in instances]),
        [[number, *marks] for number, marks in marked.items()],
    ]


def _to_instances(value: Sequence[Any]) -> tuple[SentInstance, ...]:
    originals, slots, starts, lengths, flags, sequences, sources, marked = value
    marks = {number: (changed, left) for number, changed, left in marked}
    columns = zip(
        _unpack(originals),
        _unpack(slots),
        _occurrences(starts, lengths),
        _unrun(flags),
        _unrun(sequences),
        _unrun(sources),
        strict=True,
    )
    return tuple(
        SentInstance(
            original, slot, occurrence, bool(flag & 1), bool(flag & 2), sequence, source, *marks.get(number, ("", ""))
        )
        for number, (original, slot, occurrence, flag, sequence, source) in enumerate(columns)
    )


def _spans(occurrences: Sequence[Occurrence]) -> tuple[list[Any], list[Any]]:
    starts, ends = [one.start for one in occurrences], [one.end for one in occurrences]
    return _pack(starts), _runs(map(sub, map(_number, ends), map(_number, starts)))


def _occurrences(starts: Sequence[Any], lengths: Sequence[Any]) -> tuple[Occurrence, ...]:
    return tuple(
        Occurrence(start, _moment(_number(start) + length, isinstance(start, datetime)))
        for start, length in zip(_unpack(starts), _unrun(lengths), strict=True)
    )


def _pack(moments: Sequence[Moment]) -> list[Any]:
    """Return moments as runs of kinds, and of the distances between them."""
    seconds = [_number(moment) for moment in moments]
    kinds = _runs(int(isinstance(moment, datetime)) for moment in moments)
    return [kinds, seconds[:1], _runs(map(sub, seconds[1:], seconds))]


def _unpack(packed: Sequence[Any]) -> tuple[Moment, ...]:
    if not packed:
        return ()
    kinds, first, distances = packed
    numbers = list(first)
    for distance in _unrun(distances):
        numbers.append(numbers[-1] + distance)
    return tuple(_moment(number, bool(kind)) for number, kind in zip(numbers, _unrun(kinds), strict=True))


def _runs(numbers: Iterable[int]) -> list[int]:
    """Return numbers as pairs of a number and how often it follows."""
    return [part for number, same in groupby(numbers) for part in (number, len(list(same)))]


def _unrun(runs: Sequence[int]) -> list[int]:
    return [number for number, count in zip(runs[::2], runs[1::2], strict=True) for _ in range(count)]


def _number(moment: Moment) -> int:
    """Return seconds since the epoch, as if a day began in UTC."""
    if isinstance(moment, datetime):
        return int(moment.timestamp())
    return (moment.toordinal() - _EPOCH_DAY) * _SECONDS_A_DAY


def _moment(number: int, is_time: bool) -> Moment:
    moment = datetime.fromtimestamp(number, UTC)
    return moment if is_time else moment.date()


def _write(moment: Moment) -> int | str:
    return int(moment.timestamp()) if isinstance(moment, datetime) else moment.isoformat()


def _read(value: int | str) -> Moment:
    return datetime.fromtimestamp(value, UTC) if isinstance(value, int) else date.fromisoformat(value)
