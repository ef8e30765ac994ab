"""One dead letter as a person reads it: why it is here, what was tried, what its header says, what was changed."""

from __future__ import annotations

from dataclasses import asdict

from services.cli.output import print_json, print_table, printable, when
from shared.administration.spool import ReadableEdit, changes
from shared.mail.delivery import Delivery
from shared.spool.dead_letters import DeadLetter

LONGEST_CHANGE = 400
"""Octets of a change that are shown; the export has all of them."""


def print_letter(letter: DeadLetter, content: bytes, *, as_json: bool) -> None:
    """Print everything known of a letter."""
    edits = changes(content, letter.edits)
    if as_json:
        print_json({**asdict(letter), "header": _text(_header(content)), "changes": edits})
        return
    envelope, client = letter.envelope, letter.envelope.client
    print(f"{letter.id}: {letter.reason} in {letter.stage}, parked {when(letter.parked_at)}")
    print(f"  detail    {printable(letter.detail)}")
    print(f"  message   {letter.message_id}, {len(content)} octets, accepted {when(envelope.received_at)}")
    print(f"  from      {printable(envelope.sender or '<>')}")
    print(f"  client    {client.address} of {envelope.source}, {client.tls or 'no TLS'}")
    for recipient in envelope.recipients:
        print(f"  to        {printable(recipient.address)}")
    if letter.delivery:
        _print_delivery(letter.delivery)
    print("\nheader")
    for line in _text(_header(content)).splitlines():
        print(f"  {printable(line)}")
    if letter.delivery:
        print("\nchanges" if edits else "\nno changes")
    for change in edits:
        _print_change(change)


def _print_delivery(delivery: Delivery) -> None:
    print(f"  delivery  to {delivery.system}, attempts: {delivery.attempts}")
    print()
    print_table(
        ("RECIPIENT", "STATE", "HOST", "REPLY"),
        [
            (
                one.address,
                one.state,
                one.host,
                f"{one.reply}{' (may have arrived)' if one.ambiguous else ''}" if one.reply else None,
            )
            for one in delivery.recipients
        ],
    )


def _header(content: bytes) -> bytes:
    return content.partition(b"\r\n\r\n")[0]


def _text(octets: bytes) -> str:
    return octets.decode("utf-8", "backslashreplace")


def _print_change(change: ReadableEdit) -> None:
    print(f"  at octet {change.start}, {len(change.original)} octets became {len(change.replacement)}")
    for sign, octets in (("-", change.original), ("+", change.replacement)):
        for line in _text(octets[:LONGEST_CHANGE]).splitlines():
            print(f"    {sign} {printable(line)}")
        if len(octets) > LONGEST_CHANGE:
            print(f"    {sign} … {len(octets) - LONGEST_CHANGE} octets more")
