"""`causeway dead show`: one dead letter: its reason, the attempts, its header, and what was changed."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from services.cli.dead_selection import ID
from services.cli.options import Commands, add_command, add_json, add_spool
from services.cli.output import print_json, print_table, printable, when
from shared.administration.dead_letters import find_dead_letters
from shared.administration.installation import open_installation
from shared.administration.messages import Replacement, original_content, replacements
from shared.mail.delivery import Delivery, DeliveryRecipient
from shared.spool.dead_letters import DeadLetter

LONGEST_CHANGE = 400
"""Bytes of a change that are shown; the export has all of them."""


def add(commands: Commands) -> None:
    """Register the command."""
    parser = add_command(commands, "show", "show one dead letter: its reason, the attempts, what was changed", run)
    parser.add_argument("id", metavar="ID", help=ID)
    add_spool(parser)
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Print everything known of one letter, or of each of a message."""
    with open_installation(options.config, options.data) as installation:
        found = find_dead_letters(installation, options.id)
        letters = [(letter, original_content(installation, letter.message_id)) for letter in found]
    for letter, content in letters:
        _print_letter(letter, content, as_json=options.json)
    return 0


def _print_letter(letter: DeadLetter, content: bytes, *, as_json: bool) -> None:
    """Print everything known of a letter."""
    edits = replacements(content, letter.edits)
    if as_json:
        print_json({**asdict(letter), "header": _text(_header(content)), "changes": edits})
        return
    envelope, client = letter.envelope, letter.envelope.client
    print(f"{letter.id}: {letter.reason} in {letter.stage}, parked {when(letter.parked_at)}")
    print(f"  detail    {printable(letter.detail)}")
    print(f"  message   {letter.message_id}, {len(content)} bytes, accepted {when(envelope.received_at)}")
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
                recipient.address,
                recipient.state,
                recipient.host,
                _reply(recipient),
            )
            for recipient in delivery.recipients
        ],
    )


def _reply(recipient: DeliveryRecipient) -> str | None:
    if recipient.reply is None:
        return None
    return f"{recipient.reply}{' (may have been delivered)' if recipient.ambiguous else ''}"


def _header(content: bytes) -> bytes:
    return content.partition(b"\r\n\r\n")[0]


def _text(text: bytes) -> str:
    return text.decode("utf-8", "backslashreplace")


def _print_change(change: Replacement) -> None:
    print(f"  at byte {change.start}, {len(change.original)} bytes became {len(change.replacement)}")
    for sign, text in (("-", change.original), ("+", change.replacement)):
        for line in _text(text[:LONGEST_CHANGE]).splitlines():
            print(f"    {sign} {printable(line)}")
        if len(text) > LONGEST_CHANGE:
            print(f"    {sign} … {len(text) - LONGEST_CHANGE} more bytes")
