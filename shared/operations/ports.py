"""The addresses that a gateway listens on: which they are, whether two of them clash, whether they can be had."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterator
from itertools import combinations

from shared.operations.settings import Settings, parse_listen

EVERYWHERE = frozenset({"", "0.0.0.0", "::"})  # noqa: S104 (compared with, not bound to)
SERVICES_OF_UP = 3


def http_listen(settings: Settings, offset: int) -> str | None:
    """Return the address of one service's HTTP on a machine that runs all: the port of the file, one more, two more."""
    if settings.http.listen is None:
        return None
    host, port = parse_listen(settings.http.listen)
    return f"{bracketed(host)}:{port and port + offset}"


def bracketed(host: str) -> str:
    """Return a host as it stands before a port."""
    return f"[{host}]" if ":" in host else host


def listening(settings: Settings, services: int) -> list[tuple[str, str]]:
    """Return the key and the address of each listener where so many services, each with its HTTP, share a machine."""
    ingress = settings.ingress
    keys = ["http.listen", *(f"http.listen+{offset}" for offset in range(1, services))]
    http = ((key, http_listen(settings, offset)) for offset, key in enumerate(keys))
    return [
        *(("ingress.listen", one) for one in ingress.listen),
        *(("ingress.listen_tls", one) for one in ingress.listen_tls),
        *((key, one) for key, one in http if one),
    ]


def clashes(settings: Settings, services: int) -> Iterator[str]:
    """Yield a fault for each two listeners that want the same port, and one where there are not enough ports."""
    if settings.http.listen and parse_listen(settings.http.listen)[1] + services - 1 > 65535:
        yield f"http.listen: {settings.http.listen} leaves no port for every service: choose a lower one"
        return
    for (key, one), (other_key, other) in combinations(listening(settings, services), 2):
        if _clash(one, other):
            yield f"{other_key}: {other} clashes with {one} of {key}: give each a port of its own"


def _clash(one: str, other: str) -> bool:
    (host, port), (other_host, other_port) = parse_listen(one), parse_listen(other)
    return port == other_port != 0 and (host == other_host or bool(EVERYWHERE & {host, other_host}))


def unavailable(settings: Settings, services: int) -> list[str]:
    """Return a line for each listener whose address cannot be had now."""
    found = ((key, one, _obstacle(one)) for key, one in listening(settings, services))
    return [f"{key}: {one} {obstacle}" for key, one, obstacle in found if obstacle]


def _obstacle(listen: str) -> str | None:
    """Return why nobody can listen there now, and what to do, or None.

    Ingress binds with SO_REUSEPORT for the sake of its processes: without this, two gateways would share a port.
    """
    host, port = parse_listen(listen)
    try:
        for family, kind, protocol, _, address in socket.getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        ):
            with socket.socket(family, kind, protocol) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                if family == socket.AF_INET6:
                    probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                probe.bind(address)
                probe.listen(1)
    except OSError as error:
        return _told(error)
    return None


def _told(error: OSError) -> str:
    match error.errno:
        case errno.EADDRINUSE:
            return "is in use, by this gateway already or by another program: stop it, or choose another port"
        case errno.EADDRNOTAVAIL:
            return "is no address of this machine: choose one that `ip address` shows"
        case errno.EACCES:
            return "is not for this user: choose a port above 1023, or grant CAP_NET_BIND_SERVICE"
    reason = error.strerror if isinstance(error, socket.gaierror) or not error.errno else os.strerror(error.errno)
    return f"cannot be used ({reason}): choose another address or port"
