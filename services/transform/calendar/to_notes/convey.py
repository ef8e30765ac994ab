"""Invitations, changes and cancellations of an Exchange meeting, for Notes. Pure.

What the organizer said and what Notes was sent is remembered, so that a later message about one instance names it as
Notes does, and its SEQUENCE is never lower than what Notes has: a time change raises it, an older one fails. A notice
that is out of date keeps a SEQUENCE below what Notes has, and changes nothing that is remembered.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from icalendar import Component

from services.transform.calendar.authority import attendees_of, organizer_of, speaks_for
from services.transform.calendar.context import MeetingContext, Piece, day, identify
from services.transform.calendar.memory import recall_meeting
from services.transform.calendar.notice import decide, read_notice
from services.transform.calendar.sent import SentMeeting
from services.transform.calendar.to_notes.amend import amended
from services.transform.calendar.to_notes.cancel import cancel_instances, cancel_whole
from services.transform.calendar.to_notes.request import Exchange, request_instances, request_listed, request_whole
from services.transform.calendar.to_notes.series import instance_form, notes_form
from services.transform.pipeline import nothing_remembered
from shared.calendar.moments import ZoneOf
from shared.calendar.recurrence import is_this_and_future

_REMEMBERED = frozenset(("REQUEST", "CANCEL"))


def convey(uid: str, group: Sequence[Component], context: MeetingContext, zone_of: ZoneOf, method: str) -> Piece:
    """Say what a message says of one meeting as Notes takes it. Raises MalformedCalendar."""
    if any(is_this_and_future(component) for component in group):
        return Piece(group)  # already in the words of Notes: Exchange has no others for it
    organizer = organizer_of(group, context.public) or next(iter(context.senders), "")
    is_own = method in _REMEMBERED and speaks_for(organizer, group, context.senders, context.public)
    recall = context.recall if is_own else nothing_remembered
    remembered = recall_meeting(recall, context.destination, context.source, uid, organizer, keeps_names=False)
    people = attendees_of(group, context.public)
    notice = read_notice(group, zone_of, is_cancelled=method == "CANCEL", people=people)
    decision = decide(remembered.memory, notice)
    exchange = Exchange(uid, notice, decision, remembered.memory.sent, context)
    if not decision.is_in_force:
        piece, sent = _out_of_date(exchange), None
    elif decision.is_personal:
        piece, sent = _take_out(exchange), None
    elif notice.is_cancelled:
        if notice.is_whole or not decision.meeting.is_alive or not exchange.is_ambiguous:
            piece, sent = cancel_whole(exchange) if notice.is_whole else cancel_instances(exchange)
        else:
            piece, sent = request_listed(exchange)
            piece.method = "REQUEST"
    elif not decision.meeting.is_alive:
        piece, sent = cancel_whole(exchange)
        piece.method = "CANCEL"
    elif notice.is_whole:
        piece, sent = request_whole(replace(exchange, group=amended(notice, decision.meeting)))
    else:
        piece, sent = request_instances(exchange)
    memory = replace(decision.memory, sent=sent or decision.memory.sent)
    written = remembered.remember(memory, context.now.timestamp(), context.memory.total_seconds())
    if written and is_own:
        piece.memories.append(written)
    return piece


def _take_out(exchange: Exchange) -> Piece:
    """Take one person out of a meeting that goes on for the others: Notes' entry is cancelled under Notes' names."""
    notice, sent = exchange.notice, exchange.sent
    known = [None if notice.is_whole else exchange.instance(component) for component in notice.components]
    piece, _ = cancel_whole(exchange) if notice.is_whole else cancel_instances(exchange)
    if sent:
        for component, instance in zip(piece.components, known, strict=False):
            highest = sent.sequence if notice.is_whole or instance is None else instance.sequence
            identify(component, sent.uid, max(notice.sequence, highest))
    return piece


def _out_of_date(exchange: Exchange) -> Piece:
    """Say what an out-of-date notice says, below the SEQUENCE that Notes has."""
    notice, sent = exchange.notice, exchange.sent
    if notice.is_cancelled or exchange.was_never_sent:
        return _cancelled(exchange, sent)
    if notice.is_whole:
        horizon = exchange.context.horizon(notice.components)
        form = notes_form(notice.components, notice.zone_of, horizon, notice.expansion)
        components = list(form.components)
        dates = [day(moment) for one in form.instances for moment in (one.occurrence.start, one.occurrence.end)]
    else:
        components = [instance_form(one, exchange.name_of(one), notice.zone_of) for one in notice.components]
        dates = []
    piece = Piece(components, dates)
    for component in components:
        exchange.identify_below(component)
    return piece


def _cancelled(exchange: Exchange, sent: SentMeeting | None) -> Piece:
    """Say a cancellation that is out of date, or that of a meeting which Notes shall never see."""
    notice = exchange.notice
    if notice.is_whole:
        piece, _ = cancel_whole(replace(exchange, sent=None))
    else:
        piece = Piece([instance_form(one, exchange.name_of(one), notice.zone_of) for one in notice.components])
    if not notice.is_cancelled:
        piece.method = "CANCEL"
    if sent is None:
        return piece
    for component in piece.components:
        if notice.is_cancelled:
            exchange.identify_below(component)
        else:
            identify(component, sent.uid, max(notice.sequence, sent.sequence), exchange.stamped_at)
    return piece
