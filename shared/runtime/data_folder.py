"""The folder in which an embedded Redis keeps the mail, and the socket on which it listens."""

from __future__ import annotations

import fcntl
import hashlib
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from shared.errors import ConfigurationError

VARIABLE = "CAUSEWAY_DATA"
LONGEST_SOCKET = 100
"""Bytes of the path of a socket in the folder itself; above it the short folder is used."""
MAX_SOCKET = 107 if sys.platform == "linux" else 103
"""Bytes of a unix socket's path that this system accepts."""


def default_folder() -> Path:
    """Return $CAUSEWAY_DATA, else $XDG_DATA_HOME/causeway, else ~/.local/share/causeway."""
    if named := os.environ.get(VARIABLE):
        return Path(named)
    share = os.environ.get("XDG_DATA_HOME")
    return (Path(share) if share else Path.home() / ".local" / "share") / "causeway"


class DataFolder:
    """The folder of one embedded Redis. The same folder always has the same socket."""

    def __init__(self, path: Path | None = None) -> None:
        self.path = (path or default_folder()).expanduser().absolute()
        self._short_folder = Path(tempfile.gettempdir()) / f"causeway-{os.getuid()}-{self._digest()}"

    @property
    def socket(self) -> Path:
        """The socket: in the folder itself, or where that path is too long in a folder among temporary files."""
        inside = self.path / "redis.sock"
        return inside if len(os.fsencode(inside)) <= LONGEST_SOCKET else self._short_folder / "redis.sock"

    @property
    def url(self) -> str:
        """The address of its Redis, in the form of `redis.url`."""
        return f"unix://{quote(str(self.socket))}"

    @contextmanager
    def locked(self, timeout_seconds: float = 5) -> Iterator[int]:
        """Create the folder and lock it: two Redis on one append-only file would ruin it.

        Yields the lock's descriptor, for Redis to inherit: so the folder stays locked as long as Redis runs, even if
        this process is killed. Raises ConfigurationError where the folder cannot be created, another gateway has
        locked it, or no socket in it has a path short enough.
        """
        self.check_socket()
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.path.chmod(0o700)  # of one that was there before: its append-only file contains all mail
            self._prepare_socket()
            descriptor = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise ConfigurationError(
                f"{self.path}: cannot be used ({error.strerror}): choose a folder with --data"
            ) from None
        try:
            self._lock(descriptor, time.monotonic() + timeout_seconds)
            try:
                yield descriptor
            finally:
                self._remove_socket()
        finally:
            os.close(descriptor)

    def check_socket(self) -> None:
        """Raise ConfigurationError where the socket's path is too long for this system, among temporary files too."""
        length = len(os.fsencode(self.socket))
        if length > MAX_SOCKET:
            raise ConfigurationError(
                f"{self.socket}: the path of the Redis socket has {length} bytes, the limit is {MAX_SOCKET}: "
                "set TMPDIR to a shorter folder, or choose one with --data"
            )

    def _lock(self, descriptor: int, deadline: float) -> None:
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise ConfigurationError(
                        f"{self.path}: is in use by another `causeway up`: stop it, or choose a folder with --data"
                    ) from None
                time.sleep(0.1)

    def _prepare_socket(self) -> None:
        folder = self.socket.parent
        folder.mkdir(mode=0o700, exist_ok=True)
        if folder == self._short_folder and folder.lstat().st_uid != os.getuid():
            raise ConfigurationError(
                f"{folder}: belongs to another user: choose a folder with a shorter path with --data"
            )

    def _remove_socket(self) -> None:
        self.socket.unlink(missing_ok=True)
        if self.socket.parent == self._short_folder:
            self._short_folder.rmdir()

    def _digest(self) -> str:
        return hashlib.sha256(os.fsencode(self.path)).hexdigest()[:16]
