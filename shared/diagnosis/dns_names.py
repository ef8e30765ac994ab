"""Whether the names of smart hosts have an address. Uses the resolver of this machine."""

from __future__ import annotations

import socket
import threading
import time

from shared.configuration.settings import Settings

PATIENCE_SECONDS = 2.0
NO_SUCH_NAME = {socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)}


def unknown(settings: Settings) -> list[str]:
    """Return a line for each smart host that has no address. No answer within two seconds is ignored."""
    keys = {
        host.host: f"systems[{i}].smart_hosts[{j}].host"
        for i, system in enumerate(settings.systems)
        for j, host in enumerate(system.smart_hosts)
        if host.host
    }
    missing: set[str] = set()
    queries = [threading.Thread(target=_query, args=(name, missing), daemon=True) for name in keys]
    for query in queries:
        query.start()
    deadline = time.monotonic() + PATIENCE_SECONDS
    for query in queries:
        query.join(max(0, deadline - time.monotonic()))
    return [f"{key}: {name} has no address: correct the name, or DNS" for name, key in keys.items() if name in missing]


def _query(name: str, missing: set[str]) -> None:
    try:
        socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        if error.errno in NO_SUCH_NAME:
            missing.add(name)
    except UnicodeError:  # a label that is empty or longer than 63
        missing.add(name)
