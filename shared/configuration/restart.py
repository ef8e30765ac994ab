"""Which settings take effect when a running service reads them again, and which only when it is restarted.

The rule: a key needs a restart where it decides a listening socket, the connection to Redis, a lease, or how long a
supervisor waits for a process, since all of these last as long as the process. Everything else is taken over. The list
of systems needs a restart where systems are added, removed or renamed, get their first smart host or lose their last:
each is a queue with its own worker. The keys of a system are taken over.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from shared.configuration.settings import Settings
from shared.configuration.systems import System

NEEDS_RESTART = (
    "redis",
    "http",
    "ingress.listen",
    "ingress.listen_tls",
    "ingress.shutdown_timeout",
    "transform.lease",
    "transform.max_crashes",
    "transform.message_timeout",
    "egress.lease",
    "egress.max_crashes",
    "egress.shutdown_timeout",
)
"""Sections and keys; `systems` beside them, see above."""


@dataclass(frozen=True, slots=True)
class Merged:
    """Settings for a running service. changed: the keys that differ from before. kept: those that need a restart."""

    settings: Settings
    changed: tuple[str, ...]
    kept: tuple[str, ...]


def merge(running: Settings, read: Settings) -> Merged:
    """Return what was read, with the values of the running service where a restart is needed for others."""
    merged = read
    for key in NEEDS_RESTART:
        merged = _with(merged, key.split("."), running)
    if _queues(running.systems) != _queues(read.systems):
        merged = _with(merged, ["systems"], running)
    return Merged(merged, tuple(differences(running, merged)), tuple(differences(merged, read)))


def differences(old: Any, new: Any, key: str = "") -> Iterator[str]:
    """Yield the keys in which two settings differ, written as in a fault: `systems[0].smart_hosts[1].weight`."""
    if isinstance(old, BaseModel) and isinstance(new, BaseModel) and type(old) is type(new):
        for name in type(old).model_fields:
            yield from differences(getattr(old, name), getattr(new, name), f"{key}.{name}".lstrip("."))
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for index, (before, after) in enumerate(zip(old, new, strict=True)):
            if isinstance(before, BaseModel):
                yield from differences(before, after, f"{key}[{index}]")
            elif before != after:
                yield key
                return
    elif old != new:
        yield key


def _with(target: BaseModel, path: list[str], source: BaseModel) -> Any:
    """Return the target with the value that the source has at a path."""
    name, *rest = path
    value = getattr(source, name)
    return target.model_copy(update={name: _with(getattr(target, name), rest, value) if rest else value})


def _queues(systems: list[System]) -> list[tuple[str, bool]]:
    return [(system.name, bool(system.smart_hosts)) for system in systems]
