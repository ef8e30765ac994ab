"""An endpoint: a host and a port to listen on or connect to."""

from __future__ import annotations

from dataclasses import dataclass, replace
from ipaddress import ip_address
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer

MAX_PORT = 65535
ALL_ADDRESSES = frozenset({"", "0.0.0.0", "::"})  # noqa: S104 (compared with, not bound to)
_LOOPBACK = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A host, "" for every address of the machine, and a port from 0 (any free port) to MAX_PORT."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Endpoint:
        """Read "host:port" or "[v6]:port". Raises ValueError, which shows the valid form."""
        host, colon, port = text.rpartition(":")
        if not colon or not port.isdecimal() or int(port) > MAX_PORT:
            raise ValueError(f'not a valid endpoint: "{text}": write host:port, for example 0.0.0.0:2525')
        return cls(host.strip("[]"), int(port))

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    @property
    def is_every_address(self) -> bool:
        """Whether it means every address of this machine."""
        return self.host in ALL_ADDRESSES

    @property
    def local(self) -> Endpoint:
        """The endpoint through which this machine reaches the listener."""
        return replace(self, host=_LOOPBACK.get(self.host, self.host))

    def next(self, offset: int) -> Endpoint:
        """Return the endpoint `offset` ports higher; 0, any free port, stays 0."""
        return replace(self, port=self.port and self.port + offset)

    def clashes_with(self, other: Endpoint) -> bool:
        """Whether two listeners cannot both bind their address."""
        same_host = self.host == other.host or self.is_every_address or other.is_every_address
        return same_host and self.port == other.port != 0


def is_ip_address(host: str) -> bool:
    """Whether a host is given as an IP address, not by a name."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _read(value: Any) -> Any:
    return Endpoint.parse(value) if isinstance(value, str) else value


Listen = Annotated[Endpoint, BeforeValidator(_read), PlainSerializer(str)]
"""An endpoint as a value of the configuration file."""
