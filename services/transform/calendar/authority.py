"""Who may speak for a meeting: its organizer, and whoever sends for the organizer. Pure.

Only their messages read and write what is remembered. Whoever merely knows a UID (somebody who forwards an invitation,
a stranger) is converted as if nothing were known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from icalendar import Component

from services.transform.pipeline import Context, StepMessage
from shared.calendar.ical import values_of
from shared.mail.address_list import read_addresses

_MAILTO = "mailto:"
_MOST_RECIPIENTS = 3  # of an answer: it goes to the organizer


def address_in(value: object) -> str:
    """Return the bare address of a calendar address or parameter, "" where it has none."""
    text = str(value).strip().strip('"')
    while text[: len(_MAILTO)].lower() == _MAILTO:
        text = text[len(_MAILTO) :].strip()
    return text.strip("<>") if "@" in text else ""


def organizer_of(components: Iterable[Component], public: Callable[[str], str]) -> str:
    """Return the public address of a meeting's organizer, "" where none is named."""
    for component in components:
        for value in values_of(component, "ORGANIZER")[:1]:
            if address := public(address_in(value)):
                return address.casefold()
    return ""


def attendees_of(components: Iterable[Component], public: Callable[[str], str]) -> tuple[str, ...]:
    """Return the public addresses of those invited, the organizer not among them."""
    entries = list(components)
    organizer = organizer_of(entries, public)
    found = dict.fromkeys(
        public(address).casefold()
        for component in entries
        for value in values_of(component, "ATTENDEE")
        if (address := address_in(value))
    )
    return tuple(address for address in found if address != organizer)


def senders_of(message: StepMessage, context: Context) -> tuple[str, ...]:
    """Return who sent a message, From first, as public addresses; nobody where neither header nor envelope says."""
    senders = [*_addresses(message, "from"), *_addresses(message, "sender"), context.envelope.sender or ""]
    return tuple(dict.fromkeys(context.router.public(sender).casefold() for sender in senders if sender))


def recipients_of(message: StepMessage, context: Context) -> tuple[str, ...]:
    """Return whom a message is for, as public addresses."""
    recipients = [*(one.address for one in context.envelope.recipients), *_addresses(message, "to")]
    return tuple(dict.fromkeys(context.router.public(one).casefold() for one in recipients))[:_MOST_RECIPIENTS]


def _addresses(message: StepMessage, name: str) -> list[str]:
    field = message.root.find(name)
    mailboxes = read_addresses(message.content, field.value_start, field.end) if field else ()
    return [mailbox.address for mailbox in mailboxes if mailbox.address]


def speaks_for(
    organizer: str, components: Sequence[Component], senders: Sequence[str], public: Callable[[str], str]
) -> bool:
    """Whether one of the senders is the organizer, or whom the organizer lets send (SENT-BY). No sender: a dry run."""
    if not senders or not organizer or organizer in senders:
        return True
    delegates = {
        public(address).casefold()
        for component in components
        for value in values_of(component, "ORGANIZER")[:1]
        if (address := address_in(value.params.get("SENT-BY", "")))
    }
    domain = organizer.rpartition("@")[2]
    return any(one in senders and one.rpartition("@")[2] == domain for one in delegates)
