"""Cancellations of an Exchange meeting, or of instances of it, as Notes is sent them. Pure.

Notes does not take the cancellation of a whole series of which instances were cancelled before. Then what is left of it
is cancelled in Notes' own words for that: its first instance "and all future ones".
"""

from __future__ import annotations

from dataclasses import replace

from services.transform.calendar.context import Piece, day, identify
from services.transform.calendar.notice import sequence_of
from services.transform.calendar.sent import SentInstance, SentMeeting, in_order
from services.transform.calendar.to_notes.request import ORPHANS, Exchange
from services.transform.calendar.to_notes.series import future_form, instance_form, notes_form
from shared.calendar.moments import Occurrence


def cancel_whole(exchange: Exchange) -> tuple[Piece, SentMeeting | None]:
    """Cancel all of a meeting; another copy of the notice says the same again."""
    notice, sent = exchange.notice, exchange.sent
    form = notes_form(notice.components, notice.zone_of, exchange.context.horizon(notice.components))
    master = form.components[0]
    piece = Piece([master], [day(one.occurrence.start) for one in form.instances])
    if sent is None:
        return piece, None
    after = sent.cancelled(notice.id, sequence_of(master), notice.sequence, int(exchange.stamped_at.timestamp()))
    gone = [one for one in sent.instances if not one.is_cancelled or one.changed_by == notice.id]
    if sent.rule and gone and sent.was_cut:
        master = future_form(master, list(in_order(gone)))
        piece.components = [master]
    identify(master, sent.uid, after.sequence, exchange.stamped_at)
    return piece, after


def cancel_instances(exchange: Exchange) -> tuple[Piece, SentMeeting]:
    """Cancel instances, each by the name that Notes has it under."""
    notice, sent = exchange.notice, exchange.sent or SentMeeting(exchange.uid, rule=ORPHANS)
    components = []
    for override in notice.components:
        original = exchange.original(override)
        known = exchange.instance(override)
        slot = known.slot if known else original
        cancelled = instance_form(override, slot, notice.zone_of)
        components.append(cancelled)
        sequence = max(sequence_of(cancelled), sent.sequence)
        if known:
            is_news = not known.is_cancelled
            sequence = max(sequence_of(cancelled), known.sequence + 1, sent.sequence) if is_news else known.sequence
        identify(cancelled, sent.uid, sequence, exchange.stamped_at)
        now = SentInstance(
            original,
            slot,
            known.occurrence if known else Occurrence(slot, slot),
            is_cancelled=True,
            sequence=sequence,
            source_sequence=notice.sequence,
        )
        others = tuple(one for one in sent.instances if one.original != original)
        sent = replace(sent, instances=(*others, now), sequence=max(sent.sequence, sequence), was_cut=True)
    return Piece(components), replace(sent, stamped_at=int(exchange.stamped_at.timestamp()))
