"""A meeting of Notes as Outlook takes it: which part of the message it is, and what becomes of it.

An invitation, a change or a cancellation is planned (`request`, `cancel`) and remembered, so
that the next one can be an update. An answer (reply, counter-proposal) goes back to the meeting as its organizer's side
knows it: Notes may have been told another UID, slot or SEQUENCE. Anything else keeps its times and gets people, zones
and texts right.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date

from icalendar import Calendar, Component
from icalendar.prop import vInt

from services.transform.calendar.authority import attendees_of, organizer_of, recipients_of, senders_of, speaks_for
from services.transform.calendar.memory import MeetingMemory, Remembered, recall_answered, recall_meeting
from services.transform.calendar.message import meeting_content, meeting_message, notice_message
from services.transform.calendar.notice import decide, read_notice, sequence_of, zone_of_meeting
from services.transform.calendar.part import Place, place_calendar, places, read_text, replace_calendar
from services.transform.calendar.related import RelatedParts
from services.transform.calendar.sent import SentInstance
from services.transform.calendar.to_exchange.answer import settle_answer
from services.transform.calendar.to_exchange.choose import plan_notice
from services.transform.calendar.to_exchange.people import address_of, publish_people
from services.transform.calendar.to_exchange.plan import MeetingChange, SendPlan
from services.transform.calendar.to_exchange.text import resolve_references
from services.transform.calendar.to_exchange.write import strip_lotus, suit_kind, write_others, write_sheet
from services.transform.calendar.to_exchange.zones import ZoneWriter
from services.transform.calendar.uids import first_uid, series_of
from services.transform.pipeline import Context, ExtraMessage, StepMessage, StepResult, nothing_remembered
from shared.calendar.ical import PRODID, moment_of, read_calendars, text_of, values_of
from shared.calendar.kinds import settle_kinds
from shared.calendar.moments import ZoneOf
from shared.calendar.recurrence import expand, recurrence_id, zone_finder
from shared.calendar.values import Text
from shared.errors import MalformedCalendar
from shared.mail.edits import Edit, merge
from shared.spool.memory import Remember

_METHODS = frozenset(("PUBLISH", "REQUEST", "REPLY", "ADD", "CANCEL", "REFRESH", "COUNTER", "DECLINECOUNTER"))
_ANSWERS = frozenset(("REPLY", "COUNTER", "DECLINECOUNTER", "REFRESH"))
_OF_NOTICE_TYPES = {
    **dict.fromkeys("ADFPR", "REPLY"),
    **dict.fromkeys("BEIKLNSU", "REQUEST"),
    **dict.fromkeys("CHYZ", "CANCEL"),
    "T": "COUNTER",
    "J": "DECLINECOUNTER",
}
"""METHOD where a calendar names none, by X-LOTUS-NOTICETYPE."""


@dataclass(frozen=True, slots=True)
class Invitation:
    """The calendar part of a message that is about a meeting. method: of the calendar, else of the MIME type."""

    place: Place
    calendars: tuple[Calendar, ...]
    method: str

    @property
    def size(self) -> int:
        """How many bytes it has in the message."""
        return self.place.entity.end - self.place.entity.body_start

    def components(self) -> Iterator[Component]:
        """Yield its entries, not its zones."""
        for calendar in self.calendars:
            yield from (one for one in calendar.subcomponents if one.name != "VTIMEZONE")


@dataclass(slots=True)
class _Outgoing:
    """What is made of one part. calendar: for the part itself, with its method and text; the rest goes beside."""

    calendar: tuple[bytes, str, str] | None = None
    extra_messages: list[ExtraMessage] = field(default_factory=list)
    memories: list[Remember] = field(default_factory=list)


def invitations(message: StepMessage) -> Iterator[Invitation]:
    """Yield the parts of a message that are about meetings and were not converted before.

    A text/calendar part counts before application/ics ones, which repeat it. A part that cannot be read is passed over
    for one that can; where none can, raises MalformedCalendar.
    """
    found = sorted(places(message.root), key=lambda place: place.entity.content_type != "text/calendar")
    unreadable: MalformedCalendar | None = None
    is_read = False
    for place in found:
        try:
            calendars = read_calendars(read_text(message.content, place.entity))
        except MalformedCalendar as error:
            unreadable = unreadable or error
            continue
        is_read = True
        method = _method(place, calendars)
        if method in _METHODS and all(text_of(one, "PRODID") != PRODID for one in calendars):
            yield Invitation(place, calendars, method)
    if unreadable and not is_read:
        raise unreadable


def convert_invitations(message: StepMessage, context: Context) -> StepResult:
    """Return what a message's meetings become for Outlook. Raises MalformedCalendar for a part that is none."""
    edits: list[tuple[Edit, ...]] = []
    outgoing: list[_Outgoing] = []
    told: dict[tuple[str, ...], bytes] = {}
    parts = RelatedParts(message.content, message.root)
    for invitation in invitations(message):
        same = (invitation.method, *sorted(text_of(one, "UID") for one in invitation.components()))
        if same in told:
            edits.append(tuple(replace_calendar(message.content, invitation.place, told[same], invitation.method)))
            continue
        is_noticed = any(extra.is_notice for before in outgoing for extra in before.extra_messages)
        made = _Conversion(message, context, invitation, parts, is_noticed=is_noticed).run()
        if made.calendar is None:
            continue
        calendar, method, text = made.calendar
        told[same] = calendar
        first = not outgoing
        place = place_calendar if first else _replace
        edits.append(tuple(place(message.content, invitation.place, calendar, method, text)))
        outgoing.append(made)
    return StepResult(
        merge(*edits),
        tuple(extra for made in outgoing for extra in made.extra_messages),
        tuple(memory for made in outgoing for memory in made.memories),
    )


def _replace(content: bytes, place: Place, calendar: bytes, method: str, _fallback: str) -> list[Edit]:
    return replace_calendar(content, place, calendar, method)


def _method(place: Place, calendars: Sequence[Calendar]) -> str:
    told = [text_of(one, "METHOD").strip().upper() for one in calendars]
    told.append(place.entity.parameters.get("method", "").strip().upper())
    notices = (text_of(one, "X-LOTUS-NOTICETYPE") for calendar in calendars for one in calendar.subcomponents)
    told += (_OF_NOTICE_TYPES.get(notice.strip().upper(), "") for notice in notices)
    return next((method for method in told if method), "")


class _Conversion:
    """One invitation on its way to Outlook."""

    def __init__(
        self,
        message: StepMessage,
        context: Context,
        invitation: Invitation,
        parts: RelatedParts,
        *,
        is_noticed: bool,
    ) -> None:
        self.message, self.context, self.invitation, self.parts = message, context, invitation, parts
        self.is_noticed = is_noticed
        self.senders, self.recipients = senders_of(message, context), recipients_of(message, context)
        self.is_own = True
        self.method = "REQUEST" if invitation.method == "ADD" else invitation.method
        self.outgoing = _Outgoing()

    def run(self) -> _Outgoing:
        for calendar in self.invitation.calendars:
            zone_of = zone_finder(calendar)
            components = [one for one in calendar.subcomponents if one.name != "VTIMEZONE"]
            meetings: dict[str, list[Component]] = {}
            for component in components:
                if component.name == "VEVENT" and self.method not in _ANSWERS:
                    meetings.setdefault(text_of(component, "UID").strip(), []).append(component)
            if self.method == "PUBLISH" and len(meetings) > 1:
                meetings = {}  # somebody's whole calendar: it stays one
            for uid, group in meetings.items():
                self._meet(uid, group, zone_of)
            met = {id(one) for group in meetings.values() for one in group}
            if others := [one for one in components if id(one) not in met]:
                self._pass_on(others, zone_of)
        return self.outgoing

    def _meet(self, given_uid: str, components: list[Component], zone_of: ZoneOf) -> None:
        """Invite, change or cancel."""
        uid = given_uid or self._derived_uid(components)
        notice_type = text_of(components[0], "X-LOTUS-NOTICETYPE").strip().upper()
        settle_kinds(components, zone_of)
        for component in components:
            self._clean(component)
        public = self.context.router.public
        notice = read_notice(
            components,
            zone_of,
            is_cancelled=self.method == "CANCEL",
            people=attendees_of(components, public),
            kind=notice_type,
        )
        remembered = self._recall(uid, components)
        decision = decide(remembered.memory, notice)
        change = MeetingChange(
            uid, notice, decision.meeting, remembered.memory.sent, self.context.settings.unsupported_recurrence
        )
        plan = plan_notice(change, decision)
        if plan.is_unsupported or not self._affords(plan, uid):
            self._unsupported(uid, components, zone_of)
            return
        for sheet in plan.sheets:
            method = "PUBLISH" if self.method == "PUBLISH" else sheet.method
            self._add(write_sheet(sheet, uid, method, self.context.now), method, sheet.entries[0].template)
        if plan.is_news:
            self._remember(remembered, replace(decision.memory, sent=plan.sent or decision.memory.sent))

    def _affords(self, plan: SendPlan, uid: str) -> bool:
        """Whether the message may still send what the plan says; looked at before it is written."""
        extra_messages = plan.sheets[0 if self.outgoing.calendar else 1 :]
        if not extra_messages:
            return True
        samples = [
            meeting_content(
                self.message,
                self.context,
                write_sheet(sheet, uid, sheet.method, self.context.now),
                sheet.method,
                _text(sheet.entries[0].template),
            )
            for sheet in (extra_messages[0], extra_messages[-1])
        ]
        return self.context.affords(
            samples, len(extra_messages) + 1
        )  # one more: the notice, should another not be afforded

    def _recall(self, uid: str, components: list[Component]) -> Remembered:
        """Recall what Outlook was sent, where the message speaks for the meeting."""
        context = self.context
        organizer = organizer_of(components, context.router.public) or next(iter(self.senders), "")
        is_own = self.method != "PUBLISH" and speaks_for(organizer, components, self.senders, context.router.public)
        recall = context.recall if is_own else nothing_remembered
        source, destination = context.source.name, context.destination.name
        self.is_own = is_own
        return recall_meeting(recall, destination, source, uid, organizer, keeps_names=True)

    def _remember(self, remembered: Remembered, memory: MeetingMemory) -> None:
        settings = self.context.settings
        written = remembered.remember(memory, self.context.now, settings.series_memory.total_seconds())
        if written and self.is_own:
            self.outgoing.memories.append(written)

    def _unsupported(self, uid: str, components: list[Component], zone_of: ZoneOf) -> None:
        """Leave the recurrence as Notes wrote it, and say so to its organizer where that is wished."""
        settings = self.context.settings
        organizers = [address_of(one) for component in components for one in values_of(component, "ORGANIZER")]
        recipients = tuple(dict.fromkeys([*organizers[:1], *settings.unsupported_recurrence_notice.also]))
        if settings.unsupported_recurrence != "pass" and recipients and not self.is_noticed:
            self.is_noticed = True  # one for the message, however many series it has
            dates = expand(components, zone_of)
            self.outgoing.extra_messages.append(notice_message(self.context, components[0], dates, recipients))
        zones = ZoneWriter(_moments(components))
        for component in components:
            component["UID"] = Text(uid)
            zones.rename(component, zone_of)
        self._add(write_others(components, self.method, zones, self.context.now), self.method, components[0])

    def _pass_on(self, components: list[Component], zone_of: ZoneOf) -> None:
        """Pass on an answer, or what is no meeting."""
        settle_kinds([one for one in components if one.name == "VEVENT"], zone_of)
        zones = ZoneWriter(_moments(components))
        for component in components:
            self._clean(component)
            if component.name == "VEVENT" and self.method in _ANSWERS:
                self._answer(component, zone_of)
            zones.rename(component, zone_of)
        self._add(write_others(components, self.method, zones, self.context.now), self.method, components[0])

    def _answer(self, component: Component, zone_of: ZoneOf) -> None:
        """Name the meeting as its organizer's side does, whatever Notes was sent."""
        apart = series_of(text_of(component, "UID"))
        uid = first_uid(apart[0] if apart else text_of(component, "UID"))
        organizer = organizer_of([component], self.context.router.public)
        source, destination = self.context.source.name, self.context.destination.name
        organizers = [organizer] if organizer else self.recipients
        sent = recall_answered(self.context.recall, source, destination, uid, organizers, keeps_names=False)
        slot = apart[1] if apart else recurrence_id(component, zone_of)
        zone = zone_of_meeting([component], zone_of)
        for name in ("RDATE", "EXDATE", "RRULE"):
            component.pop(name, None)
        component["UID"] = Text(uid)
        found: SentInstance | None = None
        if slot is not None:
            found = (sent.by_original(slot) if apart else sent.by_slot(slot)) if sent else None
            writer = ZoneWriter([slot])
            writer.put(component, "RECURRENCE-ID", found.original if found else slot, UTC if sent else zone)
        sequence = sequence_of(component)
        if sent:
            sequence = found.source_sequence if found else sent.source_sequence
        component["SEQUENCE"] = vInt(max(0, sequence))
        settle_answer(component, self.method, sent, found, zone)

    def _clean(self, component: Component) -> None:
        publish_people(component, self.context.router)
        resolve_references(component, self.parts)
        suit_kind(component)
        strip_lotus(component)
        for rule in values_of(component, "RRULE"):
            rule.params.clear()

    def _add(self, calendar: bytes, method: str, component: Component) -> None:
        text = _text(component)
        if self.outgoing.calendar is None:
            self.outgoing.calendar = (calendar, method, text)
        else:
            self.outgoing.extra_messages.append(meeting_message(self.message, self.context, calendar, method, text))

    def _derived_uid(self, components: Sequence[Component]) -> str:
        """Return a UID for a meeting that came without one: the same for what its organizer starts at that time."""
        start = moment_of(components[0], "DTSTART")
        when = start[0].isoformat() if start else ""
        organizer = "".join(str(one) for one in values_of(components[0], "ORGANIZER")[:1])
        return _digest(f"{organizer.lower()}\0{when}\0{text_of(components[0], 'SUMMARY')}", self.context.hostname)


def _text(component: Component) -> str:
    return text_of(component, "DESCRIPTION").strip() or text_of(component, "SUMMARY").strip()


def _digest(text: str, hostname: str) -> str:
    return f"{hashlib.sha256(text.encode('utf-8', 'replace')).hexdigest()[:32]}@{hostname}"


def _moments(components: Sequence[Component]) -> Iterator[date]:
    for component in components:
        for name in ("DTSTART", "DTEND", "RECURRENCE-ID", "DUE"):
            if found := moment_of(component, name):
                yield found[0]
