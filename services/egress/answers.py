"""What DNS answered, kept for its TTL. A name is looked up once at a time, however many messages wait for its answer.

While a look-up fails or hangs, the last answer is used: no message waits long for what is known already.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Hashable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

from shared.mail.reply import Reply

Name = TypeVar("Name", bound=Hashable)
Value = TypeVar("Value")

HESITATION_SECONDS = 0.5
"""How long a look-up is waited for where there is something to go on with: many times what a name server takes."""
SHORTEST_TTL_SECONDS = 5.0
"""So that an answer with TTL 0 is not asked for with every message."""
FAILURE_TTL_SECONDS = 5.0
"""Until the next look-up after one that failed."""


@dataclass(frozen=True, slots=True)
class Found(Generic[Value]):
    """An answer, and for how many seconds it is good."""

    value: Value
    ttl: float


@dataclass(frozen=True, slots=True)
class Answer(Generic[Value]):
    """failure: of the newest look-up; the value is that of the last that succeeded, None where none has."""

    value: Value | None
    failure: Reply | None
    good_until: float


@dataclass(frozen=True, slots=True)
class _Query:
    """A look-up under way. hesitation_ends: until when it is waited for where there is something to go on with."""

    task: asyncio.Task[None]
    hesitation_ends: float


class Answers(Generic[Name, Value]):
    """The answers to one kind of question, for one event loop. ask: looks a name up; a Reply says why it failed."""

    def __init__(self, ask: Callable[[Name], Awaitable[Found[Value] | Reply]]) -> None:
        self._ask = ask
        self._known: dict[Name, Answer[Value]] = {}
        self._asking: dict[Name, _Query] = {}

    async def of(self, name: Name) -> Value | Reply:
        """Return the answer; a Reply says why there is none. An older one, or failure, is used as in `refresh`."""
        await self.refresh([name], lambda: name in self._known)
        known = self._known[name]
        if known.value is not None:
            return known.value
        assert known.failure
        return known.failure

    def value(self, name: Name) -> Value | None:
        """Return the last answer, however old; None where there is none."""
        known = self._known.get(name)
        return known.value if known else None

    def failure(self, name: Name) -> Reply | None:
        """Return why the newest look-up failed; None where it did not, or is the first."""
        known = self._known.get(name)
        return known.failure if known else None

    async def refresh(self, names: Iterable[Name], is_enough: Callable[[], bool]) -> None:
        """Look up, side by side, the names whose answer is no longer good, and wait for their answers.

        Once the answers are enough to go on with, each look-up has half a second from its start, and none at all where
        the one before it failed. It goes on in the background.
        """
        queries = [self._ask_once(name) for name in dict.fromkeys(names) if not self._is_good(name)]
        while pending := [query for query in queries if not query.task.done()]:
            patience = None
            if is_enough():
                patience = max(query.hesitation_ends for query in pending) - time.monotonic()
                if patience <= 0:
                    break
            await asyncio.wait([query.task for query in pending], timeout=patience, return_when=asyncio.FIRST_COMPLETED)
        for query in queries:
            if query.task.done():
                query.task.result()  # raises what is a bug of ours

    def _is_good(self, name: Name) -> bool:
        known = self._known.get(name)
        return known is not None and time.monotonic() < known.good_until

    def _ask_once(self, name: Name) -> _Query:
        if name not in self._asking:
            hesitation = 0.0 if self.failure(name) else HESITATION_SECONDS
            task = asyncio.create_task(self._look_up(name))
            self._asking[name] = _Query(task, time.monotonic() + hesitation)
            task.add_done_callback(lambda _: self._asking.pop(name))
        return self._asking[name]

    async def _look_up(self, name: Name) -> None:
        found = await self._ask(name)
        if isinstance(found, Reply):
            self._known[name] = Answer(self.value(name), found, time.monotonic() + FAILURE_TTL_SECONDS)
        else:
            ttl = max(found.ttl, SHORTEST_TTL_SECONDS)
            self._known[name] = Answer(found.value, None, time.monotonic() + ttl)
