"""The addresses that a gateway listens on: which they are, whether two of them clash, whether they can be had."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterator
from itertools import combinations

from shared.configuration.endpoint import Endpoint
from shared.configuration.settings import Settings

SERVICES_OF_UP = 3


def http_listen(settings: Settings, offset: int) -> Endpoint | None:
    """Return where one service's HTTP is on a machine that runs all: the port of the file, one more, two more."""
    return settings.http.listen and settings.http.listen.next(offset)


def listening(settings: Settings, services: int) -> list[tuple[str, Endpoint]]:
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
    if settings.http.listen and settings.http.listen.port + services - 1 > 65535:
        yield f"http.listen: {settings.http.listen} leaves no port for every service: choose a lower one"
        return
    for (key, one), (other_key, other) in combinations(listening(settings, services), 2):
        if one.clashes_with(other):
            yield f"{other_key}: {other} clashes with {one} of {key}: give each a port of its own"


def unavailable(settings: Settings, services: int) -> list[str]:
    """Return a line for each listener whose address cannot be had now."""
    found = ((key, one, _obstacle(one)) for key, one in listening(settings, services))
    return [f"{key}: {one} {obstacle}" for key, one, obstacle in found if obstacle]


def _obstacle(listen: Endpoint) -> str | None:
    """Return why nobody can listen there now, and what to do, or None.

    Ingress binds with SO_REUSEPORT for the sake of its processes: without this, two gateways would share a port.
    """
    try:
        for family, kind, protocol, _, address in socket.getaddrinfo(
            listen.host or None, listen.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
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
