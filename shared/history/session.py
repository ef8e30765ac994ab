"""What happens in ingress before a message is accepted: commands, messages and sessions that were refused."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from shared.history.base import Event
from shared.history.reasons import RefusalReason


@dataclass(frozen=True, slots=True)
class MessageRefused(Event):
    """A command or a message was refused; the session goes on.

    client: IP address. helo: the name it gave. sender: of the open transaction; empty for the null sender.
    """

    name = "message.refused"
    level = logging.WARNING

    reason: RefusalReason
    reply: str
    client: str
    tls: str | None = None
    helo: str | None = None
    sender: str | None = None


@dataclass(frozen=True, slots=True)
class SessionRefused(Event):
    """A session was ended with a refusal, or never began. client: IP address.

    reply: None where none could be sent. cause: of a failed handshake or PROXY header.
    """

    name = "session.refused"
    level = logging.WARNING

    reason: RefusalReason
    client: str
    reply: str | None = None
    cause: str | None = None
    tls: str | None = None
    helo: str | None = None
    sender: str | None = None


@dataclass(frozen=True, slots=True)
class RecipientRefused(Event):
    """A recipient has no route, or is unknown to its system, so it was refused. system: the client's."""

    name = "recipient.refused"

    recipient: str
    system: str
    cause: str


@dataclass(frozen=True, slots=True)
class SessionCrashed(Event):
    """A session met a bug and was ended with 421. The log has the traceback as well."""

    name = "session.crashed"
    level = logging.ERROR

    client: str
    tls: str | None = None
    helo: str | None = None
    sender: str | None = None


@dataclass(frozen=True, slots=True)
class SessionsAborted(Event):
    """Sessions that were still open at the end of `shutdown_timeout` were cut off. sessions: how many."""

    name = "sessions.aborted"
    level = logging.WARNING

    sessions: int


@dataclass(frozen=True, slots=True)
class ConnectionLost(Event):
    """A connection could not be accepted: no file descriptor is left, or the client had gone."""

    name = "connection.lost"
    level = logging.ERROR

    cause: str
