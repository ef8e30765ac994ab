"""The address map on disk, read again when the file changes."""

from __future__ import annotations

from pathlib import Path

from shared.errors import ConfigurationError
from shared.history.configuration import AddressMapLoaded, AddressMapRejected
from shared.operations.events import emit
from shared.routing.address_map import AddressMap, read

_Version = tuple[int, int, int] | None  # mtime in nanoseconds, bytes, inode; None while there is no file


class AddressMapFile:
    """The latest valid version of an address map.

    Raises ConfigurationError when the first version cannot be used. A later version that cannot be used leaves the map
    as it was and is reported once, as the event `address_map.rejected`.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._version = _version(path)
        self._map = load(path)

    def current(self) -> AddressMap:
        """Return the map: the same object for as long as the file is unchanged. One stat(2) a call."""
        version = _version(self._path)
        if version == self._version:
            return self._map
        self._version = version
        try:
            self._map = load(self._path)
        except ConfigurationError as error:
            file, kept = str(self._path), len(self._map)
            emit(AddressMapRejected(file, tuple(error.faults), kept))
        else:
            emit(AddressMapLoaded(str(self._path), len(self._map)))
        return self._map


def load(path: Path) -> AddressMap:
    """Read an address map. Raises ConfigurationError with one line a fault."""
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
