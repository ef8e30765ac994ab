"""Listening sockets that several processes share, each with its own connections (SO_REUSEPORT)."""

from __future__ import annotations

import socket

from shared.configuration.endpoint import Endpoint
from shared.errors import ConfigurationError

BACKLOG = 1024


def listen(address: Endpoint, key: str) -> list[socket.socket]:
    """Listen on an endpoint: one socket for each address of the host; an empty host means every address.

    key: where the address was configured. Raises ConfigurationError for an address that cannot be used.
    """
    listeners: list[socket.socket] = []
    try:
        for family, kind, protocol, _, socket_address in socket.getaddrinfo(
            address.host or None, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        ):
            listener = socket.socket(family, kind, protocol)
            listeners.append(listener)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            if family == socket.AF_INET6:
                listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            listener.bind(socket_address)
            listener.listen(BACKLOG)
            listener.setblocking(False)
    except OSError as error:
        for listener in listeners:
            listener.close()
        raise ConfigurationError(
            f"{key}: cannot listen on {address} ({error.strerror}): choose another address or port"
        ) from None
    return listeners
