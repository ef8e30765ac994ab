"""The time that each conversion step takes, measured over the mix in this process."""

from __future__ import annotations

import random
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from typing import ParamSpec, TypeVar

from bench import messages
from bench.figures import sized, table
from bench.runs import Result
from services.demo.gateway import OTHER
from services.transform.pipeline import Context, convert
from services.transform.steps import ORDER
from shared.configuration.settings import Settings
from shared.mail.envelope import Client, Envelope, new_message_id
from shared.routing.router import Router
from tests.support.systems import EXCHANGE, NOTES

P = ParamSpec("P")
T = TypeVar("T")

SETTINGS = Settings(systems=[NOTES.model_copy(update={"notes_domains": ["ACME"]}), EXCHANGE])
DIRECTORY = Router(SETTINGS.systems)


def context(source: str) -> Context:
    """Return the context of a message from one of the two systems to the other."""
    now = time.time()
    envelope = Envelope(new_message_id(now), None, (), source, Client("127.0.0.1", "localhost"), now)
    systems = SETTINGS.system(source), SETTINGS.system(OTHER[source])
    return Context(envelope, *systems, DIRECTORY, SETTINGS.transform, SETTINGS.hostname, now)


def measure(size: int, repeats: int) -> Result:
    """Return the microseconds that each step takes of a message of the mix on average, and of the whole conversion."""
    spent: dict[str, float] = defaultdict(float)
    timed = [
        replace(step, applies=_timed(step.applies, spent, step.name), change=_timed(step.change, spent, step.name))
        for step in ORDER
    ]
    prepared = [
        (context(kind.source), messages.numbered(kind.make(size, random.Random(number)).encode(), number))
        for number, kind in enumerate(messages.mix())
    ]
    whole = 0.0
    for turn in range(repeats + 1):
        if turn == 1:  # the first warms caches
            spent.clear()
            whole = 0.0
        for message, content in prepared:
            began = time.perf_counter()
            convert(content, message, timed)
            whole += time.perf_counter() - began
    converted = repeats * len(prepared)
    found = {name: seconds / converted * 1e6 for name, seconds in spent.items()}
    found["parsing and composing"] = whole / converted * 1e6 - sum(found.values())
    return {"size": size, "microseconds": found}


def _timed(function: Callable[P, T], spent: dict[str, float], name: str) -> Callable[P, T]:
    def timed(*args: P.args, **kwargs: P.kwargs) -> T:
        began = time.perf_counter()
        try:
            return function(*args, **kwargs)
        finally:
            spent[name] += time.perf_counter() - began

    return timed


def table_of(sizes: list[Result]) -> str:
    """Return the figures for a person, the dearest step first."""
    first = sizes[0]["microseconds"]
    rows = [
        (name, *(f"{row['microseconds'].get(name, 0):,.1f}" for row in sizes))
        for name in sorted(first, key=lambda name: -first[name])
    ]
    whole = ("all", *(f"{sum(row['microseconds'].values()):,.1f}" for row in sizes))
    return table(("step, µs a message of the mix", *(sized(row["size"]) for row in sizes)), [*rows, whole])
