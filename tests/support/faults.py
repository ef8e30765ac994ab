"""A gateway under load in which something fails, and the account of its mail afterwards.

Acknowledged mail is delivered, reported or a dead letter, or it is lost. A second copy is explained where a client sent
the message again, not having got its 250, or where the gateway's own history says that it was in doubt.
"""

from __future__ import annotations

import os
import re
import smtplib
import sys
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from email import message_from_bytes
from functools import partial
from http import HTTPStatus
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import redis

from services.demo import gateway as demo_gateway
from shared.configuration.redis import RedisSettings
from shared.history.attempt import AttemptEvent
from shared.history.base import HistoryEvent
from shared.history.delivery import DeliveryInterrupted
from shared.history.message import MessageInterrupted
from shared.spool import keys
from shared.spool.connect import open_spool
from shared.spool.dead_letters import list_dead
from shared.spool.history import read_history
from shared.spool.operation import Spool
from tests.support.load import Load
from tests.support.processes import eventually

MESSAGES = int(os.environ.get("CAUSEWAY_FAULT_MESSAGES", "200"))
"""How many at least; set it to thousands for figures worth telling."""

PAUSE_SECONDS = 0.05
"""Between two messages of a client: what a fault holds up is delivered soon after its end."""

QUEUES = (keys.TRANSFORM, keys.egress("exchange"), keys.egress("notes"))
IMPATIENT: dict[str, Any] = {
    "egress": {"host_down": "300ms", "host_down_longest": "1s", "retry": {"first": "500ms", "longest": "1s"}}
}

_ID = re.compile(rb"\bid ([0-9a-f]{16,})")

Alter = Callable[[dict[str, Any]], None]


@dataclass(frozen=True)
class Account:
    """What became of what was acknowledged. copies: how often each message id arrived, by the tag of the load."""

    acknowledged: set[str]
    copies: dict[str, Counter[str]]
    attempts: Counter[str]
    reported: int
    dead: int
    doubted: set[str]

    @property
    def lost(self) -> set[str]:
        """Acknowledged and nowhere. Reports and dead letters bear no tag: a scenario says how many it expects."""
        return self.acknowledged - self.copies.keys()

    @property
    def sent_twice(self) -> int:
        """Copies more because a client sent a message again."""
        return sum(len(ids) - 1 for ids in self.copies.values())

    @property
    def delivered_twice(self) -> Counter[str]:
        """Copies more of one message id."""
        return Counter({id: count - 1 for ids in self.copies.values() for id, count in ids.items() if count > 1})

    @property
    def unexplained(self) -> set[str]:
        """Tags with more message ids than attempts, and ids delivered twice without a doubt in their history."""
        too_many = {tag for tag, ids in self.copies.items() if len(ids) > self.attempts[tag]}
        return too_many | (self.delivered_twice.keys() - self.doubted)

    def __str__(self) -> str:
        return (
            f"{len(self.acknowledged)} acknowledged, {len(self.copies)} delivered, {self.reported} reported, "
            f"{self.dead} dead, {len(self.lost)} lost, {self.sent_twice} sent twice by clients, "
            f"{self.delivered_twice.total()} delivered twice"
        )


class Trial:
    """One gateway under load."""

    def __init__(self, gateway: demo_gateway.Gateway, redis: RedisSettings) -> None:
        self.gateway = gateway
        self.load = Load(gateway.port, total=1_000_000, deadline_seconds=600, pause_seconds=PAUSE_SECONDS)
        self._redis = redis
        self._probes = 0
        self._sender = threading.Thread(target=self.load.run)
        self._sender.start()

    @property
    def log(self) -> str:
        """The log of the services so far."""
        return (self.gateway.directory / "gateway.log").read_text(errors="replace")

    def go_on(self, messages: int = 40) -> float:
        """Wait until so many more messages are acknowledged; return the seconds until the first of them."""
        before, began = len(self.load.acknowledged), time.monotonic()
        eventually(lambda: len(self.load.acknowledged) > before, 120)
        first = time.monotonic() - began
        eventually(lambda: len(self.load.acknowledged) >= before + messages, 120)
        return first

    def deliver_again(self) -> float:
        """Wait until one more message arrives at Exchange; return the seconds."""
        folder, began = self.gateway.caught("exchange"), time.monotonic()
        before = len(list(folder.glob("*.json")))
        eventually(lambda: len(list(folder.glob("*.json"))) > before, 120)
        return time.monotonic() - began

    def reply(self) -> int:
        """Send one message more; return the code of its last reply."""
        self._probes += 1
        tag = f"probe-{self._probes:06d}"
        self.load.attempts[tag] += 1
        try:
            self.load.send_one(tag)
        except smtplib.SMTPRecipientsRefused as refused:
            return next(iter(refused.recipients.values()))[0]
        except smtplib.SMTPResponseException as refused:
            return refused.smtp_code
        return 250

    def is_ready(self) -> bool:
        """Whether ingress says so at /readyz."""
        connection = HTTPConnection("127.0.0.1", self.gateway.http_port, timeout=10)
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == HTTPStatus.OK
        finally:
            connection.close()

    def stand_still(self) -> int:
        """Wait until nothing more is acknowledged for a second; return how many were till then."""
        seen, since = -1, time.monotonic()

        def is_still() -> bool:
            nonlocal seen, since
            if len(self.load.acknowledged) != seen:
                seen, since = len(self.load.acknowledged), time.monotonic()
            return time.monotonic() - since > 1

        eventually(is_still, 60)
        return seen

    def account(self, scenario: str, recovered_seconds: float) -> Account:
        """End the load once it was enough, wait until all is delivered, and count."""
        eventually(lambda: len(self.load.acknowledged) >= MESSAGES, 500)
        self.end()
        spool = open_spool(self._redis)
        try:
            eventually(partial(is_drained, spool.client), 120)
            account = self._count(spool)
        finally:
            spool.close()
        sys.stdout.write(f"{scenario}: {account}, recovered in {recovered_seconds:.1f} s\n")
        return account

    def end(self) -> None:
        """Begin no more messages, and wait until those begun are acknowledged."""
        self.load.enough.set()
        self._sender.join()

    def _count(self, spool: Spool) -> Account:
        copies: dict[str, Counter[str]] = defaultdict(Counter)
        for envelope in self.gateway.caught("exchange").glob("*.json"):
            content = envelope.with_suffix(".eml").read_bytes()
            found = _ID.search(content)
            assert found
            copies[str(message_from_bytes(content)["Subject"])][found[1].decode()] += 1
        twice = [id for ids in copies.values() for id, count in ids.items() if count > 1]
        return Account(
            set(self.load.acknowledged),
            dict(copies),
            self.load.attempts,
            len(list(self.gateway.caught("notes").glob("*.json"))),
            len(spool.run(list_dead())),
            {id for id in twice if any(map(_is_doubt, spool.run(read_history(id))))},
        )


def _is_doubt(event: HistoryEvent) -> bool:
    ambiguous = isinstance(event, AttemptEvent) and event.ambiguous
    return ambiguous or isinstance(event, MessageInterrupted | DeliveryInterrupted)


def is_drained(client: redis.Redis) -> bool:
    """Whether no message or delivery waits for anything."""
    try:
        return not any(client.scard(keys.live(queue)) for queue in QUEUES)
    except redis.RedisError:
        return False


def short_leases(configuration: dict[str, Any]) -> None:
    """Alter a configuration: what was in hand is given back soon."""
    for service in ("transform", "egress"):
        configuration.setdefault(service, {})["lease"] = "5s"


@contextmanager
def under_load(directory: Path, redis: dict[str, Any], alter: Alter = lambda _configuration: None) -> Iterator[Trial]:
    """Run a gateway on the given Redis (a `redis` section), and send to it inside the block."""

    def altered(configuration: dict[str, Any]) -> None:
        configuration.update(deepcopy(IMPATIENT), redis=redis)
        alter(configuration)

    with demo_gateway.running(directory, alter=altered) as gateway:
        trial = Trial(gateway, RedisSettings.model_validate(redis))
        try:
            yield trial
        finally:
            trial.load.give_up()
            trial.end()
