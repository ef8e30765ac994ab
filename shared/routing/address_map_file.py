"""The address map on disk, read again when the file changes."""

from __future__ import annotations

from pathlib import Path

from shared.errors import ConfigurationError
from shared.history.configuration import AddressMapLoaded, AddressMapRejected, AddressMapShrunk
from shared.operations.log import emit
from shared.routing.address_map import AddressMap, read

_Version = tuple[int, int, int] | None  # mtime in nanoseconds, bytes, inode; None while there is no file


class AddressMapFile:
    """The latest valid version of an address map.

    max_shrink: the share of its pairs, 0 to 1, that a new version may lack. Raises ConfigurationError when the first
    version cannot be used. A later version that cannot be used, or that lacks more pairs, leaves the map unchanged, and
    is logged once, as the event `address_map.rejected` or `address_map.shrunk`: a truncated directory export looks like
    a valid map. `reload`, or a new process, accepts the file however many pairs it lacks.
    """

    def __init__(self, path: Path, max_shrink: float = 0.1) -> None:
        self._path = path
        self._max_shrink = max_shrink
        self._version = _version(path)
        self._map = load(path)

    def current(self) -> AddressMap:
        """Return the map: the same object for as long as the file is unchanged. One stat(2) per call."""
        if _version(self._path) != self._version:
            self._read(self._max_shrink)
        return self._map

    def reload(self) -> AddressMap:
        """Read the file again, changed or not, and accept it however many pairs it lacks, on request."""
        self._read(1.0)
        return self._map

    def _read(self, max_shrink: float) -> None:
        self._version = _version(self._path)
        file, kept = str(self._path), len(self._map)
        try:
            new = load(self._path)
        except ConfigurationError as error:
            emit(AddressMapRejected(file, tuple(error.faults), kept))
            return
        if kept - len(new) > max_shrink * kept:
            emit(AddressMapShrunk(file, len(new), kept))
            return
        self._map = new
        emit(AddressMapLoaded(file, len(new)))


def load(path: Path) -> AddressMap:
    """Read an address map. Raises ConfigurationError with one line per fault."""
    try:
        return read(path.read_text(encoding="utf-8"), str(path))
    except OSError as error:
        raise ConfigurationError(f"{path}: {error.strerror}; correct addresses.map or the file's permissions") from None
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{path}: not UTF-8 at byte {error.start}; save the file as UTF-8") from None


def _version(path: Path) -> _Version:
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_mtime_ns, stat.st_size, stat.st_ino
