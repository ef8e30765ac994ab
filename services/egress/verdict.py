"""What the replies of one transaction mean for its recipients and for the host. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from services.egress.classify import SHUTTING_DOWN, Trouble, outcome, session_trouble
from services.egress.commands import Commands
from shared.mail.outcome import Deferred, Outcome
from shared.mail.reply import Reply

TOO_MANY_RECIPIENTS = frozenset({452, 552})
"""RFC 5321 section 4.5.3.1.10: 452, and 552 from those who follow RFC 821."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why recipients have no outcome. reply: the host's, or what to record for it; None where it was not asked."""

    trouble: Trouble
    reply: Reply | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """The outcomes of a transaction. Without a failure, a recipient that has none can be served by a further one."""

    outcomes: tuple[Outcome, ...]
    failure: Failure | None = None


def before_content(
    commands: Commands, replies: Sequence[Reply], lost: Reply | None, host: str
) -> tuple[Result, list[str]]:
    """Return what is decided before DATA, and the addresses that were accepted so far.

    replies: to MAIL and each RCPT, as far as they came. lost: why no more came.
    """
    mail = replies[0] if replies else None
    if mail and not mail.is_positive:
        if trouble := session_trouble(mail):
            return Result(commands.refused, Failure(trouble, mail)), []
        return Result((*commands.refused, *(outcome(address, mail, host) for address in commands.rcpts))), []
    closing = next((reply for reply in replies if reply.code == SHUTTING_DOWN), lost)
    outcomes, accepted = list(commands.refused), list[str]()
    for address, reply in zip(commands.rcpts, replies[1:], strict=False):
        if reply.is_positive:
            accepted.append(address)
        elif reply.code in TOO_MANY_RECIPIENTS and accepted:
            continue  # RFC 5321 section 4.5.3.1.10: in a further transaction
        elif reply.code != SHUTTING_DOWN:
            outcomes.append(outcome(address, reply, host))
    if closing:
        return Result(tuple(outcomes), Failure(Trouble.HOST, closing)), []
    return Result(tuple(outcomes)), accepted


def after_content(commands: Commands, accepted: Sequence[str], reply: Reply, host: str, *, complete: bool) -> Result:
    """Return what a reply to DATA or the content means for those accepted. complete: the final dot was sent."""
    if reply.code == SHUTTING_DOWN:
        return Result((), Failure(Trouble.HOST, reply))
    if reply.is_positive and not complete:
        unfounded = Reply(451, f"host replied {reply.code} before the end of the message", "4.5.0")
        return Result(tuple(Deferred(address, unfounded, host) for address in accepted))
    return Result(tuple(outcome(address, reply, host, takes_reports=commands.takes_reports) for address in accepted))


def broken_content(accepted: Sequence[str], reply: Reply, host: str, *, complete: bool) -> Result:
    """Return what a connection that broke after DATA means: after the final dot, the host may have the message."""
    if not complete:
        return Result((), Failure(Trouble.SESSION, reply))
    return Result(tuple(Deferred(address, reply, host, ambiguous=True) for address in accepted))
