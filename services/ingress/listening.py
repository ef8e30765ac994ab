"""Listening sockets that several processes share, each with connections of its own (SO_REUSEPORT)."""

from __future__ import annotations

import socket

from shared.errors import ConfigurationError
from shared.operations.settings import parse_listen

BACKLOG = 1024


def listen(address: str, key: str) -> list[socket.socket]:
    """Listen on "host:port": one socket for each address that the host stands for; an empty host is all of them.

    key: where the address was configured. Raises ConfigurationError for an address that cannot be used.
    """
    host, port = parse_listen(address)
    listeners: list[socket.socket] = []
    try:
        for family, kind, protocol, _, endpoint in socket.getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        ):
            listener = socket.socket(family, kind, protocol)
            listeners.append(listener)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            if family == socket.AF_INET6:
                listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            listener.bind(endpoint)
            listener.listen(BACKLOG)
            listener.setblocking(False)
    except OSError as error:
        for listener in listeners:
            listener.close()
        raise ConfigurationError(
            f"{key}: {address} cannot be used ({error.strerror}): choose another address or port"
        ) from None
    return listeners
