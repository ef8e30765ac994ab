"""UIDs where they cross: those of Notes, and those of the gateway's own making."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from shared.calendar.values import Moment

_MARK = "-causeway-"
_STAMP = "%Y%m%dT%H%M%SZ"
_NOTES_UID = re.compile(r"-Lotus_(?:Notes|Auto)_Generated", re.IGNORECASE)
_AGAIN = re.compile(r"(?P<uid>.+)-causeway-again(?P<time>\d{1,3})", re.DOTALL)


def again_uid(uid: str) -> str:
    """Return the UID that a meeting gets when Notes would refuse it under the one it has."""
    found = _AGAIN.fullmatch(uid)
    return f"{found['uid']}-causeway-again{int(found['time']) + 1}" if found else f"{uid}-causeway-again1"


def first_uid(uid: str) -> str:
    """Return the UID that a meeting has outside Notes: the one that `again_uid` began with, any other as it is."""
    found = _AGAIN.fullmatch(uid)
    return found["uid"] if found else uid


def is_of_notes(uid: str) -> bool:
    """Whether Notes made the UID."""
    return _NOTES_UID.search(uid) is not None


def single_uid(uid: str, original: Moment) -> str:
    """Return the UID of the single meeting that stands for one instance of a series; `series_of` undoes it."""
    return f"{uid}{_MARK}{_stamp(original)}"


def series_of(uid: str) -> tuple[str, Moment] | None:
    """Return UID and name of the instance that a single meeting stands for; None for any other UID."""
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
