"""Sends a message as a mail server does: to the hosts that the MX records name, by preference, over verified STARTTLS.

python send.py SENDER RECIPIENT [SUBJECT]
"""

from __future__ import annotations

import smtplib
import ssl
import sys
import time
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate, make_msgid

import dns.resolver
from dns.rdtypes.ANY.MX import MX

GATEWAY = "causeway.example.com"
PORT = 2525
CA = "/tls/ca.crt"
TIMEOUT_SECONDS = 5.0
PATIENCE_SECONDS = 30.0
"""How long it goes on while no host takes the message for now; a mail server goes on for days."""


def exchanges(name: str) -> list[tuple[int, str]]:
    """Return preference and host of each MX record, the preferred first (RFC 5321 section 5.1)."""
    records = (record for record in dns.resolver.resolve(name, "MX") if isinstance(record, MX))
    return sorted((record.preference, record.exchange.to_text(omit_final_dot=True)) for record in records)


def message(sender: str, recipient: str, subject: str) -> bytes:
    """Return a small message."""
    made = EmailMessage(SMTP)
    made["From"], made["To"], made["Subject"] = sender, recipient, subject
    made["Date"], made["Message-ID"] = formatdate(), make_msgid(domain="example.com")
    made.set_content(f"From {sender}, by MX records.\n")
    return made.as_bytes()


def taken(reply: tuple[int, bytes]) -> str:
    """Return a reply's text. Raises SMTPResponseException unless it is a 250."""
    code, text = reply
    if code != 250:
        raise smtplib.SMTPResponseException(code, text.decode())
    return f"{code} {text.decode()}"


def deliver(host: str, sender: str, recipient: str, content: bytes) -> str:
    """Hand the message to a host; return its reply. Raises OSError, of which smtplib's errors are kinds."""
    with smtplib.SMTP(host, PORT, timeout=TIMEOUT_SECONDS) as client:
        client.starttls(context=ssl.create_default_context(cafile=CA))  # for this host's name, or not at all
        client.ehlo()
        taken(client.mail(sender))
        taken(client.rcpt(recipient))
        return taken(client.data(content))


def attempt(sender: str, recipient: str, content: bytes) -> bool | None:
    """Try host after host, and say what each answered. Return whether one took the message; None for not yet."""
    for preference, host in exchanges(GATEWAY):
        try:
            answer = deliver(host, sender, recipient, content)
        except OSError as error:
            print(f"MX {preference} {host}: {error}", flush=True)  # noqa: T201 (for a terminal)
            if isinstance(error, smtplib.SMTPResponseException) and error.smtp_code >= 500:
                return False
        else:
            print(f"MX {preference} {host}: {answer}", flush=True)  # noqa: T201 (for a terminal)
            return True
    return None


def main() -> int:
    """Send one message; return the exit code."""
    sender, recipient, *subject = sys.argv[1:]
    content = message(sender, recipient, *(subject or ["Hello"]))
    end = time.monotonic() + PATIENCE_SECONDS
    while (done := attempt(sender, recipient, content)) is None and time.monotonic() < end:
        time.sleep(1)
    return 0 if done else 1


if __name__ == "__main__":
    sys.exit(main())
