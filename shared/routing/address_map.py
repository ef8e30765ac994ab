"""The exact map of addresses: one CSV row for each person whose addresses no rule can derive.

    public,internal,notes_name,aliases
    john.doe@example.com,jdoe@notes.example.com,John Doe/Sales/Acme,j.doe@example.com;jd@notes.example.com

Look-ups are case-insensitive. The columns `public` and `internal` must be there; `notes_name` and `aliases` may be
missing or empty. Aliases are additional addresses of the same person, separated by semicolons, blanks or commas (then
in quotes): mail to an alias is delivered to `internal`, and `public` is shown in its place. An alias that repeats the
row's own `public` or `internal` is ignored, because exports of directories contain those too.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from shared.errors import ConfigurationError, MalformedAddress
from shared.mail.address import Address, address_key
from shared.routing.notes_address import NotesName

COLUMNS = ("public", "internal", "notes_name", "aliases")
MAX_FAULTS = 20  # a file of the wrong kind has a fault in every line
_BETWEEN_ALIASES = re.compile(r"[;,\s]+")
_FIRST_LINE = f"the first line must be {','.join(COLUMNS)}"


@dataclass(frozen=True, slots=True)
class Pair:
    """One row: the public address, the internal address, and the Notes name, if any."""

    public: str
    internal: str
    name: NotesName | None = None
    line: int = 0
    aliases: tuple[str, ...] = ()


class AddressMap:
    """All pairs. Never changes; a new version of the file makes a new map.

    An address is found as `public` before `internal`, and as either before an alias. organisations: the last
    parts of the Notes names of the map, in lower case.
    """

    def __init__(self, pairs: Iterable[Pair] = ()) -> None:
        self._pairs = tuple(pairs)
        self._by_public = {address_key(pair.public): pair for pair in self._pairs}
        self._by_internal = {address_key(pair.internal): pair for pair in self._pairs}
        aliases = {address_key(alias): pair for pair in self._pairs for alias in pair.aliases}
        self._by_address = {**aliases, **self._by_internal, **self._by_public}
        self._by_name = {(pair.name.key, _domain(pair.name)): pair for pair in self._pairs if pair.name}
        self.organisations = frozenset(
            pair.name.parts[-1].lower() for pair in self._pairs if pair.name and len(pair.name.parts) > 1
        )

    def __len__(self) -> int:
        return len(self._pairs)

    def __iter__(self) -> Iterator[Pair]:
        return iter(self._pairs)

    def find(self, address: str) -> Pair | None:
        """Return the pair of the person who has this address: public, internal or an alias."""
        return self._by_address.get(address_key(address))

    def by_public(self, address: str) -> Pair | None:
        """Return the pair with this public address."""
        return self._by_public.get(address_key(address))

    def by_internal(self, address: str) -> Pair | None:
        """Return the pair with this internal address."""
        return self._by_internal.get(address_key(address))

    def by_name(self, name: NotesName) -> Pair | None:
        """Return the pair of this Notes name; a row without a Notes domain matches the name in any domain."""
        return self._by_name.get((name.key, _domain(name))) or self._by_name.get((name.key, ""))


def _domain(name: NotesName) -> str:
    return (name.notes_domain or "").lower()


def read(text: str, file: str) -> AddressMap:
    """Return the map that a CSV text holds. Raises ConfigurationError with one line per fault: file, line, remedy."""
    try:
        rows = [(number, row) for number, row in _rows(text) if any(cell.strip() for cell in row)]
    except csv.Error as error:
        raise ConfigurationError(f"{file}: not valid CSV ({error}); save it as comma-separated UTF-8 text") from None
    if not rows:
        raise ConfigurationError(f"{file}: empty; {_FIRST_LINE}")
    columns = [cell.strip().lower() for cell in rows[0][1]]
    faults = [f"{file}:{rows[0][0]}: {fault}" for fault in _column_faults(columns)]
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


def _column_faults(columns: list[str]) -> list[str]:
    for sign, word in ((";", "semicolons"), ("\t", "tabs")):
        if len(columns) == 1 and sign in columns[0]:
            return [f"cells are separated by {word}; use commas"]
    if not set(columns) & set(COLUMNS) and any("@" in name for name in columns):
        return [f"the names of the columns are missing; {_FIRST_LINE}"]
    doubled = [name for name in COLUMNS if columns.count(name) > 1]
    return [
        *(f'column "{name}" is missing; {_FIRST_LINE}' for name in COLUMNS[:2] if name not in columns),
        *(f'unknown column "{name}"; use {", ".join(COLUMNS)}' for name in columns if name not in COLUMNS),
        *(f'column "{name}" appears twice; remove one of them' for name in doubled),
    ]


def _rows(text: str) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""), strict=True)
    for row in reader:
        yield reader.line_num, row


def _pair(where: str, line: int, row: dict[str, str], has_extra_cells: bool) -> Pair | str:
    if has_extra_cells:
        return f"{where}: more cells than columns; quote a cell that holds a comma"
    cells = {name: row.get(name, "").strip() for name in COLUMNS}
    aliases = tuple(filter(None, _BETWEEN_ALIASES.split(cells["aliases"])))
    for column, address in (
        *((column, cells[column]) for column in COLUMNS[:2]),
        *(("aliases", alias) for alias in aliases),
    ):
        if "*" in address or address.startswith("@"):
            return (
                f"{where}: {column}: {address} is a pattern; write one row for each person, or, for a whole domain, "
                "list it in systems[].domains and set public_domain"
            )
        try:
            Address.parse(address)
        except MalformedAddress as fault:
            return f"{where}: {column}: {fault}; write local@domain"
    name = NotesName.parse(cells["notes_name"]) if cells["notes_name"] else None
    if cells["notes_name"] and name is None:
        return f"{where}: notes_name: {cells['notes_name']!a} is not a Notes name; write John Doe/Sales/Acme"
    return Pair(cells["public"], cells["internal"], name, line, _new_aliases(aliases, cells))


def _new_aliases(aliases: tuple[str, ...], cells: dict[str, str]) -> tuple[str, ...]:
    known = {address_key(cells[column]) for column in COLUMNS[:2]}
    return tuple({address_key(alias): alias for alias in aliases if address_key(alias) not in known}.values())


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
        for alias in pair.aliases:
            key = address_key(alias)
            lines = (
                seen.get(("public", key)),
                seen.get(("internal", key)),
                seen.setdefault(("aliases", key), pair.line),
            )
            if others := [line for line in lines if line not in (None, pair.line)]:
                faults.append(
                    f"{file}:{pair.line}: alias {alias} is an address of line {others[0]} too; keep it in one of them"
                )
    return faults
