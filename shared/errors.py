"""Every error that Causeway raises on purpose.

CausewayError
├── ConfigurationError      what an administrator wrote cannot be used; `faults` has one line each
├── MalformedMessage        bytes that are no message within the limits
├── MalformedAddress        text that is no address
├── MalformedCalendar       text that is no iCalendar object within the limits
├── MalformedTnef           bytes that are no TNEF stream
├── BudgetExceeded          a message whose conversion would use more than one message may
└── SpoolError
    ├── SpoolUnavailable    Redis cannot be reached, or broke off
    ├── SpoolTooWeak        Redis is less durable than the configuration declares
    └── SpoolFull           Redis refuses writes for want of memory, or a limit of ours is reached

Expected results of delivering mail are values (`shared.mail.outcome`), not errors.
"""


class CausewayError(Exception):
    """The base of every error that Causeway raises on purpose; its text is one line a person can act on."""


class ConfigurationError(CausewayError):
    """The configuration cannot be used. `faults`: one line each, naming file, key and remedy."""

    def __init__(self, *faults: str) -> None:
        super().__init__("; ".join(faults))
        self.faults = faults


class MalformedMessage(CausewayError):
    """The bytes are no message within the limits of `shared.mail.mime`."""


class MalformedAddress(CausewayError):
    """The text is no mail address."""


class MalformedCalendar(CausewayError):
    """The text is no iCalendar object within the limits of `services.transform.calendar.ical`."""


class MalformedTnef(CausewayError):
    """The bytes are no TNEF stream, not even a damaged one."""

    """The message cannot be made seven-bit: something signed, encrypted or in a header would change."""


class BudgetExceeded(CausewayError):
    """The conversion of the message would use more than `shared.mail.budget` gives to one."""


class SpoolError(CausewayError):
    """The spool did not take or give what was asked; nothing was half written."""


class SpoolUnavailable(SpoolError):
    """Redis cannot be reached, or the connection broke before its answer."""


class SpoolTooWeak(SpoolError):
    """Redis is less durable than `redis.durability` declares."""


class SpoolFull(SpoolError):
    """Redis refuses writes for want of memory."""
