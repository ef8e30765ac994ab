"""A conversion step, and how steps run one after another over one message for one destination. Pure.

Each step sees the text that the steps before it left, and returns edits over that text; the pipeline composes them into
edits over the original. To add a step, write a file in `steps/` and put it into `services.transform.steps.ORDER`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Literal

from services.transform.step_clock import StepClock, StepTimeExceeded, step_clock
from shared.configuration.systems import System
from shared.configuration.transform import TransformSettings
from shared.errors import BudgetExceeded, SpoolError
from shared.mail.budget import Budget
from shared.mail.edits import Edit, Edits, apply, compose
from shared.mail.envelope import Envelope
from shared.mail.mime import Entity, parse
from shared.routing.router import Router
from shared.spool.memory import Memory, Remember

OnFailure = Literal["pass", "defer", "dead_letter"]


@dataclass(frozen=True, slots=True)
class StepMessage:
    """The text a step works on, and its tree: every offset in `root` points into `content`."""

    content: bytes
    root: Entity


Recall = Callable[[str], Memory]

_RECORD_BYTES = 3072
_RECIPIENT_BYTES = 384


def spooled_size(content: bytes, recipients: int) -> int:
    """Return about how many bytes a message takes in the spool: content, record, job, history and delivery."""
    return len(content) + _RECORD_BYTES + recipients * _RECIPIENT_BYTES


def nothing_remembered(_key: str) -> Memory:
    """Remember nothing, as a dry run does."""
    return Memory()


@dataclass(frozen=True, slots=True)
class Context:
    """The input of a step besides the text.

    envelope: as accepted. recall: what an earlier conversion remembered under a key (one read from the spool, so asked
    only by a step that needs it). now: seconds since the epoch. budget: what the message may still use; a step that
    multiplies charges what it makes, and lets BudgetExceeded fail it where it has nothing smaller to make.
    """

    envelope: Envelope
    source: System
    destination: System
    router: Router
    settings: TransformSettings = field(default_factory=TransformSettings)
    hostname: str = "localhost"
    now: float = 0.0
    recall: Recall = nothing_remembered
    budget: Budget = field(default_factory=Budget)

    def extra_message(
        self, content: bytes, recipients: tuple[str, ...] | None = None, *, is_notice: bool = False
    ) -> ExtraMessage:
        """Return a message to be sent beside, charged to the budget, as `ExtraMessage`. Raises BudgetExceeded."""
        addressed = len(self.envelope.recipients) if recipients is None else len(recipients)
        self.budget.spend("extra_messages")
        self.budget.spend("extra_bytes", spooled_size(content, addressed))
        return ExtraMessage(content, recipients, is_notice)

    def affords(self, contents: Sequence[bytes], times: int) -> bool:
        """Whether so many messages like these, to the recipients of the converted one, could be sent beside it."""
        size = max(spooled_size(content, len(self.envelope.recipients)) for content in contents)
        return self.budget.affords("extra_messages", times) and self.budget.affords("extra_bytes", times * size)


@dataclass(frozen=True, slots=True)
class ExtraMessage:
    """A message that a step sends beside the one it converts; made by `Context.extra_message`, which charges it.

    recipients: None for those of the converted message at this destination; else addresses, as in RCPT TO. is_notice:
    from the gateway itself, with the null sender; otherwise from the sender of the converted message.
    """

    content: bytes
    recipients: tuple[str, ...] | None = None
    is_notice: bool = False


@dataclass(frozen=True, slots=True)
class StepResult:
    """What a step makes of a message: edits over its text, extra messages, and what is to be remembered.

    failure: why a part of the message could not be converted, where the step went on without it.
    """

    edits: Edits = ()
    extra_messages: tuple[ExtraMessage, ...] = ()
    memories: tuple[Remember, ...] = ()
    failure: Exception | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """One conversion.

    name: in metrics, events and dry-run reports. applies: whether the step concerns this message; cheap.
    change: the edits, over `message.content`, sorted and not overlapping, none where nothing is to change; and, as a
    `StepResult`, what else the message asks for.
    on_failure: the handling of the message if the step raises: `pass` continues without the step, `defer` tries the
    message again a bounded number of times, `dead_letter` parks it at once.
    """

    name: str
    description: str
    applies: Callable[[StepMessage, Context], bool]
    change: Callable[[StepMessage, Context], Edits | StepResult]
    on_failure: OnFailure


@dataclass(frozen=True, slots=True)
class StepReport:
    """What one step did: how many edits it made, and the exception that it raised or met."""

    step: Step
    edits: int
    failure: Exception | None = None

    @property
    def outcome(self) -> Literal["changed", "unchanged", "failed"]:
        """The label of `causeway_conversions_total`."""
        if self.failure is not None:
            return "failed"
        return "changed" if self.edits else "unchanged"


@dataclass(frozen=True, slots=True)
class Conversion:
    """A message converted for one destination: edits over the original, and a report from each step that applied.

    `stopped` is the report of a mandatory step that failed; the edits are then invalid. root: the
    tree of the text that the last step saw.
    """

    edits: tuple[Edit, ...]
    reports: tuple[StepReport, ...]
    stopped: StepReport | None = None
    extra_messages: tuple[ExtraMessage, ...] = ()
    memories: tuple[Remember, ...] = ()
    root: Entity | None = None


def convert(content: bytes, context: Context, steps: Sequence[Step]) -> Conversion:
    """Run the steps in order over the original text for one destination.

    Raises MalformedMessage when the text is no message within the limits of `shared.mail.mime`, and SpoolError where a
    step cannot recall; nothing else for any text. The text is parsed once, and again only when a step follows one that
    changed it; a step that leaves no such message has failed.
    """
    with nullcontext(StepClock()) if context.budget.step_seconds is None else step_clock() as clock:
        return _convert(content, context, steps, clock)


def _convert(content: bytes, context: Context, steps: Sequence[Step], clock: StepClock) -> Conversion:
    message = StepMessage(content, parse(content)) if steps else None
    edits: tuple[Edit, ...] = ()
    extra_messages: list[ExtraMessage] = []
    memories: list[Remember] = []
    reports: list[StepReport] = []
    for step in steps:
        assert message
        seconds = context.budget.step_seconds if step.on_failure == "pass" else None
        failure: Exception | None = None
        try:
            clock.start(seconds)
            if not step.applies(message, context):
                continue
            change = step.change(message, context)
            made = tuple(change.edits if isinstance(change, StepResult) else change)
            after, composed = message, edits
            if made:
                _charge(made, context.budget)
                text = apply(message.content, made)
                if step is not steps[-1]:  # the text after the last step is not read
                    after = StepMessage(text, parse(text))
                composed = tuple(compose(edits, made))
        except SpoolError:
            raise
        except StepTimeExceeded:
            failure = BudgetExceeded(f"the step needs more than {seconds:.2g} s of processor time")
        except Exception as error:  # noqa: BLE001 a step is a plug-in: whatever it raises is its own failure
            failure = error
        finally:
            used = clock.stop()
            if seconds is not None:
                context.budget.spend_seconds(used)
        if failure:
            reports.append(StepReport(step, 0, failure))
            if step.on_failure != "pass":
                return Conversion(edits, tuple(reports), stopped=reports[-1])
            continue
        message, edits = after, composed
        if isinstance(change, StepResult):
            extra_messages += change.extra_messages
            memories += change.memories
        reports.append(StepReport(step, len(made), change.failure if isinstance(change, StepResult) else None))
    root = message.root if message else None
    return Conversion(edits, tuple(reports), extra_messages=tuple(extra_messages), memories=tuple(memories), root=root)


def _charge(made: Sequence[Edit], budget: Budget) -> None:
    budget.spend("edits", len(made))
    budget.spend("text_bytes", sum(len(edit.replacement) for edit in made))
