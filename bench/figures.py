"""Figures: medians with their spread, percentiles, targets that are met or not, and tables of them in Markdown."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Spread:
    """The median of some rounds, and the least and the most."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, values: Iterable[float]) -> Spread:
        """Return the spread of at least one value."""
        found = list(values)
        return cls(statistics.median(found), min(found), max(found))

    def formatted(self, digits: int = 0, factor: float = 1) -> str:
        """Return "median (least to most)", each times `factor`."""
        median, least, most = (f"{value * factor:,.{digits}f}" for value in (self.median, self.least, self.most))
        return median if least == most else f"{median} ({least} to {most})"


def percentile(values: Sequence[float], fraction: float) -> float:
    """Return the value that `fraction` of at least one value do not exceed (nearest rank)."""
    return sorted(values)[max(0, math.ceil(fraction * len(values)) - 1)]


@dataclass(frozen=True, slots=True)
class Target:
    """A figure with the bound that it has to reach (`at_least`) or to keep below."""

    name: str
    figure: float
    bound: float
    at_least: bool = True
    unit: str = ""

    @property
    def is_met(self) -> bool:
        """Whether the figure is where it has to be."""
        return self.figure >= self.bound if self.at_least else self.figure <= self.bound

    def row(self) -> tuple[str, str, str, str]:
        """Return the target for a table."""
        sign = "≥" if self.at_least else "≤"
        wanted, found = (f"{value:,.4g}{self.unit}" for value in (self.bound, self.figure))
        return self.name, f"{sign} {wanted}", found, "met" if self.is_met else "**not met**"


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a table: first column to the left, the rest to the right."""
    cells = [[str(cell) for cell in row] for row in rows]
    widths = [max(len(row[column]) for row in [list(head), *cells]) for column in range(len(head))]

    def line(row: Sequence[str]) -> str:
        padded = [
            row[0].ljust(widths[0]),
            *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)),
        ]
        return f"| {' | '.join(padded)} |"

    rule = [":" + "-" * (widths[0] - 1), *("-" * (width - 1) + ":" for width in widths[1:])]
    return "\n".join(map(line, [list(head), rule, *cells]))


def targets_table(targets: Iterable[Target]) -> str:
    """Return the targets as a table."""
    return table(("target", "wanted", "measured", ""), [target.row() for target in targets])


def sized(octets: int) -> str:
    """Return a size for a person: 5 KB, 25 MB."""
    if octets >= 1_000_000:
        return f"{octets / 1_000_000:g} MB"
    return f"{octets / 1000:g} KB"
