"""The addresses that a gateway listens on: their list, conflicts between two, and whether they can be bound."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterator, Sequence
from itertools import combinations

from shared.configuration.endpoint import MAX_PORT, Endpoint
from shared.configuration.settings import Settings


def http_endpoints(settings: Settings, services: Sequence[str]) -> dict[str, Endpoint]:
    """Return where each service answers HTTP on a machine that runs all of them; {} where HTTP is switched off.

    services: names. The first has `http.listen` itself, each other the port after the one before it.
    """
    listen = settings.http.listen
    return {name: listen.next(offset) for offset, name in enumerate(services)} if listen else {}


def listening(settings: Settings, services: Sequence[str]) -> list[tuple[str, Endpoint]]:
    """Return the key and the address of each listener on a machine that runs these services."""
    ingress = settings.ingress
    http = enumerate(http_endpoints(settings, services).items())
    return [
        *(("ingress.listen", endpoint) for endpoint in ingress.listen),
        *(("ingress.listen_tls", endpoint) for endpoint in ingress.listen_tls),
        *((f"http.listen+{offset} ({name})" if offset else "http.listen", at) for offset, (name, at) in http),
    ]


def clashes(settings: Settings, services: Sequence[str]) -> Iterator[str]:
    """Yield a fault for each two listeners with the same port, and a fault if there are not enough ports."""
    listen = settings.http.listen
    if listen and listen.port + len(services) - 1 > MAX_PORT:
        yield f"http.listen: {listen} leaves no port for every service: choose a lower one"
        return
    for (key, endpoint), (other_key, other) in combinations(listening(settings, services), 2):
        if endpoint.clashes_with(other):
            yield f"{other_key}: {other} clashes with {endpoint} of {key}: choose another port"


def loops(settings: Settings) -> Iterator[str]:
    """Yield a fault for each smart host that is a listener of this gateway: its mail would loop."""
    own = [*settings.ingress.listen, *settings.ingress.listen_tls]
    for i, system in enumerate(settings.systems):
        for j, host in enumerate(system.smart_hosts):
            if host.host is None:
                continue
            next_hop = Endpoint(host.host, host.port)
            if any(_is_ours(next_hop, listen, settings) for listen in own):
                yield f"systems[{i}].smart_hosts[{j}].host: {next_hop} is this gateway itself: name the mail server"


def unavailable(settings: Settings, services: Sequence[str]) -> list[str]:
    """Return a line for each listener whose address cannot be bound now."""
    found = ((key, endpoint, _obstacle(endpoint)) for key, endpoint in listening(settings, services))
    return [f"{key}: {endpoint} {obstacle}" for key, endpoint, obstacle in found if obstacle]


def _is_ours(next_hop: Endpoint, listen: Endpoint, settings: Settings) -> bool:
    """Whether a next hop is the listener's host, or this machine if the listener has every address."""
    host = "127.0.0.1" if next_hop.host == "localhost" else next_hop.host
    ours = {"127.0.0.1", "::1", settings.hostname, settings.ingress.hostname}
    return next_hop.port == listen.port and (host == listen.host or (listen.is_every_address and host in ours))


def _obstacle(listen: Endpoint) -> str | None:
    """Return why the endpoint cannot be bound now, and what to do, or None.

    Ingress binds with SO_REUSEPORT for its processes: without this check, two gateways would share a port.
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
        return _reason(error)
    return None


def _reason(error: OSError) -> str:
    match error.errno:
        case errno.EADDRINUSE:
            return "is in use, by a running gateway or by another program: stop it, or choose another port"
        case errno.EADDRNOTAVAIL:
            return "is not an address of this machine: choose one that `ip address` shows"
        case errno.EACCES:
            return "requires privileges: choose a port above 1023, or grant CAP_NET_BIND_SERVICE"
    reason = error.strerror if isinstance(error, socket.gaierror) or not error.errno else os.strerror(error.errno)
    return f"cannot be used ({reason}): choose another address or port"
