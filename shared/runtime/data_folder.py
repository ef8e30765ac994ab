"""Where embedded Redis keeps the mail, and the socket on which to find it there."""

from __future__ import annotations

import fcntl
import hashlib
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from shared.errors import ConfigurationError

VARIABLE = "CAUSEWAY_DATA"
LONGEST_SOCKET = 100
"""Octets of a unix socket's path that every system takes: 107 on Linux, 103 on macOS, less a margin."""


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
        self._elsewhere = Path(tempfile.gettempdir()) / f"causeway-{os.getuid()}-{self._digest()}"

    @property
    def socket(self) -> Path:
        """The socket: in the folder itself, or in a short one among temporary files where that would be too long."""
        inside = self.path / "redis.sock"
        return inside if len(os.fsencode(inside)) <= LONGEST_SOCKET else self._elsewhere / "redis.sock"

    @property
    def url(self) -> str:
        """The address of its Redis, as `redis.url` wants it."""
        return f"unix://{quote(str(self.socket))}"

    @contextmanager
    def locked(self, patience_seconds: float = 5) -> Iterator[int]:
        """Make the folder and hold it: two Redis on one append-only file would ruin it.

        Yields the lock's descriptor, for Redis to inherit: so the folder is held as long as Redis lives, whatever
        becomes of us. Raises ConfigurationError where the folder cannot be made, or another gateway holds it.
        """
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.path.chmod(0o700)  # of one that was there before: the append-only file in it holds everybody's mail
            self._prepare_socket()
            descriptor = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise ConfigurationError(
                f"{self.path}: cannot be used ({error.strerror}): choose a folder with --data"
            ) from None
        try:
            self._lock(descriptor, time.monotonic() + patience_seconds)
            try:
                yield descriptor
            finally:
                self._remove_socket()
        finally:
            os.close(descriptor)

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
        if folder == self._elsewhere and folder.lstat().st_uid != os.getuid():
            raise ConfigurationError(f"{folder}: belongs to somebody else: choose a shorter folder with --data")

    def _remove_socket(self) -> None:
        self.socket.unlink(missing_ok=True)
        if self.socket.parent == self._elsewhere:
            self._elsewhere.rmdir()

    def _digest(self) -> str:
        return hashlib.sha256(os.fsencode(self.path)).hexdigest()[:16]
