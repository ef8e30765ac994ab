"""Crowd: the memory of ingress while 200 sessions send 25 MB each at once, and the replies to those sessions.

Every session sends all but the final dot, and waits until all others have; so everything that ingress lets in is in
flight at the same time. `ingress.max_bytes_in_flight` bounds it: who finds no room is asked to come again.
"""

from __future__ import annotations

import asyncio
from collections import Counter

import uvloop

from bench import load, messages, systems
from bench.figures import Target, sized, table
from bench.processes import peak_bytes, resident_bytes
from bench.runs import Options, Result, room
from services.demo.gateway import CLIENTS
from shared.configuration.ingress import IngressSettings

SESSIONS = 200
SIZE = 25_000_000
QUICK_SESSIONS = 40
OVERHEAD_BYTES = 200_000_000
"""What ingress may hold beside the bytes in flight: itself, and what is on its way in and out of its buffers."""


def run(options: Options) -> Result:
    """Send, and read what the kernel counted."""
    sessions = options.few(SESSIONS, QUICK_SESSIONS)
    with (
        room(options, "crowd") as place,
        systems.sink(place, options.made) as (sink_port, _),
        systems.up(place, systems.configured(sink_port, options.made)) as port,
    ):
        [ingress] = systems.pids(place)["ingress"]
        before = resident_bytes(ingress)
        reported = uvloop.run(_send(port, sessions))
        peak = peak_bytes(ingress)
        told_faults = Counter(str(fault["event"]) for fault in systems.faults(place))
    return {
        "sessions": sessions,
        "size": SIZE,
        "idle_bytes": before,
        "peak_bytes": peak,
        "in_flight_bytes": IngressSettings().max_bytes_in_flight,
        "replies": reported,
        "faults": told_faults,
    }


async def _send(port: int, sessions: int) -> dict[str, int]:
    line = b"0123456789" * 7 + b"\r\n"
    content = messages.EXCHANGE_HEADER.encode() + b"\r\n" + line * (SIZE // len(line))
    arrived = asyncio.Barrier(sessions)
    replies = Counter(await asyncio.gather(*(_session(port, content, arrived) for _ in range(sessions))))
    return {str(code): count for code, count in sorted(replies.items())}


async def _session(port: int, content: bytes, arrived: asyncio.Barrier) -> int:
    """Send one message, its end when all are there; return the last reply, or the first refusal."""
    transport, session = await load.connect(port, CLIENTS["exchange"])
    code = 0
    commands = (b"MAIL FROM:<%s> SIZE=%d", b"RCPT TO:<anna.schmidt@example.com>", b"DATA")
    for command in commands:
        filled = command % (messages.INTERNAL_JOHN.encode(), len(content)) if b"%" in command else command
        transport.write(filled + b"\r\n")
        code = await session.replies.get()
        if code not in {250, 354}:
            break
    if code == 354:
        transport.write(content)
        while transport.get_write_buffer_size() and session.replies.empty():  # noqa: ASYNC110 (or refused)
            await asyncio.sleep(0.05)
    await arrived.wait()
    if code == 354:
        transport.write(b".\r\n")
        code = await session.replies.get()
    transport.close()
    return code


def table_of(result: Result) -> str:
    """Return the figures for a person."""
    replies = ", ".join(f"{count} × {code}" for code, count in result["replies"].items())
    rows = [
        ("idle", f"{result['idle_bytes'] / 1e6:,.0f} MB"),
        ("at most", f"{result['peak_bytes'] / 1e6:,.0f} MB"),
        ("max_bytes_in_flight", f"{result['in_flight_bytes'] / 1e6:,.0f} MB"),
        ("replies", replies),
        ("errors in the log", ", ".join(f"{count} × {event}" for event, count in result["faults"].items()) or "none"),
    ]
    return table((f"ingress, {result['sessions']} sessions of {sized(result['size'])}", ""), rows)


def targets(result: Result) -> list[Target]:
    """Return what was wanted beside what was found."""
    allowed = (result["in_flight_bytes"] + OVERHEAD_BYTES) / 1e6
    return [Target("memory of ingress in the crowd", result["peak_bytes"] / 1e6, allowed, at_least=False, unit=" MB")]
