"""The transform stage's steps between a Notes side and an Exchange side, with the memory that a spool keeps."""

from __future__ import annotations

import email
import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from email.message import Message
from email.utils import getaddresses
from pathlib import Path

from services.transform.pipeline import Context, Conversion, Step, convert
from services.transform.steps import ORDER
from shared.configuration.systems import System
from shared.configuration.transform import TransformSettings
from shared.mail.edits import apply
from shared.mail.envelope import Client, Envelope, Recipient
from shared.routing.router import Router
from shared.spool.memory import Memory

NOTES = System.model_validate(
    {
        "name": "notes",
        "kind": "domino",
        "domains": ["notes.example.com"],
        "encapsulation": "keep",
        "notes_domains": ["ACME"],
        "public_domain": "example.com",
        "default_route": "exchange",
        "smart_hosts": [{"host": "127.0.0.1", "port": 2600, "tls": "none"}],
    }
)
EXCHANGE = System.model_validate(
    {
        "name": "exchange",
        "kind": "exchange",
        "domains": ["exchange.example.com"],
        "encapsulation": "strip",
        "public_domain": "example.com",
        "default_route": "notes",
        "smart_hosts": [{"host": "127.0.0.1", "port": 2601, "tls": "none"}],
    }
)
NOW = 1_796_000_000.0  # November 2026


@dataclass(frozen=True)
class Carried:
    """What became of one message: what arrives (the message itself first), notices, and what the steps reported."""

    arrived: tuple[bytes, ...]
    notices: tuple[bytes, ...]
    conversion: Conversion

    @property
    def calendars(self) -> list[str]:
        """The text of the calendars that arrive, unfolded."""
        return [text for one in self.arrived for text in calendars_of(email.message_from_bytes(one))]


@dataclass
class MeetingGateway:
    """A gateway with one memory. memories: version and JSON of each key."""

    router: Router = field(default_factory=lambda: Router([NOTES, EXCHANGE]))
    steps: Sequence[Step] = ORDER
    settings: TransformSettings = field(default_factory=TransformSettings)
    memories: dict[str, tuple[int, str]] = field(default_factory=dict)
    now: float = NOW

    def recall(self, key: str) -> Memory:
        """Return what is remembered, as the spool does."""
        version, value = self.memories.get(key, (0, "null"))
        return Memory(version, json.loads(value))

    def carry(self, content: bytes) -> Carried:
        """Carry a message to the other side of the one that it is from, as its header says."""
        header = email.message_from_bytes(content)
        sender = getaddresses(header.get_all("From", []))[0][1]
        recipients = [address for _, address in getaddresses(header.get_all("To", []))]
        source, destination = (NOTES, EXCHANGE) if _is_of_notes(sender) else (EXCHANGE, NOTES)
        envelope = Envelope(
            id="019a00000000aaaaaaaaaa",
            sender=sender,
            recipients=tuple(Recipient(one) for one in recipients),
            source=source.name,
            client=Client("127.0.0.1", "client.example.com"),
            received_at=self.now,
        )
        context = Context(envelope, source, destination, self.router, self.settings, now=self.now, recall=self.recall)
        conversion = convert(content, context, self.steps)
        for memory in conversion.memories:
            assert memory.version == self.recall(memory.key).version
            self.memories[memory.key] = (memory.version + 1, json.dumps(memory.value))
        again = replace(context, recall=lambda _key: Memory())
        beside = [one for one in conversion.extra_messages if not one.is_notice]
        return Carried(
            (
                apply(content, conversion.edits),
                *(apply(one.content, convert(one.content, again, self.steps).edits) for one in beside),
            ),
            tuple(one.content for one in conversion.extra_messages if one.is_notice),
            conversion,
        )


def calendars_of(message: Message) -> list[str]:
    """Return the calendar parts of a message, decoded and unfolded."""
    parts = [part for part in message.walk() if part.get_content_type() in ("text/calendar", "application/ics")]
    payloads = (part.get_payload(decode=True) for part in parts)
    texts = (payload for payload in payloads if isinstance(payload, bytes))
    return [one.replace(b"\r\n ", b"").replace(b"\r\n\t", b"").decode() for one in texts]


def sequence_of_files(folder: Path, name: str, separator: str) -> list[Path]:
    """Return the messages of a case in their order: `name-1.eml` …, or the one `name.eml`."""
    found = sorted(folder.glob(f"{name}{separator}[0-9].eml"))
    return found or [folder / f"{name}.eml"]


def _is_of_notes(address: str) -> bool:
    return address.lower().endswith("@notes.example.com")
