"""Dead letters: finding, replaying, discarding and exporting them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from shared.administration.installation import Installation
from shared.administration.jsonable import jsonable
from shared.administration.messages import original_content
from shared.administration.private_file import write_private
from shared.errors import CausewayError
from shared.history.delivery import DeliveryParked
from shared.history.message import MessageParked
from shared.mail.edits import apply
from shared.spool.dead_letters import DeadLetter, Filter, Start, discard, list_dead, replay, show_dead
from shared.spool.history import read_history


def list_dead_letters(installation: Installation, wanted: Filter, limit: int | None = None) -> list[DeadLetter]:
    """Return the dead letters that match a filter, oldest first, at most `limit`."""
    return installation.spool.run(list_dead(wanted, limit))


def find_dead_letters(installation: Installation, id: str) -> list[DeadLetter]:
    """Return the dead letter of that id, or all of the message of that id. Raises CausewayError where there is none."""
    if letter := installation.spool.run(show_dead(id)):
        return [letter]
    events = installation.spool.run(read_history(id))  # of a message; a delivery's id has no history of its own
    parked = dict.fromkeys(event.id for event in events if isinstance(event, MessageParked | DeliveryParked))
    letters = [letter for parked_id in parked if (letter := installation.spool.run(show_dead(parked_id)))]
    if not letters:
        raise CausewayError(f"{id}: not a dead letter: `causeway dead list` lists them")
    return letters


def replay_dead_letters(
    installation: Installation, letters: Iterable[DeadLetter], start: Start, *, dry_run: bool
) -> Iterator[tuple[DeadLetter, str]]:
    """Put dead letters back to work, one after the other.

    Yields each with what was done, or with `dry_run` would be: "convert", "deliver", "gone" where it is no longer a
    dead letter, "busy" where another part of the message is being converted.
    """
    for letter in letters:
        yield letter, installation.spool.run(replay(letter, start, dry_run=dry_run))


def discard_dead_letters(
    installation: Installation, letters: Iterable[DeadLetter]
) -> Iterator[tuple[DeadLetter, bool]]:
    """Remove dead letters for good; yield each with whether it still existed."""
    seconds = installation.settings.redis.history.total_seconds()
    for letter in letters:
        yield letter, installation.spool.run(discard(letter.id, seconds))


def export_dead_letters(installation: Installation, letters: Sequence[DeadLetter], folder: Path) -> Iterator[Path]:
    """Write the original of each letter as .eml and all that is known of it as .json; yield the .eml files.

    Where it was converted, .converted.eml is what the hosts were offered. Raises FileExistsError rather than
    overwrite a file.
    """
    for letter in letters:
        message, record = folder / f"{letter.id}.eml", folder / f"{letter.id}.json"
        content = original_content(installation, letter.message_id)
        write_private(message, content)
        if letter.delivery:
            write_private(folder / f"{letter.id}.converted.eml", apply(content, letter.edits))
        write_private(record, json.dumps(jsonable(letter), indent=2, ensure_ascii=False).encode() + b"\n")
        yield message
