"""Every reply of ingress, each defined once. The text for the peer is generic; causes go to the log.

Texts are those of RFC 5321 and its extensions, or of Postfix where administrators know its own. A `Refusal` has the
reason under which `causeway_messages_refused_total` counts it.
"""

from __future__ import annotations

from dataclasses import dataclass

from shared.history.reasons import RefusalReason
from shared.mail.reply import Reply


@dataclass(frozen=True, slots=True)
class Refusal(Reply):
    """A 4yz or 5yz reply. reason: a metric's label, one of a few. closes: whether it ends the session."""

    reason: RefusalReason = "syntax"
    closes: bool = False


OK = Reply(250, "OK", "2.0.0")
SENDER_OK = Reply(250, "Sender OK", "2.1.0")
RECIPIENT_OK = Reply(250, "Recipient OK", "2.1.5")
CANNOT_VERIFY = Reply(252, "Cannot VRFY user, but will accept message and attempt delivery", "2.5.0")
SEND_DATA = Reply(354, "End data with <CR><LF>.<CR><LF>")
START_TLS = Reply(220, "Ready to start TLS", "2.0.0")
BYE = Reply(221, "Bye", "2.0.0")
HELP = Reply(214, "See RFC 5321", "2.0.0")


def queued(message_id: str) -> Reply:
    """Return the reply to a message that is durable: from here on we are responsible for it."""
    return Reply(250, f"queued as {message_id}", "2.0.0")


def chunk_received(octets: int) -> Reply:
    """Return the reply to a chunk that is not the last (RFC 3030 section 2)."""
    return Reply(250, f"{octets} octets received", "2.0.0")


# The session as a whole. Codes 421 close it (RFC 5321 section 3.8).
SHUTTING_DOWN = Refusal(421, "Service shutting down, closing transmission channel", "4.3.2", "shutdown", closes=True)
TOO_MANY_CONNECTIONS = Refusal(421, "Too many connections, try again later", "4.3.2", "limit", closes=True)
TOO_MANY_CONNECTIONS_FROM_CLIENT = Refusal(421, "Too many connections from your address", "4.7.0", "limit", closes=True)
TOO_MANY_ERRORS = Refusal(421, "Too many errors", "4.7.0", "limit", closes=True)
TOO_MANY_COMMANDS = Refusal(421, "Too many commands", "4.7.0", "limit", closes=True)
TIMEOUT_EXCEEDED = Refusal(421, "Timeout exceeded", "4.4.2", "timeout", closes=True)
LOCAL_ERROR = Refusal(421, "Local error in processing", "4.3.0", "fault", closes=True)
IMPROPER_PIPELINING = Refusal(503, "Improper use of pipelining", "5.5.0", "sequence", closes=True)

# Syntax and sequence (RFC 5321 section 4.2.4, RFC 3463 section 3.6)
UNKNOWN_COMMAND = Refusal(500, "Command not recognized", "5.5.1")
LINE_TOO_LONG = Refusal(500, "Line too long", "5.5.2")
NOT_IMPLEMENTED = Refusal(502, "Command not implemented", "5.5.1")
HELLO_SYNTAX = Refusal(501, "Syntax: EHLO name", "5.5.2")
MAIL_SYNTAX = Refusal(501, "Syntax: MAIL FROM:<address> [parameters]", "5.5.2")
RCPT_SYNTAX = Refusal(501, "Syntax: RCPT TO:<address> [parameters]", "5.5.2")
BDAT_SYNTAX = Refusal(501, "Syntax: BDAT count [LAST]", "5.5.2", closes=True)  # where the chunk ends is unknown
NO_PARAMETERS_ALLOWED = Refusal(501, "Syntax error (no parameters allowed)", "5.5.4")
BAD_SENDER = Refusal(501, "Bad sender address syntax", "5.1.7")
BAD_RECIPIENT = Refusal(501, "Bad recipient address syntax", "5.1.3")
NEED_SMTPUTF8 = Refusal(553, "Must declare SMTPUTF8 to send non-ASCII address", "5.6.7")
BAD_PARAMETER = Refusal(501, "Syntax error in parameters or arguments", "5.5.4")
UNKNOWN_PARAMETER = Refusal(555, "Parameter not recognized", "5.5.4")
NEED_EHLO = Refusal(503, "Send HELO/EHLO first", "5.5.1", "sequence")
NESTED_MAIL = Refusal(503, "Nested MAIL command", "5.5.1", "sequence")
NEED_MAIL = Refusal(503, "Need MAIL command", "5.5.1", "sequence")
NO_RECIPIENTS = Refusal(554, "No valid recipients", "5.5.1", "sequence")
BDAT_IN_PROGRESS = Refusal(503, "Bad sequence of commands: BDAT in progress", "5.5.1", "sequence")
TLS_ALREADY_ACTIVE = Refusal(503, "TLS already active", "5.5.1", "sequence")

# Policy
TLS_REQUIRED = Refusal(530, "Must issue a STARTTLS command first", "5.7.0", "tls")
CLIENT_NOT_AUTHORIZED = Refusal(550, "Client not authorized", "5.7.1", "client")
RELAY_ACCESS_DENIED = Refusal(550, "Relay access denied", "5.7.1", "route")
UNKNOWN_RECIPIENT = Refusal(550, "No such recipient here", "5.1.1", "recipient")
TOO_MANY_RECIPIENTS = Refusal(452, "Too many recipients", "4.5.3", "recipients")
TOO_LARGE = Refusal(552, "Message size exceeds fixed limit", "5.3.4", "size")
HEADER_TOO_LARGE = Refusal(552, "Message header size exceeds fixed limit", "5.3.4", "size")
BARE_NEWLINE = Refusal(550, "Bare <CR> or <LF> received", "5.6.11", "bare_newline")
AMBIGUOUS_END = Refusal(550, "Bare <CR> or <LF> received", "5.6.11", "bare_newline", closes=True)
TOO_MANY_HOPS = Refusal(554, "Too many hops", "5.4.6", "loop")

# Back-pressure
SPOOL_FULL = Refusal(452, "Insufficient system storage", "4.3.1", "spool_full")
SPOOL_UNAVAILABLE = Refusal(451, "Queue temporarily unavailable", "4.3.0", "spool_away")
INSUFFICIENT_RESOURCES = Refusal(452, "Insufficient system resources", "4.3.1", "in_flight")
