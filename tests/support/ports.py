"""Ports of loopback that nobody has."""

from __future__ import annotations

import socket


def free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def adjacent_ports() -> int:
    """Return the first of three free ports in a row."""
    for _ in range(100):
        (first,) = free_ports(1)
        try:
            for port in range(first, first + 3):
                socket.create_server(("127.0.0.1", port)).close()
        except (OSError, OverflowError):
            continue
        return first
    raise AssertionError("no three ports in a row are free")
