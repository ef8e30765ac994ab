"""A task of Outlook as a VTODO (MS-OXOTASK, RFC 5545 section 3.6.2): assigned, answered, reported on, or attached.

The task that a task request assigns is attached to the request as a separate message. Dates of tasks have no time: they
are stored as midnight, without a zone.
"""

from __future__ import annotations

from datetime import date, datetime
from hashlib import sha256

import icalendar

from services.transform.tnef.carrier import Carrier
from services.transform.tnef.icalendar_object import (
    CalendarObject,
    Method,
    add_attendee,
    add_description,
    add_invited,
    add_keywords,
    add_organizer,
    add_sensitivity,
    add_text,
    add_time,
    write,
)
from services.transform.tnef.message import TnefMessage
from services.transform.tnef.properties import PS_PUBLIC_STRINGS, PSETID_COMMON, PSETID_TASK
from services.transform.tnef.recurrence import read_recurrence

_METHODS: dict[str, tuple[Method, str]] = {  # message class → METHOD and, of a reply, PARTSTAT; special ones first
    "IPM.TaskRequest.Accept": ("REPLY", "ACCEPTED"),
    "IPM.TaskRequest.Decline": ("REPLY", "DECLINED"),
    "IPM.TaskRequest.Update": ("REPLY", "IN-PROCESS"),
    "IPM.TaskRequest": ("REQUEST", ""),
    "IPM.Task": ("PUBLISH", ""),
}
_STATUS, _PERCENT, _START, _DUE = ((PSETID_TASK, id) for id in (0x8101, 0x8102, 0x8104, 0x8105))
_COMPLETED, _RECURRENCE, _VERSION, _OWNER = ((PSETID_TASK, id) for id in (0x810F, 0x8116, 0x8112, 0x811F))
_COMMON_START, _COMMON_END, _GLOBAL_ID = ((PSETID_COMMON, id) for id in (0x8516, 0x8517, 0x8519))
_KEYWORDS = (PS_PUBLIC_STRINGS, "Keywords")
_IMPORTANCE, _SENSITIVITY, _SEARCH_KEY = 0x0017, 0x0036, 0x300B
_STATUSES = {0: "NEEDS-ACTION", 1: "IN-PROCESS", 2: "COMPLETED", 3: "NEEDS-ACTION", 4: "NEEDS-ACTION"}
_STATUS_WORDS = {0: "Not started", 1: "In progress", 2: "Completed", 3: "Waiting on someone else", 4: "Deferred"}
_PRIORITIES = {0: 9, 1: 5, 2: 1}


def is_task(message: TnefMessage) -> bool:
    """Whether the message has the class of a task."""
    return message.is_of(*_METHODS)


def task_itself(message: TnefMessage) -> TnefMessage:
    """Return the task that a request is about, which is attached to it; else the message."""
    attached = (attachment.message for attachment in message.attachments if attachment.message)
    return next((task for task in attached if task.is_of("IPM.Task")), message)


def task_object(message: TnefMessage, carrier: Carrier, text: str, html: str | None, now: datetime) -> CalendarObject:
    """Return the task. text, html: its own description. now: its DTSTAMP, unless the stream has a better time.

    A recurrence that cannot be expressed is left out: the current task is complete without it.
    """
    method, answer = next(found for name, found in _METHODS.items() if message.is_of(name))
    task = task_itself(message)
    properties = task.properties
    global_id = properties.octets(_GLOBAL_ID) or message.properties.octets(_GLOBAL_ID) or properties.octets(_SEARCH_KEY)
    todo = icalendar.Todo()
    uid = (
        (global_id or sha256(f"{task.subject} {properties.moment(_START, _DUE)}".encode()).digest()[:16]).hex().upper()
    )
    todo.add("UID", uid)
    todo.add("DTSTAMP", (message.sent_at or task.sent_at or now).replace(microsecond=0))
    todo.add("SEQUENCE", max(properties.number(_VERSION) or 0, 0))
    add_text(todo, "SUMMARY", task.topic)
    start, due = _days(task)
    if start:
        add_time(todo, "DTSTART", start, "")
    if due:
        add_time(todo, "DUE", due, "")
    status = properties.number(_STATUS) or 0
    todo.add("STATUS", _STATUSES.get(status, "NEEDS-ACTION"))
    todo.add("PERCENT-COMPLETE", _percent(task))
    if status == 2 and (completed := properties.moment(_COMPLETED)):
        todo.add("COMPLETED", completed.replace(microsecond=0))
    todo.add("PRIORITY", _PRIORITIES.get(properties.number(_IMPORTANCE) or 1, 5))
    add_sensitivity(todo, properties.number(_SENSITIVITY))
    add_keywords(todo, properties.texts(_KEYWORDS))
    add_description(todo, text, html)
    octets = properties.octets(_RECURRENCE)
    if octets and start:
        _add_rule(todo, octets)
    if answer:
        add_organizer(todo, next(iter(carrier.recipients), None))
        if carrier.sender:
            add_attendee(todo, carrier.sender, PARTSTAT="COMPLETED" if status == 2 else answer)
    elif method == "REQUEST":
        add_organizer(todo, carrier.sender)
        add_invited(todo, carrier.recipients, carrier.sender)
    return CalendarObject(method, uid, write(method, [todo]))


def task_text(message: TnefMessage) -> str:
    """Return the facts of a task in readable lines, for a stream without a text of its own."""
    task = task_itself(message)
    start, due = _days(task)
    status = _STATUS_WORDS.get(task.properties.number(_STATUS) or 0, "")
    lines = {
        "Subject": task.topic,
        "Start date": start.isoformat() if start else "",
        "Due date": due.isoformat() if due else "",
        "Status": status,
        "Percent complete": f"{_percent(task)}%",
        "Owner": task.properties.text(_OWNER),
    }
    return "\n".join(f"{name}: {value}" for name, value in lines.items() if value)


def _days(task: TnefMessage) -> tuple[date | None, date | None]:
    start, due = (task.properties.moment(*keys) for keys in ((_START, _COMMON_START), (_DUE, _COMMON_END)))
    first, last = (moment.date() if moment and moment.year < 4500 else None for moment in (start, due))  # 4501 is never
    return (min(first, last) if first and last else first), last


def _percent(task: TnefMessage) -> int:
    share = task.properties.fraction(_PERCENT)
    return round(min(share, 1.0) * 100) if share and share > 0 else 0  # not a number is not above 0


def _add_rule(todo: icalendar.Todo, octets: bytes) -> None:
    try:
        recurrence = read_recurrence(octets)
    except ValueError:
        return
    todo.add("RRULE", recurrence.rrule(recurrence.until))
    for day in recurrence.removed:
        add_time(todo, "EXDATE", day, "")
