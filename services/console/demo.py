"""`causeway demo`: a gateway of its own between two catchers, sample messages both ways, and what changed in each.

Everything is real and on loopback: Redis with fsync on every write, the three services as processes, STARTTLS with
certificates made on the spot and verified. Domino's side is 127.0.1.1, Exchange's is 127.0.2.1: the gateway knows its
clients by network.
"""

from __future__ import annotations

import json
import smtplib
import socket
import subprocess
import sys
import tempfile
import time
from argparse import Namespace
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from services.console.difference import header_changes, part_changes
from services.console.gateway import is_ready
from shared.errors import CausewayError
from shared.operations import certificates, configuration, embedded

CLIENTS = {"notes": "127.0.1.1", "exchange": "127.0.2.1"}
OTHER = {"notes": "exchange", "exchange": "notes"}
NAMES = {"notes": "Domino", "exchange": "Exchange"}
START_SECONDS = 60
ARRIVAL_SECONDS = 30
STOP_SECONDS = 90


class DemoFailed(CausewayError):
    """Something did not come up or did not arrive as expected."""


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
    folder = files("services.console") / "samples"
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


def free_port(preferred: int = 0) -> int:
    """Return the preferred port where it is free on loopback, else any."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", preferred))
        except OSError:
            probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def free_http_port() -> int:
    """Return the first of three adjacent free ports: `causeway up` gives one to each service."""
    for _ in range(50):
        first = free_port()
        if first < 65_000 and all(free_port(first + offset) == first + offset for offset in range(3)):
            return first
    raise DemoFailed("no three adjacent ports are free on 127.0.0.1: end some other program")


@dataclass(frozen=True, slots=True)
class Gateway:
    """A running gateway between two catchers. `caught` is where each catcher keeps what it is sent."""

    port: int
    http_port: int
    directory: Path

    def caught(self, system: str) -> Path:
        """Return the folder of one catcher."""
        return self.directory / "caught" / system


def _configuration(port: int, http_port: int, catchers: dict[str, int], made: certificates.SelfSigned) -> str:
    def system(name: str, kind: str, **more: Any) -> dict[str, Any]:
        host = {"host": "localhost", "port": catchers[name], "tls": "verify", "ca": str(made.ca)}
        return {
            "name": name,
            "kind": kind,
            "networks": [f"{CLIENTS[name]}/32"],
            "domains": [f"{name}.example.com"],
            "public_domain": "example.com",
            "default_route": OTHER[name],
            "smart_hosts": [host],
            **more,
        }

    content = {
        "hostname": "causeway.example.com",
        "redis": {"url": "embedded", "durability": "fsync"},
        "ingress": {
            "listen": [f"127.0.0.1:{port}"],
            "tls": {"mode": "opportunistic", "certificate": str(made.certificate), "key": str(made.key)},
        },
        "systems": [
            system("notes", "domino", notes_domains=["ACME"], encapsulation="keep"),
            system("exchange", "exchange", encapsulation="strip"),
        ],
        "addresses": {"map": "addresses.csv"},
        "http": {"listen": f"127.0.0.1:{http_port}"},
    }
    return yaml.safe_dump(content, sort_keys=False)


@contextmanager
def _process(command: list[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, start_new_session=True)  # noqa: S603
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _wait_until_up(gateway: Gateway, catchers: dict[str, int], process: subprocess.Popen[bytes], log: Path) -> None:
    settings = configuration.load(gateway.directory / "causeway.yaml")
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        if is_ready(settings) and all(map(_listens, (gateway.port, *catchers.values()))):
            return
        time.sleep(0.1)
    last = log.read_text(errors="replace").strip().splitlines()[-5:]
    raise DemoFailed("the gateway did not come up; its last words:\n" + "\n".join(last))


@contextmanager
def running(directory: Path, preferred_port: int = 0) -> Iterator[Gateway]:
    """Run a gateway and its catchers in `directory` for as long as the context lasts."""
    embedded.find_redis_server()
    made = certificates.self_signed(directory / "tls", ["localhost", "127.0.0.1"])
    catchers = {name: free_port() for name in CLIENTS}
    gateway = Gateway(free_port(preferred_port), free_http_port(), directory)
    addresses = files("services.console") / "samples" / "addresses.csv"
    (directory / "addresses.csv").write_text(addresses.read_text())
    config = directory / "causeway.yaml"
    config.write_text(_configuration(gateway.port, gateway.http_port, catchers, made))
    with ExitStack() as stack:
        for name, port in catchers.items():
            command = [sys.executable, "-m", "services.console.catcher", "--name", NAMES[name].lower()]
            command += ["--listen", f"127.0.0.1:{port}", "--directory", str(gateway.caught(name))]
            command += ["--certificate", str(made.certificate), "--key", str(made.key)]
            stack.enter_context(_process(command, directory / f"{name}.log"))
        log = directory / "gateway.log"
        command = [sys.executable, "-m", "services.console.main", "up", "--config", str(config)]
        command += ["--data", str(directory / "data")]
        process = stack.enter_context(_process(command, log))
        _wait_until_up(gateway, catchers, process, log)
        yield gateway


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
    end = next(place for place, line in enumerate(lines) if place and not line.startswith((b"\t", b" ")))
    return b"\r\n".join(lines[end:])


def faults(sample: Sample, facts: dict[str, Any], content: bytes) -> list[str]:
    """Return what of an arrival is not as expected."""
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


def _how_to_send(gateway: Gateway) -> str:
    lines = ["", f"The gateway listens on 127.0.0.1:{gateway.port} (STARTTLS). Send to it:"]
    for system, recipient in (("notes", "john.doe@example.com"), ("exchange", "anna.schmidt@example.com")):
        sender = "anna.schmidt@notes.example.com" if system == "notes" else "john.doe@exchange.example.com"
        command = f"swaks --server 127.0.0.1:{gateway.port} --local-interface {CLIENTS[system]} --tls"
        lines.append(f"  as {NAMES[system]:<9} {command} --from {sender} --to {recipient}")
    lines += [
        f"What arrives is kept in {gateway.directory / 'caught'}; the log is {gateway.directory / 'gateway.log'}.",
        f"Metrics: http://127.0.0.1:{gateway.http_port}/metrics (ingress), {gateway.http_port + 1} (transform), "
        f"{gateway.http_port + 2} (egress).",
        "Ctrl-C ends it.",
    ]
    return "\n".join(lines)


def _stay(gateway: Gateway) -> None:
    print(_how_to_send(gateway), flush=True)
    try:
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        print("\nDraining.")


def main(options: Namespace) -> int:
    """Carry the samples and compare, or with `--stay` keep the gateway up until Ctrl-C. Returns the exit code."""
    with tempfile.TemporaryDirectory(prefix="causeway-demo-") as directory:
        print("Starting Redis (append-only, fsync always), ingress, transform, egress and two catchers …", flush=True)
        with running(Path(directory), 2525) as gateway:
            if options.stay:
                _stay(gateway)
                return 0
            failed = 0
            for sample in samples():
                facts, content = carry(gateway, sample)
                show(sample, facts, content)
                for fault in faults(sample, facts, content):
                    failed += 1
                    print(f"    NOT AS EXPECTED: {fault}")
    if failed:
        print(f"\n{failed} faults.", file=sys.stderr)
        return 1
    print(f"\n{len(samples())} messages carried, each arrived as expected.")
    return 0
