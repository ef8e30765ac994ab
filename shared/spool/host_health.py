"""Health of the smart hosts of one system, shared by all replicas: a hash of host to JSON, set by compare and set."""

from __future__ import annotations

from shared.spool import keys
from shared.spool.operation import Command, Operation, Script


def read_host_health(system: str) -> Operation[dict[str, str]]:
    """Return the state of each host that ever failed, as stored."""
    answer: dict[bytes, bytes] | list[bytes] = yield Command("HGETALL", (keys.host_health(system),))
    pairs = answer.items() if isinstance(answer, dict) else zip(answer[::2], answer[1::2], strict=True)
    return {host.decode(): state.decode() for host, state in pairs}


def replace_host_health(system: str, host: str, before: str, after: str) -> Operation[bool]:
    """Replace a host's state if it is still `before`; return whether it was. "" means no state, in both arguments."""
    replaced: int = yield Script("replace_host_health", (keys.host_health(system), host, before, after))
    return bool(replaced)
