"""Settlement of one leased message: its deliveries with their edits, a dead letter, or a retry."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from traceback import format_exception

from services.transform.budget import budget_for
from services.transform.deadline import DeadlineExceeded, deadline
from services.transform.extra_messages import as_message
from services.transform.pipeline import Context, Conversion, Recall, Step, StepReport, convert, nothing_remembered
from services.transform.split import split_by_system
from services.transform.steps import ORDER
from services.transform.steps.addresses import leaks_after
from shared.configuration.settings import Settings
from shared.errors import MalformedMessage, SpoolError
from shared.history.conversion import AddressLeaked, StepFailed
from shared.mail.budget import Budget
from shared.mail.delivery import Delivery
from shared.mail.edits import apply
from shared.mail.envelope import Message, new_message_id
from shared.mail.report import build_report
from shared.operations import metrics
from shared.operations.log import emit
from shared.routing.router import Router
from shared.spool.lease import LeasedMessage
from shared.spool.settlement import Crashed, NewDelivery, Parked, Settlement, Transformed


def settlement_of(
    leased: LeasedMessage,
    content: bytes | None,
    router: Router,
    settings: Settings,
    *,
    now: float,
    steps: Sequence[Step] = ORDER,
    recall: Recall = nothing_remembered,
) -> Settlement:
    """Convert a message within `transform.message_timeout`; raises for no message. `now`: seconds since the epoch.

    recall: reads what earlier conversions remembered; a SpoolError of it is raised, nothing else.

    Reasons of a dead letter: `malformed`, `no_route`, `conversion`, `no_system`, `missing_content`
    (shared.history.reasons).
    """
    lease, limit = leased.lease, settings.transform.message_timeout.total_seconds()
    if content is None:
        return Parked(lease, "missing_content", "the original is no longer in the spool")
    if leased.envelope.source not in router.topology.systems:
        return Parked(lease, "no_system", f"it came from {leased.envelope.source}, which is not in `systems` any more")
    try:
        with deadline(limit), metrics.stage_seconds.labels("transform").time():
            budget = budget_for(len(content), settings.transform)
            return _Conversions(leased, content, router, settings, now, steps, recall, budget).settlement()
    except DeadlineExceeded:
        return Crashed(lease, f"timeout: not converted within {limit:g} s")
    except MalformedMessage as error:
        return Parked(lease, "malformed", str(error))
    except _StoppedError as stopped:
        if stopped.report.step.on_failure == "defer" and lease.crashes + 1 < settings.transform.max_crashes:
            return Crashed(lease, str(stopped))
        return Parked(lease, "conversion", str(stopped))
    except SpoolError:
        raise
    except Exception as error:  # noqa: BLE001 a bug: the spool limits the retries
        return Crashed(lease, _line(error), error)


class _StoppedError(Exception):
    """A mandatory step failed."""

    def __init__(self, report: StepReport, system: str) -> None:
        super().__init__(f"{report.step.name} for {system}: {_line(report.failure)}")
        self.report = report


@dataclass(frozen=True, slots=True)
class _Conversions:
    """One message converted for every system that it goes to."""

    leased: LeasedMessage
    content: bytes
    router: Router
    settings: Settings
    now: float
    steps: Sequence[Step]
    recall: Recall
    budget: Budget

    def settlement(self) -> Settlement:
        envelope, lease = self.leased.envelope, self.leased.lease
        split = split_by_system(envelope, len(self.content), self.router, self.now)
        if split.unrouted and envelope.sender is None:
            return Parked(lease, "no_route", "; ".join(rcpt.public for rcpt in split.unrouted.recipients))
        converted = [(delivery, self._conversion(delivery.system)) for delivery in split.deliveries]
        extra_messages = [
            as_message(extra, envelope, delivery, self.now)
            for delivery, conversion in converted
            for extra in conversion.extra_messages
        ]
        return Transformed(
            lease,
            tuple(NewDelivery(delivery, conversion.edits) for delivery, conversion in converted),
            (*self._failure_reports(split.unrouted), *extra_messages),
            tuple(memory for _, conversion in converted for memory in conversion.memories),
            tuple(recipient.public for recipient in split.unrouted.recipients) if split.unrouted else (),
        )

    def _failure_reports(self, unrouted: Delivery | None) -> Iterator[Message]:
        """Yield the report to the sender about recipients without a route, with the original in its system's form."""
        wanting = (
            [recipient for recipient in unrouted.recipients if not recipient.notify or "FAILURE" in recipient.notify]
            if unrouted
            else []
        )
        if unrouted and wanting:  # RFC 3461 section 4.1
            returned = apply(self.content, self._conversion(self.leased.envelope.source).edits)
            hostname, id = self.settings.hostname, new_message_id(self.now)
            yield build_report("failed", unrouted, wanting, returned, hostname=hostname, id=id, now=self.now)

    def _conversion(self, system: str) -> Conversion:
        envelope, systems = self.leased.envelope, self.router.topology.systems
        context = Context(
            envelope,
            systems[envelope.source],
            systems[system],
            self.router,
            self.settings.transform,
            self.settings.hostname,
            self.now,
            self.recall,
            self.budget,
        )
        conversion = convert(self.content, context, self.steps)
        for report in conversion.reports:
            _log_step(envelope.id, system, report)
        if conversion.stopped:
            raise _StoppedError(conversion.stopped, system)
        if leaks := leaks_after(self.content, conversion, self.router):
            metrics.internal_address_leaks.inc(leaks)
            emit(AddressLeaked(envelope.id, system, leaks))
        return conversion


def _log_step(id: str, system: str, report: StepReport) -> None:
    """Count a step, and log its failure."""
    metrics.conversions.labels(report.step.name, report.outcome).inc()
    if report.failure:
        traceback = "".join(format_exception(report.failure))
        emit(StepFailed(id, report.step.name, system, report.step.on_failure, traceback))


def _line(error: BaseException | None) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())
