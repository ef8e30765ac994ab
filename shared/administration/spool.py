"""What a console can do with a running gateway, in values: the command line and a web console are skins over it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from shared import configuration
from shared.administration.jsonable import jsonable
from shared.administration.private_file import write_private
from shared.configuration.settings import Settings
from shared.diagnosis.check import redis_away
from shared.errors import CausewayError, SpoolUnavailable
from shared.history.delivery import DeliveryParked
from shared.history.event import HistoryEvent
from shared.history.message import MessageParked
from shared.mail.edits import Edits, apply
from shared.runtime.data_folder import DataFolder
from shared.spool import keys
from shared.spool.connect import open_spool
from shared.spool.dead_letters import DeadLetter, Filter, Start, discard, list_dead, replay, show_dead
from shared.spool.gauge import QueueGauge, gauge_queue, queues
from shared.spool.history import read_history
from shared.spool.lease import contents
from shared.spool.operation import Spool
from shared.spool.retries import ScheduledRetry, flush_retries, list_retries


@dataclass(frozen=True, slots=True)
class ReadableEdit:
    """One edit with both texts: the bytes of the original at `start`, and their replacement."""

    start: int
    original: bytes
    replacement: bytes


class Causeway:
    """A gateway, seen from its console. Every method raises SpoolUnavailable where Redis is away."""

    def __init__(self, settings: Settings, spool: Spool) -> None:
        self.settings = settings
        self._spool = spool

    def queues(self) -> list[QueueGauge]:
        """Return the queues of every stage and system."""
        return [self._spool.run(gauge_queue(queue)) for queue in queues(self.settings)]

    def retries(self, system: str | None = None, limit: int | None = None) -> list[ScheduledRetry]:
        """Return the deliveries to a system, or to all, that are scheduled for a retry: the next first."""
        systems = [system] if system else [one.name for one in self.settings.systems]
        found = [retry for name in systems for retry in self._spool.run(list_retries(name, limit))]
        return sorted(found, key=lambda retry: retry.due_at)[:limit]

    def flush_retries(self, system: str, per_second: int) -> int:
        """Bring the retries to a system forward, beginning now; return how many deliveries that is."""
        return self._spool.run(flush_retries(keys.egress(system), per_second=per_second))

    def history(self, id: str) -> list[HistoryEvent]:
        """Return the events of a message, by its id or that of one of its deliveries; oldest first."""
        return self._spool.run(read_history(id)) or self._spool.run(read_history(id.partition("-")[0]))

    def dead_letters(self, wanted: Filter, limit: int | None = None) -> list[DeadLetter]:
        """Return the dead letters that a filter means, oldest first."""
        return self._spool.run(list_dead(wanted, limit))

    def dead_letters_of(self, id: str) -> list[DeadLetter]:
        """Return the dead letter of that id, or all of the message of that id. Raises CausewayError where none is."""
        if letter := self._spool.run(show_dead(id)):
            return [letter]
        events = self._spool.run(read_history(id))  # of a message; a delivery's id has no history of its own
        parked = dict.fromkeys(event.id for event in events if isinstance(event, MessageParked | DeliveryParked))
        letters = [letter for parked_id in parked if (letter := self._spool.run(show_dead(parked_id)))]
        if not letters:
            raise CausewayError(f"{id}: is no dead letter: `causeway dead list` shows those there are")
        return letters

    def content(self, message_id: str) -> bytes:
        """Return the original bytes of a message. Raises CausewayError where they are gone."""
        (content,) = self._spool.run(contents([message_id]))
        if content is None:
            raise CausewayError(f"{message_id}: its content is gone")
        return content

    def replay(self, letters: Iterable[DeadLetter], start: Start, *, dry_run: bool) -> Iterator[tuple[DeadLetter, str]]:
        """Put dead letters back to work, one after the other; yield each with what was, or would be, done."""
        for letter in letters:
            yield letter, self._spool.run(replay(letter, start, dry_run=dry_run))

    def discard(self, letters: Iterable[DeadLetter]) -> Iterator[tuple[DeadLetter, bool]]:
        """Remove dead letters for good; yield each with whether it was still there."""
        seconds = self.settings.redis.history.total_seconds()
        for letter in letters:
            yield letter, self._spool.run(discard(letter.id, seconds))

    def export(self, letters: Sequence[DeadLetter], folder: Path) -> Iterator[Path]:
        """Write the original of each letter as .eml and all that is known of it as .json; yield the .eml files.

        Where it was converted, .converted.eml is what the hosts were offered. Raises FileExistsError rather than
        overwrite a file.
        """
        for letter in letters:
            message, record = folder / f"{letter.id}.eml", folder / f"{letter.id}.json"
            content = self.content(letter.message_id)
            write_private(message, content)
            if letter.delivery:
                write_private(folder / f"{letter.id}.converted.eml", apply(content, letter.edits))
            write_private(record, json.dumps(jsonable(letter), indent=2, ensure_ascii=False).encode() + b"\n")
            yield message


def changes(content: bytes, edits: Edits) -> list[ReadableEdit]:
    """Return the edits of a content as what stood there and what stands there now."""
    return [ReadableEdit(edit.start, content[edit.start : edit.end], edit.replacement) for edit in edits]


@contextmanager
def opened(config: Path | None = None, data: Path | None = None) -> Iterator[Causeway]:
    """Open the gateway that a configuration describes. `data` is the folder of an embedded Redis."""
    settings = configuration.load(config)
    redis = settings.redis
    if redis.url == "embedded":
        redis = redis.model_copy(update={"url": DataFolder(data).url})
    spool = open_spool(redis)
    try:
        yield Causeway(settings, spool)
    except SpoolUnavailable as error:
        if settings.redis.url == "embedded":
            where = "name its folder with --data or $CAUSEWAY_DATA, or start `causeway up`"
            raise CausewayError(f"redis.url: no embedded Redis runs in {DataFolder(data).path}: {where}") from None
        raise CausewayError(redis_away(settings.redis, error)) from None
    finally:
        spool.close()
