"""`causeway demo`: a gateway of its own between two catchers, sample messages both ways, and what changed in each.

Sends as Domino and as Exchange would, and compares what the catchers received with what is expected of each sample.
"""

from __future__ import annotations

import json
import shutil
import signal
import smtplib
import sys
import tempfile
import time
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from types import FrameType
from typing import Any

from services.all_services import SERVICES
from services.demo.difference import header_changes, part_changes
from services.demo.gateway import CLIENTS, NAMES, OTHER, DemoFailed, Gateway, loopback, running

PORT = 2525
ARRIVAL_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Sample:
    """A message to carry, and how it must arrive. `source` is the system that sends it."""

    name: str
    about: str
    source: str
    sender: str
    recipients: list[str]
    arrives_from: str
    arrives_for: list[str]
    content: bytes
    expected: bytes


@cache
def samples() -> list[Sample]:
    """Return the sample messages, in the order they are sent."""
    folder = files("services.demo") / "samples"
    index: dict[str, dict[str, Any]] = json.loads((folder / "index.json").read_text())
    return [
        Sample(
            name=name,
            content=(folder / f"{name}.eml").read_bytes(),
            expected=(folder / f"{name}.expected.eml").read_bytes(),
            **facts,
        )
        for name, facts in index.items()
    ]


def _arrivals(folder: Path) -> set[Path]:
    return set(folder.glob("*.json"))


def carry(gateway: Gateway, sample: Sample) -> tuple[dict[str, Any], bytes]:
    """Send one sample and return what arrived: the envelope's facts and the content. Raises DemoFailed."""
    folder = gateway.caught(OTHER[sample.source])
    before = _arrivals(folder)
    with smtplib.SMTP("127.0.0.1", gateway.port, source_address=(CLIENTS[sample.source], 0)) as client:
        client.starttls()
        client.sendmail(sample.sender, sample.recipients, sample.content)
    deadline = time.monotonic() + ARRIVAL_SECONDS
    while time.monotonic() < deadline:
        if new := _arrivals(folder) - before:
            facts = new.pop()
            return json.loads(facts.read_text()), facts.with_suffix(".eml").read_bytes()
        time.sleep(0.02)
    raise DemoFailed(f"{sample.name} did not arrive within {ARRIVAL_SECONDS} seconds")


def without_trace(content: bytes) -> bytes:
    """Return the content without the Received field that the gateway put before it."""
    header, colon, rest = content.partition(b":")
    if (header, colon) != (b"Received", b":"):
        return content
    lines = rest.split(b"\r\n")
    end = next(number for number, line in enumerate(lines) if number and not line.startswith((b"\t", b" ")))
    return b"\r\n".join(lines[end:])


def faults(sample: Sample, facts: dict[str, Any], content: bytes) -> list[str]:
    """Return how an arrival differs from what is expected."""
    checks = {
        "it came in the clear": facts["tls"],
        f"sender is {facts['sender']}": facts["sender"] == sample.arrives_from,
        f"recipients are {facts['recipients']}": facts["recipients"] == sample.arrives_for,
        "content differs from what was expected": without_trace(content) == sample.expected,
        "Received field is missing": content.startswith(b"Received:"),
    }
    return [fault for fault, is_fine in checks.items() if not is_fine]


def _change(name: str, before: str, after: str) -> str:
    return f"    {name:<14}{before}" + (f"  →  {after}" if before != after else "")


def show(sample: Sample, facts: dict[str, Any], content: bytes) -> None:
    """Print what changed in one message."""
    arrived = without_trace(content)
    print(f"\n{NAMES[sample.source]} → {NAMES[OTHER[sample.source]]}: {sample.about}")
    print(_change("envelope from", sample.sender, facts["sender"]))
    for before, after in zip(sample.recipients, facts["recipients"], strict=False):
        print(_change("envelope to", before, after))
    for line in header_changes(sample.content, arrived) or ["no field changed"]:
        print("    header        " + line.replace("\r\n", "\n").replace("\n", "\n                    "))
    for line in part_changes(sample.content, arrived):
        print(f"    part          {line}")


def _command() -> str:
    """Return how `causeway` is called from any folder: by its name only where the PATH has it."""
    beside = Path(sys.executable).with_name("causeway")
    return str(beside) if beside.exists() and not shutil.which("causeway") else "causeway"


def _how_to_send(gateway: Gateway) -> str:
    listen, services = loopback(gateway.port), enumerate(SERVICES)
    lines = ["", f"The gateway listens on {listen} (STARTTLS). To send to it:"]
    if gateway.port != PORT:
        lines.insert(1, f"Port {PORT} is in use by another program, so the gateway uses another one.")
    for system, recipient in (("notes", "john.doe@example.com"), ("exchange", "anna.schmidt@example.com")):
        sender = "anna.schmidt@notes.example.com" if system == "notes" else "john.doe@exchange.example.com"
        command = f"swaks --server {listen} --local-interface {CLIENTS[system]} --tls"
        lines.append(f"  as {NAMES[system]:<9} {command} --from {sender} --to {recipient}")
    lines += [
        f"What arrives is in {gateway.directory / 'caught'}; the log is {gateway.directory / 'gateway.log'}.",
        "To query it, in another terminal:",
        f"  {_command()} queue --config {gateway.directory / 'causeway.yaml'} --data {gateway.directory / 'data'}",
        "  and likewise trace ID, dead list",
        *(
            f"Metrics of {service.name}: http://{loopback(gateway.http_port + offset)}/metrics"
            for offset, service in services
        ),
        "Ctrl-C ends it and removes its files.",
    ]
    if not shutil.which("swaks"):
        lines.insert(
            -1, "swaks is not installed here: apt install swaks, or send from those addresses with another client."
        )
    return "\n".join(lines)


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Have the first SIGINT, SIGTERM or SIGHUP end the block as Ctrl-C does, and no other disturb the end.

    Also where SIGINT is ignored, as in what a shell script starts with `&`.
    """
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def end(_number: int, _frame: FrameType | None) -> None:
        for number in numbers:
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    before = {number: signal.signal(number, end) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _stay(gateway: Gateway) -> None:
    print(_how_to_send(gateway), flush=True)
    try:
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        with suppress(OSError):  # the terminal may be gone
            print("\nDraining.", flush=True)


def _carry_all(gateway: Gateway) -> int:
    """Carry and show every sample; return the number of faults."""
    failed = 0
    for sample in samples():
        facts, content = carry(gateway, sample)
        show(sample, facts, content)
        for fault in faults(sample, facts, content):
            failed += 1
            print(f"    NOT AS EXPECTED: {fault}")
    return failed


def main(options: Namespace) -> int:
    """Carry the samples and compare, or with `--stay` keep the gateway up until Ctrl-C. Returns the exit code."""
    with _ended_by_signals(), tempfile.TemporaryDirectory(prefix="causeway-demo-") as directory:
        names = ", ".join(service.name for service in SERVICES)
        print(f"Starting Redis (append-only, fsync always), {names} and two catchers …", flush=True)
        with running(Path(directory), PORT) as gateway:
            if options.stay:
                _stay(gateway)
                return 0
            failed = _carry_all(gateway)
    if failed:
        print(f"\n{failed} faults.", file=sys.stderr)
        return 1
    print(f"\n{len(samples())} messages carried, each arrived as expected.")
    return 0
