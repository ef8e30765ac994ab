"""Conversion: the time of one message against its size and its number of parts, which is to grow as they do."""

from __future__ import annotations

import ctypes
import random
import time

from bench import messages
from bench.figures import Target, sized, table
from bench.messages import multipart, part
from bench.runs import Options, Result
from bench.steps import context
from services.transform.pipeline import convert
from services.transform.steps import ORDER
from shared.mail.edits import apply

SIZES = [1_000 * 2**power for power in range(16)] + [50_000_000]
PARTS = [2**power for power in range(1, 14)] + [10_000]
"""As the reader counts them: the multipart is one."""
M_MMAP_THRESHOLD, FRESH_BYTES = -3, 131_072
"""Every copy from this size on gets fresh pages of the kernel, which cost more than the copying. By default glibc does
so only above some 32 MB, and reuses what it has below: a step that would look as if our work grew."""
QUICK = 5
REPEATS = 5
GROWTH = 1.25
"""How much faster than the message its time may grow, on the way from a tenth of the largest to the largest."""


def run(options: Options) -> Result:
    """Convert each kind at each size, and a message at each number of parts."""
    ctypes.CDLL(None).mallopt(M_MMAP_THRESHOLD, FRESH_BYTES)
    sizes, parts = (SIZES[:QUICK], PARTS[:QUICK]) if options.quick else (SIZES, PARTS)
    return {
        "sizes": {
            kind.name: [[size, _seconds(_sized(kind, size), kind.source)] for size in sizes] for kind in messages.KINDS
        },
        "parts": [[count, _seconds(_of_parts(count), "notes")] for count in parts],
    }


def _sized(kind: messages.Kind, size: int) -> bytes:
    return messages.numbered(kind.make(size, random.Random(0)).encode(), 0)


def _of_parts(count: int) -> bytes:
    parts = [part("text/plain; charset=us-ascii", f"\r\nPart {number}.\r\n") for number in range(count - 1)]
    return messages.numbered((messages.NOTES_HEADER + multipart("mixed", "=_parts", *parts)).encode(), 0)


def _seconds(content: bytes, source: str) -> float:
    """Return the least processor time of a few tries to convert a message and to apply the edits.

    Raises RuntimeError where a step fails.
    """
    took = []
    for _ in range(REPEATS):
        about = context(source)
        began = time.process_time()
        conversion = convert(content, about, ORDER)
        apply(content, conversion.edits)
        took.append(time.process_time() - began)
        if failures := [report for report in conversion.reports if report.failure]:
            raise RuntimeError(f"a message of {len(content)} octets is not converted: {failures[0]}")
    return min(took)


def growth(series: list[list[float]]) -> float:
    """Return how the time for each byte (or part) of the largest compares with that of one at least a tenth of it."""
    largest, seconds = series[-1]
    smaller, smaller_seconds = next(piece for piece in series if piece[0] >= largest / 10)
    return (seconds / largest) / (smaller_seconds / smaller)


def table_of(result: Result) -> str:
    """Return the figures for a person. ×: the time against the one before."""
    kinds = result["sizes"]
    head = ["size", *(cell for name in kinds for cell in (f"{name} ms", "ms/MB", "×"))]
    rows = []
    for row, (size, _) in enumerate(next(iter(kinds.values()))):
        cells = [sized(size)]
        for series in kinds.values():
            seconds, before = series[row][1], series[row - 1][1] if row else None
            cells += [
                f"{seconds * 1000:,.2f}",
                f"{seconds * 1e9 / size:,.1f}",
                f"{seconds / before:.2f}" if before else "",
            ]
        rows.append(cells)
    part_rows = [
        (
            f"{count:,}",
            f"{seconds * 1000:,.2f}",
            f"{seconds / count * 1e6:,.1f}",
            f"{seconds / result['parts'][row - 1][1]:.2f}" if row else "",
        )
        for row, (count, seconds) in enumerate(result["parts"])
    ]
    return f"{table(head, rows)}\n\n{table(('parts', 'ms', 'µs a part', '×'), part_rows)}"


def targets(result: Result) -> list[Target]:
    """Return what was wanted beside what was found."""
    every = {**{f"{name}, by size": series for name, series in result["sizes"].items()}, "by parts": result["parts"]}
    return [
        Target(f"time to convert against a tenth of it, {name}", growth(series), GROWTH, at_least=False, unit="×")
        for name, series in every.items()
    ]
