"""Invitations to an Exchange meeting and changes of it, as Notes is sent them. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from icalendar import Component

from services.transform.calendar.context import RECURRENCE, MeetingContext, Piece, day, identify, slot_of
from services.transform.calendar.notice import Decision, Notice, sequence_of
from services.transform.calendar.sent import Replaced, SentInstance, SentMeeting
from services.transform.calendar.to_notes.replaced import cancellation
from services.transform.calendar.to_notes.series import NotesForm, instance_form, listed_form, notes_form
from services.transform.calendar.uids import again_uid
from shared.calendar.ical import put_moment, text_of, values_of
from shared.calendar.moments import to_written
from shared.calendar.recurrence import recurrence_id
from shared.calendar.values import Moment, Text

_LISTED = "RDATE"  # what a meeting that was sent has in the place of a rule
ORPHANS = "RECURRENCE-ID"  # the same, where only single instances are known


@dataclass(frozen=True, slots=True)
class Exchange:
    """A notice of Exchange about a meeting, what it means, and what Notes was last sent of the meeting.

    group: the components to be said, where they are not those of the notice.
    """

    uid: str
    notice: Notice
    decision: Decision
    sent: SentMeeting | None
    context: MeetingContext
    group: Sequence[Component] = ()

    @property
    def stamped_at(self) -> datetime:
        """The latest DTSTAMP that Notes has after the notice."""
        latest = max(self.notice.stamped_at, self.sent.stamped_at if self.sent else 0)
        return datetime.fromtimestamp(latest, UTC)

    @property
    def was_never_sent(self) -> bool:
        """Whether Notes never had what an out-of-date notice is about, and the meeting is cancelled by now.

        So it is where Notes was sent the cancellation "of this and all future ones" instances, which it compares with
        what it has of them alone.
        """
        if self.decision.meeting.is_alive:
            return False
        return self.sent is None or not self.sent.instances or (self.sent.was_cut and bool(self.sent.rule))

    @property
    def is_ambiguous(self) -> bool:
        """Whether Notes has two instances by one name: of an instance, and of the one that was moved to its time."""
        known = [self.instance(override) for override in self.notice.components]
        alive = self.sent.alive if self.sent else ()
        return any(one and sum(other.slot == one.slot for other in alive) > 1 for one in known)

    def instance(self, override: Component) -> SentInstance | None:
        """Return what Notes was sent of an instance."""
        return self.sent.by_original(self.original(override)) if self.sent else None

    def original(self, override: Component) -> Moment:
        """Return the name of an instance on the organizer's side."""
        slot = slot_of(override, self.notice.zone_of)
        held = self.decision.meeting.find(slot, self.notice.zone)
        return held.original if held else slot

    def name_of(self, override: Component) -> Moment:
        """Return the name of an instance in Notes."""
        known = self.instance(override)
        return known.slot if known else self.original(override)

    def identify_below(self, component: Component) -> None:
        """Give an out-of-date component UID and SEQUENCE by which Notes sees what it is."""
        if self.sent is None:
            return
        own = sequence_of(component)
        known = None
        if recurrence_id(component, self.notice.zone_of) is not None:
            known = self.sent.by_slot(slot_of(component, self.notice.zone_of))
        highest = known.sequence if known else self.sent.sequence
        identify(component, self.sent.uid, min(own, max(highest - 1, 0)))


def request_whole(exchange: Exchange) -> tuple[Piece, SentMeeting]:
    """Say all of a meeting."""
    notice, context, group = exchange.notice, exchange.context, exchange.group or exchange.notice.components
    expansion = notice.expansion if group is notice.components else None
    form = notes_form(group, notice.zone_of, context.horizon(group), expansion)
    piece = Piece(form.components)
    piece.dates += [day(moment) for one in form.instances for moment in (one.occurrence.start, one.occurrence.end)]
    if form.ends is not None:
        piece.dates.append(day(form.ends))
        piece.texts.append(_say_end(form))
    return piece, _sent(exchange, piece, form)


def _say_end(form: NotesForm) -> str:
    """Say in the description that the series goes on no further, and return the words."""
    assert form.ends is not None
    master = form.components[0]
    summary = " ".join(text_of(master, "SUMMARY").split())
    text = (
        f'The series "{summary}" has no end. Notes takes no series without one, '
        f"so it goes as far as {day(form.ends).isoformat()} here."
    )
    description = text_of(master, "DESCRIPTION").rstrip()
    master["DESCRIPTION"] = Text(f"{description}\n\n{text}" if description else text)
    return text


def _sent(exchange: Exchange, piece: Piece, form: NotesForm) -> SentMeeting:
    """Give the meeting UID and SEQUENCE as Notes has to see them, and return what Notes is sent.

    Notes refuses a series under the UID of a single meeting, and the other way round: the meeting gets a UID of its
    own, and what Notes has under the old one is cancelled beside.
    """
    before, notice, own = exchange.sent, exchange.notice, sequence_of(form.components[0])
    uid, sequence = (before.uid, max(own, before.sequence)) if before else (exchange.uid, own)
    replaced = before.replaced if before else None
    now = {one.occurrence for one in form.instances}
    if before and before.alive and bool(before.rule) != form.is_series:
        uid, sequence = again_uid(before.uid), own
        replaced = Replaced(before.uid, bool(before.rule), before.alive, before.sequence + 1, notice.id)
    elif before and (set(before.occurrences) != now or before.cancelled_by):
        sequence = max(own, before.sequence + 1)
    if replaced and replaced.by == notice.id:
        piece.cancels.append(cancellation(replaced, form.components[0]))
    for component in form.components:
        identify(component, uid, max(sequence, sequence_of(component)), exchange.stamped_at)
    highest = max(map(sequence_of, form.components))
    sequences = {held.original: held.sequence for held in exchange.decision.meeting.held}
    instances = tuple(
        SentInstance(
            one.original,
            one.slot,
            one.occurrence,
            sequence=highest,
            source_sequence=sequences.get(one.original, notice.sequence),
        )
        for one in form.instances
    )
    names = {one.original for one in instances}
    gone = tuple(
        replace(one, is_cancelled=True)
        for one in (before.instances if before and uid == before.uid else ())
        if one.original not in names
    )
    rules = values_of(form.components[0], "RRULE")
    return SentMeeting(
        uid,
        (*instances, *gone),
        rules[0].to_ical().decode() if rules else _LISTED if form.is_series else "",
        sequence=highest,
        source_sequence=own,
        stamped_at=int(exchange.stamped_at.timestamp()),
        was_cut=bool(before and before.was_cut),
        replaced=replaced,
    )


def request_instances(exchange: Exchange) -> tuple[Piece, SentMeeting]:
    """Say changed instances, each by the name that Notes has it under."""
    notice, sent = exchange.notice, exchange.sent or SentMeeting(exchange.uid, rule=ORPHANS)
    if exchange.is_ambiguous:
        return request_listed(exchange)
    components = []
    for override in notice.components:
        original = exchange.original(override)
        held = exchange.decision.meeting.find(original, notice.zone)
        assert held is not None  # since the notice is about it
        known = sent.by_original(original)
        changed = instance_form(override, known.slot if known else original, notice.zone_of)
        own, sequence = sequence_of(override), known.sequence if known else sent.sequence
        is_news = known is None or known.is_cancelled or known.occurrence != held.occurrence
        if held.is_cancelled or held.sequence > own:
            continue  # another of the same notice says more
        if is_news and exchange.sent:
            sequence = max(sent.sequence, sequence + (own <= sequence and known is not None))
        sequence = max(own, sequence)
        identify(changed, sent.uid, sequence, exchange.stamped_at)
        components.append(changed)
        slot = known.slot if known else original
        now = SentInstance(original, slot, held.occurrence, sequence=sequence, source_sequence=held.sequence)
        sent = _with_instance(sent, now)
    stamped_at = int(exchange.stamped_at.timestamp())
    return Piece(components), replace(sent, stamped_at=stamped_at)


def request_listed(exchange: Exchange) -> tuple[Piece, SentMeeting]:
    """Say all of a meeting by a list of its occurrences, in the words of a notice about one instance."""
    alive = exchange.decision.meeting.alive
    master = deepcopy(exchange.notice.components[0])
    for name in (*RECURRENCE, "RECURRENCE-ID", "DURATION", "STATUS"):
        master.pop(name, None)
    zone = exchange.notice.zone
    for name, moment in (("DTSTART", alive[0].occurrence.start), ("DTEND", alive[0].occurrence.end)):
        put_moment(master, name, to_written(moment, zone))
    form = listed_form(master, alive, zone)
    piece = Piece(form.components, [day(one.occurrence.start) for one in form.instances])
    return piece, _sent(exchange, piece, form)


def _with_instance(sent: SentMeeting, now: SentInstance) -> SentMeeting:
    others = tuple(one for one in sent.instances if one.original != now.original)
    return replace(sent, instances=(*others, now), sequence=max(sent.sequence, now.sequence))
