"""Replicas of the egress service, each a process of its own, and an account of the mail that is given to them."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import timedelta
from email import message_from_bytes
from pathlib import Path
from typing import Any

import redis
import yaml

from shared.configuration.settings import Settings
from shared.operations.tether import tethered
from shared.spool import keys
from shared.spool.accept import accept
from shared.spool.lease import lease_messages
from shared.spool.operation import Spool
from shared.spool.settlement import NewDelivery, Transformed
from shared.spool.write_settlements import write_settlements
from tests.support.mail import delivery, message
from tests.support.smart_host import SmartHostServer

_TAG = re.compile(r"^Subject: (\S+-\d{4})\r$", re.MULTILINE)
_RECIPIENT = re.compile(r"^Final-Recipient: rfc822; ?(\S+)\r$", re.MULTILINE)
BODY = "Kind regards\r\n" * 100


def give(spool: Spool, system: str, tags: Iterable[str], *recipients: str) -> list[str]:
    """Put a delivery for each tag into the spool as transform would; return their ids. No other message may wait.

    A tag is `word-0001`; recipients: of each, by default b@example.com.
    """
    ids: list[str] = []
    for tag in tags:
        content = f"From: a@example.com\r\nTo: b@example.com\r\nSubject: {tag}\r\n\r\n{BODY}".encode()
        spool.run(accept(message(*recipients, content=content)))
        [leased] = spool.run(lease_messages("test", max_jobs=1, max_bytes=10**9, seconds=60))
        made = replace(delivery(leased.envelope, system, len(content)))
        assert spool.run(write_settlements([Transformed(leased.lease, (NewDelivery(made, ()),))]))
        ids.append(made.id)
    return ids


def copies(servers: Iterable[SmartHostServer]) -> Counter[tuple[str, str]]:
    """Return how often the servers took each message, by its tag, for each recipient."""
    found: Counter[tuple[str, str]] = Counter()
    for server in servers:
        for received in tuple(server.messages):
            tag = str(message_from_bytes(received.content)["Subject"])
            found.update((tag, line[len("RCPT TO:<") :].partition(">")[0]) for line in received.rcpts)
    return found


def is_drained(spool: Spool, system: str) -> bool:
    """Whether every delivery to the system has ended."""
    return not spool.client.scard(keys.live(keys.egress(system)))


def waiting(spool: Spool, system: str) -> int:
    """Return how many deliveries to the system wait for a retry."""
    return int(spool.client.zcard(keys.rq_scheduled(keys.egress(system))))


def reported(client: redis.Redis) -> Counter[tuple[str, str]]:
    """Return how often the reports that wait for conversion contain a failure, by tag and recipient."""
    found: Counter[tuple[str, str]] = Counter()
    raw: Any = client
    for id in raw.smembers(keys.live(keys.TRANSFORM)):
        content = raw.get(keys.content(id.decode())).decode()
        [tag] = set(_TAG.findall(content))
        found.update((tag, recipient) for recipient in _RECIPIENT.findall(content))
    return found


@contextmanager
def replicas(folder: Path, settings: Settings, count: int = 1) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Run so many egress processes; at the end each is stopped, and must end cleanly."""
    config = folder / "causeway.yaml"
    config.write_text(
        yaml.safe_dump({**_written(settings.model_dump(exclude_defaults=True)), "http": {"listen": None}})
    )
    with ExitStack() as stack:
        logs = [folder / f"egress-{number}.log" for number in range(count)]
        processes = [stack.enter_context(_replica(config, log)) for log in logs]
        yield processes
        assert not [log.read_text() for log, process in zip(logs, processes, strict=True) if process.poll() is not None]
    assert [process.returncode for process in processes] == [0] * count, [log.read_text()[-2000:] for log in logs]


def _written(value: Any) -> Any:
    """Return what the configuration file says for a value of the settings."""
    if isinstance(value, dict):
        return {key: _written(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_written(part) for part in value]
    if isinstance(value, timedelta):
        return f"{value / timedelta(milliseconds=1):.0f}ms"
    return str(value) if isinstance(value, Path) else value


@contextmanager
def _replica(config: Path, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    command: Sequence[str] = [sys.executable, "-m", "services.egress", "--config", str(config)]
    with log.open("wb") as output:
        process = subprocess.Popen(tethered(command), stdout=output, stderr=subprocess.STDOUT)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
