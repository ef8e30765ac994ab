"""Whether the systems really do what they are measured at: every kind of message is sent, and looked at in the sink."""

from __future__ import annotations

import json
from pathlib import Path

from bench import messages, systems
from bench.runs import Options, carry, room

KINDS = {kind.name: kind for kind in messages.KINDS}


def converted(port: int, count: Path, kept: Path, prepared: Path, sessions: int) -> dict[str, int]:
    """Send the mix once and return how many of each kind arrived at the sink as the other side needs them."""
    carry(port, count, prepared, messages.SHARES, sessions)
    found = dict.fromkeys(KINDS, 0)
    for number, entry in enumerate(json.loads((prepared / "index.json").read_text())):
        content = (kept / f"{number}.eml").read_bytes()
        found[entry["kind"]] += KINDS[entry["kind"]].is_converted(content)
    return found


def check(options: Options, start: systems.Start, name: str, *, converts: bool) -> dict[str, int]:
    """Run a system against a sink that keeps what it takes; return how many of each kind it converted.

    Raises RuntimeError where that is not all of them, or, for a system that does not convert, any.
    """
    with room(options, f"honesty-{name}") as place:
        kept = place / "kept"
        kept.mkdir()
        messages.write(place / "messages", 5000)
        (place / "system").mkdir()
        with (
            systems.sink(place, options.made, "--keep", str(kept)) as (sink_port, count),
            start(place / "system", sink_port) as port,
        ):
            found = converted(port, count, kept, place / "messages", options.sessions)
    wanted = {kind.name: kind.share if converts else 0 for kind in messages.KINDS}
    if found != wanted:
        raise RuntimeError(f"{name} is not measured at what it should do: it converted {found}, not {wanted}")
    return found
