"""The exact map of addresses: one CSV row for each person whose addresses no rule can derive.

    public,internal,notes_name
    john.doe@example.com,jdoe@notes.example.com,John Doe/Sales/Acme

Look-ups are case-insensitive. The columns `public` and `internal` must be there; `notes_name` may be missing or empty.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from shared.errors import ConfigurationError, MalformedAddress
from shared.mail.address import Address, address_key
from shared.routing.notes_address import NotesName

COLUMNS = ("public", "internal", "notes_name")
MAX_FAULTS = 20  # a file of the wrong kind has a fault in every line


@dataclass(frozen=True, slots=True)
class Pair:
    """One row: the public address, the internal address, and the Notes name where there is one."""

    public: str
    internal: str
    name: NotesName | None = None
    line: int = 0


class AddressMap:
    """All pairs. Never changes; a new version of the file makes a new map.

    organisations: what the Notes names of the map end in, in lower case.
    """

    def __init__(self, pairs: Iterable[Pair] = ()) -> None:
        self._pairs = tuple(pairs)
        self._by_public = {address_key(pair.public): pair for pair in self._pairs}
        self._by_internal = {address_key(pair.internal): pair for pair in self._pairs}
        self._by_name = {(pair.name.key, _domain(pair.name)): pair for pair in self._pairs if pair.name}
        self.organisations = frozenset(
            pair.name.parts[-1].lower() for pair in self._pairs if pair.name and len(pair.name.parts) > 1
        )

    def __len__(self) -> int:
        return len(self._pairs)

    def __iter__(self) -> Iterator[Pair]:
        return iter(self._pairs)

    def by_public(self, address: str) -> Pair | None:
        """Return the pair with this public address."""
        return self._by_public.get(address_key(address))

    def by_internal(self, address: str) -> Pair | None:
        """Return the pair with this internal address."""
        return self._by_internal.get(address_key(address))

    def by_name(self, name: NotesName) -> Pair | None:
        """Return the pair of this Notes name; a row without a Notes domain matches the name in any."""
        return self._by_name.get((name.key, _domain(name))) or self._by_name.get((name.key, ""))


def _domain(name: NotesName) -> str:
    return (name.notes_domain or "").lower()


def read(text: str, file: str) -> AddressMap:
    """Return the map that a CSV text holds. Raises ConfigurationError with one line a fault: file, line, remedy."""
    try:
        rows = [(number, row) for number, row in _rows(text) if any(cell.strip() for cell in row)]
    except csv.Error as error:
        raise ConfigurationError(f"{file}: not valid CSV ({error}); save it as comma-separated UTF-8 text") from None
    if not rows:
        raise ConfigurationError(f"{file}: empty; the first line must be {','.join(COLUMNS)}")
    columns = [cell.strip().lower() for cell in rows[0][1]]
    if len(columns) == 1 and ";" in columns[0]:
        raise ConfigurationError(f"{file}:{rows[0][0]}: cells are separated by semicolons; use commas")
    faults = [
        f'{file}:{rows[0][0]}: column "{name}" is missing; the first line must be {",".join(COLUMNS)}'
        for name in COLUMNS[:2]
        if name not in columns
    ]
    faults += [
        f'{file}:{rows[0][0]}: unknown column "{name}"; use {", ".join(COLUMNS)}'
        for name in columns
        if name not in COLUMNS
    ]
    if faults:
        raise ConfigurationError(*faults)
    pairs: list[Pair] = []
    for number, row in rows[1:]:
        read_row = _pair(f"{file}:{number}", number, dict(zip(columns, row, strict=False)), len(row) > len(columns))
        if isinstance(read_row, Pair):
            pairs.append(read_row)
        else:
            faults.append(read_row)
    faults += _collisions(pairs, file)
    if faults:
        more = [f"{file}: {len(faults) - MAX_FAULTS} more faults"] if len(faults) > MAX_FAULTS else []
        raise ConfigurationError(*faults[:MAX_FAULTS], *more)
    return AddressMap(pairs)


def _rows(text: str) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""), strict=True)
    for row in reader:
        yield reader.line_num, row


def _pair(where: str, line: int, row: dict[str, str], has_extra_cells: bool) -> Pair | str:
    if has_extra_cells:
        return f"{where}: more cells than columns; quote a cell that holds a comma"
    cells = {name: row.get(name, "").strip() for name in COLUMNS}
    for column in COLUMNS[:2]:
        try:
            Address.parse(cells[column])
        except MalformedAddress as fault:
            return f"{where}: {column}: {fault}; write local@domain"
    name = NotesName.parse(cells["notes_name"]) if cells["notes_name"] else None
    if cells["notes_name"] and name is None:
        return f"{where}: notes_name: {cells['notes_name']!a} is not a Notes name; write John Doe/Sales/Acme"
    return Pair(cells["public"], cells["internal"], name, line)


def _collisions(pairs: list[Pair], file: str) -> list[str]:
    faults: list[str] = []
    seen: dict[tuple[str, object], int] = {}
    for pair in pairs:
        keys = [
            ("public", address_key(pair.public), pair.public),
            ("internal", address_key(pair.internal), pair.internal),
        ]
        if pair.name:
            keys.append(("notes_name", f"{pair.name.key}@{_domain(pair.name)}", str(pair.name)))
        for column, key, written in keys:
            first = seen.setdefault((column, key), pair.line)
            if first != pair.line:
                faults.append(f"{file}:{pair.line}: {column} {written} is also in line {first}; remove one of them")
    for pair in pairs:
        shown = seen.get(("public", address_key(pair.internal)))
        if shown is not None and shown != pair.line:
            faults.append(
                f"{file}:{pair.line}: internal {pair.internal} is the public address of line {shown}; "
                "give each person one row"
            )
    return faults
