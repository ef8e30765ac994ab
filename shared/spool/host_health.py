"""What all replicas know of the smart hosts of one system: a hash of host to JSON, changed only by who read it last."""

from __future__ import annotations

from shared.spool import keys
from shared.spool.operation import Command, Operation, Script


def read_host_health(system: str) -> Operation[dict[str, str]]:
    """Return the state of each host that ever failed, as it was written."""
    answer: dict[bytes, bytes] | list[bytes] = yield Command("HGETALL", (keys.host_health(system),))
    pairs = answer.items() if isinstance(answer, dict) else zip(answer[::2], answer[1::2], strict=True)
    return {host.decode(): state.decode() for host, state in pairs}


def replace_host_health(system: str, host: str, before: str, after: str) -> Operation[bool]:
    """Write a host's state if it still is `before` ("" for none, also for `after`); return whether it was."""
    replaced: int = yield Script("replace_host_health", (keys.host_health(system), host, before, after))
    return bool(replaced)
