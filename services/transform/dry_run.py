"""A dry run: converts a message between two systems as the gateway would, without spool or envelope."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from services.transform.budget import budget_for
from services.transform.deadline import DeadlineExceeded, deadline
from services.transform.pipeline import Context, convert
from services.transform.steps import ORDER
from shared.configuration.settings import Settings
from shared.configuration.systems import System
from shared.errors import ConfigurationError, MalformedMessage
from shared.mail.edits import apply
from shared.mail.envelope import Client, Envelope, new_message_id
from shared.routing.router import Router

BARE_SYSTEMS = {
    "notes": System(name="notes", kind="domino", encapsulation="keep"),
    "domino": System(name="domino", kind="domino", encapsulation="keep"),
    "exchange": System(name="exchange", kind="exchange", encapsulation="strip"),
}
"""Systems that a dry run knows without a configuration; they have no domains, so no address is theirs."""


@dataclass(frozen=True, slots=True)
class DryRun:
    """What would leave. steps: each step that applied, with the number of its edits. error: one line, or None."""

    original: bytes
    converted: bytes
    steps: tuple[tuple[str, int], ...] = ()
    error: str | None = None

    def to_json(self, file: str) -> dict[str, Any]:
        """Return the line that `causeway convert --report` prints."""
        return {
            "file": file,
            "bytes": len(self.original),
            "changed": self.converted != self.original,
            "steps": [{"name": name, "edits": edits} for name, edits in self.steps],
            "error": self.error,
        }


def known_systems(settings: Settings) -> dict[str, System]:
    """Return the systems that a dry run knows, by name: the configured ones, and bare ones of other names."""
    return {**BARE_SYSTEMS, **{system.name: system for system in settings.systems}}


def system_named(settings: Settings, name: str) -> System:
    """Return the configured system, else the bare one of that name. Raises ConfigurationError."""
    known = known_systems(settings)
    if name in known:
        return known[name]
    raise ConfigurationError(f'unknown system "{name}": use one of {", ".join(sorted(known))}')


def try_out(content: bytes, source: System, destination: System, router: Router, settings: Settings) -> DryRun:
    """Convert the content as the transform stage would; every failure is in the result's `error`."""
    limit_seconds = settings.transform.message_timeout.total_seconds()
    now = time.time()
    envelope = Envelope(new_message_id(now), None, (), source.name, Client("127.0.0.1", "localhost"), now)
    try:
        with deadline(limit_seconds):
            context = Context(
                envelope,
                source,
                destination,
                router,
                settings.transform,
                settings.hostname,
                now,
                budget=budget_for(len(content), settings.transform),
            )
            conversion = convert(content, context, ORDER)
    except MalformedMessage as error:
        return DryRun(content, content, error=f"malformed: {error}")
    except DeadlineExceeded:
        return DryRun(content, content, error=f"timeout: not converted within {limit_seconds:g} s")
    failures = [f"{report.step.name}: {report.failure!r}" for report in conversion.reports if report.failure]
    return DryRun(
        original=content,
        converted=apply(content, () if conversion.stopped else conversion.edits),
        steps=tuple((report.step.name, report.edits) for report in conversion.reports),
        error="; ".join(failures) or None,
    )
