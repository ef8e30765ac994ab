"""Free loopback ports that no other program takes before they are used.

They lie outside the range from which the kernel takes the ports of outgoing connections, in a block from which this
process alone chooses: a UDP socket on the block's first port claims it for as long as the process runs. So several
programs that choose their ports this way can run side by side.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from itertools import cycle, islice
from pathlib import Path

from services.all_services import SERVICES
from shared.errors import CausewayError

FIRST = 10_000
BLOCK = 100
"""How many ports a process has to choose from. A port is chosen again only after all the others."""
_EPHEMERAL = Path("/proc/sys/net/ipv4/ip_local_port_range")
_EPHEMERAL_BY_DEFAULT = "49152 65535"  # RFC 6335 section 6


class NoFreePort(CausewayError):
    """Fewer ports of 127.0.0.1 are free than requested."""


def is_free(port: int) -> bool:
    """Return whether a server could listen on the port of 127.0.0.1 now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_ports(count: int) -> list[int]:
    """Return so many different free ports. Raises NoFreePort, always for more than a block."""
    found = list(islice(filter(is_free, islice(_own_ports(), BLOCK)), count))
    if len(found) < count:
        raise NoFreePort(f"fewer than {count} ports of 127.0.0.1 are free: stop some other program")
    return found


def adjacent_ports() -> int:
    """Return the first of as many free ports in a row as there are services: `causeway up` gives one to each.

    Raises NoFreePort.
    """
    count = len(SERVICES)
    for _ in range(BLOCK):
        ports = free_ports(count)
        if ports == list(range(ports[0], ports[0] + count)):
            return ports[0]
    raise NoFreePort(f"no {count} ports in a row of 127.0.0.1 are free: stop another program")


@cache
def _own_ports() -> Iterator[int]:
    """Return the ports of a block that no other process chooses from, again and again."""
    for first in _blocks():
        with suppress(OSError), socket.socket(type=socket.SOCK_DGRAM) as claim:
            claim.bind(("127.0.0.1", first))
            claim.detach()  # it stays open until this process ends
            return cycle(range(first, first + BLOCK))
    raise NoFreePort("all blocks of ports of 127.0.0.1 are taken: stop some other program")


def _blocks() -> list[int]:
    """Return the first port of each block, those that no outgoing connection uses before the others."""
    text = _EPHEMERAL.read_text() if _EPHEMERAL.exists() else _EPHEMERAL_BY_DEFAULT
    low, high = map(int, text.split())
    return sorted(range(FIRST, 65_536 - BLOCK, BLOCK), key=lambda first: low - BLOCK < first <= high)
