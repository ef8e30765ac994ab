"""How answers are printed: aligned tables for people, JSON for programs."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from shared.administration.jsonable import jsonable


def print_json(value: Any) -> None:
    """Print one value as JSON on one line, as `jsonable` has it."""
    print(json.dumps(jsonable(value), ensure_ascii=False))


def print_table(titles: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Print rows under titles, each column as wide as its longest cell, numbers right-aligned.

    On a terminal a line that is too long is cut off with an ellipsis.
    """
    cells = [[_cell(value) for value in row] for row in rows]
    columns = list(zip(titles, *cells, strict=True))
    widths = [max(map(len, column)) for column in columns]
    right = [bool(rows) and all(isinstance(row[i], int | float) for row in rows) for i in range(len(titles))]
    for line in (titles, *cells):
        aligned = (
            cell.rjust(width) if number else cell.ljust(width)
            for cell, width, number in zip(line, widths, right, strict=True)
        )
        print(_fitting("  ".join(aligned).rstrip()))


def _fitting(line: str) -> str:
    if not sys.stdout.isatty():
        return line
    width = shutil.get_terminal_size().columns
    return line if len(line) <= width else f"{line[: width - 1]}…"


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.0f}"
    return printable(str(value))


def printable(text: str) -> str:
    """Return the text without control characters but tabs: it may be from a message, and a terminal would obey them."""
    shown = (character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text.expandtabs(8))
    return "".join(shown)


def when(seconds: float) -> str:
    """Write seconds since the epoch as a UTC time."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(sep=" ", timespec="seconds").replace("+00:00", "Z")


def age(seconds: float) -> str:
    """Write a length of time in its two largest units: 3d4h, 5m10s, 8s."""
    rest, parts = int(seconds), []
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts[:2]) or "0s"
