"""Every reply that ingress gives for good or ill, each once. What the peer is told is generic; causes go to the log.

A `Refusal` bears the reason under which `causeway_messages_refused_total` counts it.
"""

from __future__ import annotations

from dataclasses import dataclass

from shared.mail.reply import Reply


@dataclass(frozen=True, slots=True)
class Refusal(Reply):
    """A 4yz or 5yz reply. reason: one of few words, a metric's label. closes: whether the session ends with it."""

    reason: str = "syntax"
    closes: bool = False


OK = Reply(250, "OK", "2.0.0")
SENDER_OK = Reply(250, "Sender OK", "2.1.0")
RECIPIENT_OK = Reply(250, "Recipient OK", "2.1.5")
CANNOT_VERIFY = Reply(252, "Cannot verify; send the message to find out", "2.5.0")
SEND_DATA = Reply(354, "End data with <CR><LF>.<CR><LF>")
START_TLS = Reply(220, "Ready to start TLS", "2.0.0")
BYE = Reply(221, "Bye", "2.0.0")
HELP = Reply(214, "See RFC 5321", "2.0.0")


def queued(message_id: str) -> Reply:
    """Return the reply to a message that is durable: from here on it is ours."""
    return Reply(250, f"queued as {message_id}", "2.0.0")


def chunk_taken(octets: int) -> Reply:
    """Return the reply to a chunk that is not the last (RFC 3030 section 2)."""
    return Reply(250, f"{octets} octets received", "2.0.0")


# The session as a whole. Codes 421 close it (RFC 5321 section 3.8).
SHUTTING_DOWN = Refusal(421, "Shutting down, try again", "4.3.2", "shutdown", closes=True)
TOO_MANY_SESSIONS = Refusal(421, "Too many sessions, try again later", "4.3.2", "limit", closes=True)
TOO_MANY_FROM_CLIENT = Refusal(421, "Too many sessions from your address", "4.7.0", "limit", closes=True)
TOO_MANY_ERRORS = Refusal(421, "Too many errors", "4.7.0", "limit", closes=True)
TOO_MANY_COMMANDS = Refusal(421, "Too many commands", "4.7.0", "limit", closes=True)
TIMED_OUT = Refusal(421, "Timed out", "4.4.2", "timeout", closes=True)
FAULT = Refusal(421, "Local error, try again", "4.3.0", "fault", closes=True)
INPUT_TOO_EARLY = Refusal(503, "Input before our reply", "5.5.0", "sequence", closes=True)

# Syntax and sequence (RFC 5321 section 4.2.4, RFC 3463 section 3.6)
UNKNOWN_COMMAND = Refusal(500, "Command not recognized", "5.5.1")
LINE_TOO_LONG = Refusal(500, "Line too long", "5.5.2")
NOT_IMPLEMENTED = Refusal(502, "Command not implemented", "5.5.1")
HELLO_SYNTAX = Refusal(501, "Syntax: EHLO name", "5.5.2")
MAIL_SYNTAX = Refusal(501, "Syntax: MAIL FROM:<address> [parameters]", "5.5.2")
RCPT_SYNTAX = Refusal(501, "Syntax: RCPT TO:<address> [parameters]", "5.5.2")
BDAT_SYNTAX = Refusal(501, "Syntax: BDAT octets [LAST]", "5.5.2", closes=True)  # where the chunk ends is unknown
NO_ARGUMENTS = Refusal(501, "The command takes no arguments", "5.5.4")
BAD_SENDER = Refusal(501, "Bad sender address", "5.1.7")
BAD_RECIPIENT = Refusal(501, "Bad recipient address", "5.1.3")
NEEDS_SMTPUTF8 = Refusal(553, "The address needs SMTPUTF8", "5.6.7")
BAD_PARAMETER = Refusal(501, "Bad parameter", "5.5.4")
UNKNOWN_PARAMETER = Refusal(555, "Parameter not recognized", "5.5.4")
HELLO_FIRST = Refusal(503, "EHLO first", "5.5.1", "sequence")
NESTED_MAIL = Refusal(503, "Sender already given", "5.5.1", "sequence")
MAIL_FIRST = Refusal(503, "MAIL first", "5.5.1", "sequence")
NO_RECIPIENTS = Refusal(554, "No valid recipients", "5.5.1", "sequence")
NOT_AMID_CHUNKS = Refusal(503, "Not while chunks are being sent", "5.5.1", "sequence")
TLS_IN_USE = Refusal(503, "TLS is in use already", "5.5.1", "sequence")

# Policy
TLS_REQUIRED = Refusal(530, "STARTTLS first", "5.7.0", "tls")
CLIENT_UNKNOWN = Refusal(550, "You may not send mail here", "5.7.1", "client")
NO_ROUTE = Refusal(550, "Relaying denied", "5.7.1", "route")
UNKNOWN_RECIPIENT = Refusal(550, "No such recipient here", "5.1.1", "recipient")
TOO_MANY_RECIPIENTS = Refusal(452, "Too many recipients", "4.5.3", "recipients")
TOO_LARGE = Refusal(552, "Message too large", "5.3.4", "size")
HEADER_TOO_LARGE = Refusal(552, "Header too large", "5.3.4", "size")
BARE_NEWLINE = Refusal(550, "Bare CR or LF", "5.6.11", "bare_newline")
DOUBTFUL_END = Refusal(550, "Bare CR or LF", "5.6.11", "bare_newline", closes=True)
MAIL_LOOP = Refusal(554, "Mail loop", "5.4.6", "loop")

# Back-pressure
SPOOL_FULL = Refusal(452, "Insufficient storage, try again later", "4.3.1", "spool_full")
SPOOL_AWAY = Refusal(451, "Storage not available, try again later", "4.3.0", "spool_away")
TOO_MUCH_IN_FLIGHT = Refusal(452, "Too much mail at once, try again later", "4.3.1", "in_flight")
