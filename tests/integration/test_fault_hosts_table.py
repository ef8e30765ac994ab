"""A table of smart host faults, each during deliveries: the outcome of every message, and of TLS.

One real egress process delivers to as many systems as there are faults, all at once, over STARTTLS with `verify` where
nothing else is said. Each fault is met by mail, ends, and the mail that it put off arrives. `pytest -s` prints the
table; CAUSEWAY_FAULT_MESSAGES makes it larger.
"""

from __future__ import annotations

import datetime
import os
import ssl
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

import pytest
import redis

from services.demo.ports import free_ports
from shared.configuration.egress import EgressSettings, RetrySettings
from shared.configuration.redis import RedisSettings
from shared.configuration.settings import Settings
from shared.configuration.smart_hosts import SmartHost
from shared.configuration.systems import System
from shared.mail.delivery import Delivery
from shared.spool import keys
from shared.spool.connect import open_spool
from shared.spool.dead_letters import Filter, list_dead
from shared.spool.operation import Spool
from tests.conftest import Certificates
from tests.support.processes import eventually
from tests.support.replicas import copies, give, is_drained, replicas, reported
from tests.support.smart_host import DROP, HANG, TAKE_AND_DROP, TAKE_AND_HANG, Answer, SmartHostServer
from tests.support.unreachable import Unreachable

MESSAGES = int(os.environ.get("CAUSEWAY_FAULT_MESSAGES", "12"))
OK, LATER, NO = "b@example.com", "later@example.com", "no@example.com"
"""A recipient that is served, one that is put off while the fault lasts, and one that is refused."""
SECRETS = ("MAIL", "RCPT", "DATA")


NO_TLS = {"extensions": ["PIPELINING", "STARTTLS"]}
"""What a host offers that has no certificate, and cannot keep its word."""


def only_later(line: str) -> str:
    """Put off one recipient of several, refuse another."""
    return "450 4.2.0 later" if LATER in line else "550 5.1.1 no" if NO in line else "250 2.1.5 ok"


@dataclass
class Fault:
    """What a host does.

    refuses: for good, so that the sender gets a report. doubles: it has taken what it put in doubt. answers:
    see SmartHostServer. server: other attributes of it. certificate: that it shows while the fault lasts, None for no
    STARTTLS at all. port: closed or silent while it lasts.
    """

    name: str
    answers: dict[str, Answer] = field(default_factory=dict)
    server: dict[str, Any] = field(default_factory=dict)
    certificate: Literal["good", "expired", "other"] | None = "good"
    port: Literal["open", "closed", "silent"] = "open"
    tls: Literal["verify", "required"] = "verify"
    recipients: tuple[str, ...] = (OK,)
    refuses: tuple[str, ...] = ()
    doubles: bool = False

    @property
    def system(self) -> str:
        """The name of the system that the host belongs to."""
        return "".join(one if one.isalnum() else "_" for one in self.name.lower())


def at_each(reply: str, verbs: str, **more: Any) -> list[Fault]:
    return [Fault(f"{reply[:3] if ' ' in reply else reply} at {verb}", {verb: reply}, **more) for verb in verbs.split()]


FAULTS = [
    Fault("connection refused", port="closed"),
    Fault("connection times out", port="silent"),
    Fault("slow replies", server={"seconds_per_octet": 0.001}),
    Fault("an octet a second", server={"seconds_per_octet": 1}),
    *at_each("421 4.3.2 not now", "CONNECT EHLO STARTTLS MAIL RCPT DATA ."),
    *at_each("451 4.3.0 not now", "CONNECT EHLO STARTTLS MAIL RCPT DATA ."),
    *at_each("554 5.3.0 never", "CONNECT EHLO STARTTLS"),
    *at_each("554 5.3.0 never", "MAIL RCPT DATA .", refuses=(OK,)),
    *at_each(DROP, "CONNECT EHLO STARTTLS MAIL RCPT DATA ."),
    *at_each(HANG, "CONNECT EHLO STARTTLS MAIL RCPT DATA ."),
    Fault("451 at RCPT, RSET refused", {"RCPT": "451 4.3.0 not now", "RSET": "451 4.3.0 no"}),
    Fault("451 at RCPT, drop at RSET", {"RCPT": "451 4.3.0 not now", "RSET": DROP}),
    Fault("taken, drop after the final dot", {".": TAKE_AND_DROP}, doubles=True),
    Fault("taken, silent after the final dot", {".": TAKE_AND_HANG}, doubles=True),
    Fault("some recipients only", {"RCPT": only_later}, recipients=(OK, LATER, NO), refuses=(NO,)),
    Fault("some only, one by one", {"RCPT": only_later}, {"extensions": []}, recipients=(OK, LATER, NO), refuses=(NO,)),
    Fault("STARTTLS, then more in the clear", server={"after_starttls": b"500 what?\r\n"}),
    Fault("STARTTLS agreed to, then no TLS", server=NO_TLS | {"after_starttls": b"500 what?\r\n"}, certificate=None),
    Fault("STARTTLS agreed to, then silence", server=NO_TLS, certificate=None),
    Fault("STARTTLS stripped", certificate=None),
    Fault("STARTTLS stripped, required", certificate=None, tls="required"),
    Fault("certificate expired", certificate="expired"),
    Fault("certificate expired, required", certificate="expired", tls="required"),
    Fault("certificate of another name", certificate="other"),
    Fault("certificate of another name, required", certificate="other", tls="required"),
]


@dataclass
class Row:
    """A fault as it went. hit: how often it was met. seconds: from its end until no mail was left."""

    fault: Fault
    servers: list[SmartHostServer]
    dead: int = 0
    logged: Counter[tuple[str, str]] = field(default_factory=Counter)
    hit: int = 0
    began: float = 0
    ended: float | None = None

    @property
    def expected(self) -> set[tuple[str, str]]:
        """Each message for each recipient."""
        tags = (f"{self.fault.system}-{number:04d}" for number in range(MESSAGES))
        return {(tag, recipient) for tag in tags for recipient in self.fault.recipients}

    @property
    def lost(self) -> set[tuple[str, str]]:
        """What neither arrived nor was reported."""
        return self.expected - copies(self.servers).keys() - self.logged.keys()

    @property
    def doubles(self) -> int:
        """How many copies arrived too many."""
        return sum(count - 1 for count in copies(self.servers).values())

    @property
    def doubtful(self) -> int:
        """How many copies the hosts took and never answered for."""
        return sum(server.doubtful for server in self.servers)


def context(certificates: Certificates, kind: str) -> ssl.SSLContext:
    """Return a server's TLS with a certificate that is good, expired, or of another name."""
    name = "other.example.com" if kind == "other" else "127.0.0.1"
    ends = datetime.datetime.now() + timedelta(days=-1 if kind == "expired" else 1)
    begins = ends - timedelta(days=2)
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificates.authority.issue_cert(name, not_before=begins, not_after=ends).configure_cert(made)
    return made


class Scene:
    """A fault's host, from the fault's beginning to its end."""

    def __init__(self, fault: Fault, port: int, certificates: Certificates, stack: ExitStack) -> None:
        self.fault = fault
        self.port = port
        self.good = context(certificates, "good")
        self._stack = stack
        self._fault_stack = stack.enter_context(ExitStack())
        self.row = Row(fault, [])
        if fault.port == "silent":
            self._unreachable = self._fault_stack.enter_context(Unreachable(port))
        elif fault.port == "open":
            shown = context(certificates, fault.certificate) if fault.certificate else None
            server = SmartHostServer(answers=dict(fault.answers), context=shown, port=port, **fault.server)
            self.row.servers.append(stack.enter_context(server))

    def end(self) -> None:
        """Let the host be well from now on."""
        if self.fault.port != "open":
            self._fault_stack.close()
            self.row.servers.append(self._stack.enter_context(SmartHostServer(context=self.good, port=self.port)))
            return
        for server in self.row.servers:
            server.answers.clear()
            server.after_starttls = b""
            server.extensions = ["PIPELINING", "8BITMIME"]
            server.seconds_per_octet = 0
            server.context = self.good

    def settings(self, certificates: Certificates) -> System:
        """Return the system that the host belongs to."""
        ca = certificates.ca if self.fault.tls == "verify" else None
        host = SmartHost(host="127.0.0.1", port=self.port, tls=self.fault.tls, ca=ca)
        return System(name=self.fault.system, kind="exchange", smart_hosts=[host])


def was_met(spool: Spool, scene: Scene, ids: list[str]) -> bool:
    """Whether mail of the system was put off, or has ended, by now: each message at least once tried."""
    tried = 0
    for id in ids:
        record = spool.client.hget(keys.delivery(id), "delivery")
        tried += record is None or Delivery.from_json(record).attempts > 0
    return tried == len(ids)


@pytest.fixture(scope="module")
def rows(
    redis_socket: Path, certificates: Certificates, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Row]]:
    """Return how every fault went."""
    redis_settings = RedisSettings(url=f"unix://{redis_socket}")
    client = redis.Redis(unix_socket_path=str(redis_socket))
    client.flushall()
    spool = open_spool(redis_settings)
    with ExitStack() as stack:
        ports = free_ports(len(FAULTS))
        scenes = [Scene(fault, port, certificates, stack) for fault, port in zip(FAULTS, ports, strict=True)]
        given = {
            scene.fault.system: give(
                spool,
                scene.fault.system,
                [f"{scene.fault.system}-{number:04d}" for number in range(MESSAGES)],
                *scene.fault.recipients,
            )
            for scene in scenes
        }
        settings = Settings(
            hostname="gw.example.com",
            redis=redis_settings,
            systems=[scene.settings(certificates) for scene in scenes],
            egress=EgressSettings(
                connections_per_host=MESSAGES,
                connect_timeout=timedelta(seconds=3),
                command_timeout=timedelta(seconds=4),
                data_timeout=timedelta(seconds=6),
                host_down=timedelta(seconds=1),
                max_in_flight=20 * len(FAULTS),
                retry=RetrySettings(first=timedelta(seconds=1), factor=1.5, jitter=0.1),
            ),
        )
        [egress] = stack.enter_context(replicas(tmp_path_factory.mktemp("faults"), settings))
        faulty, healed = list(scenes), list[Scene]()

        def progress() -> bool:
            assert egress.poll() is None
            for scene in tuple(faulty):
                if was_met(spool, scene, given[scene.fault.system]):
                    scene.end()
                    scene.row.began = time.monotonic()
                    faulty.remove(scene)
                    healed.append(scene)
            for scene in tuple(healed):
                if is_drained(spool, scene.fault.system):
                    scene.row.ended = time.monotonic()
                    healed.remove(scene)
            return not faulty and not healed

        eventually(progress, 240)
        logged = reported(client)
        for scene in scenes:
            scene.row.logged = Counter({key: count for key, count in logged.items() if key in scene.row.expected})
            scene.row.dead = len(spool.run(list_dead(Filter(system=scene.fault.system))))
        found = {scene.fault.name: scene.row for scene in scenes}
        sys.stdout.write(table(found))
        yield found
    client.flushall()
    client.close()
    spool.close()


def table(rows: dict[str, Row]) -> str:
    """Return how the faults went, for people."""
    lines = [f"\n{'fault':40} messages  lost  duplicated  reported  dead  seconds to recover"]
    for name, row in rows.items():
        seconds = (row.ended or 0) - row.began
        lines.append(
            f"{name:40} {MESSAGES:8}  {len(row.lost):4}  {row.doubles:10}  {len(row.logged):8}  {row.dead:4}  "
            f"{seconds:18.1f}"
        )
    return "\n".join(lines) + "\n"


each_fault = pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)


@each_fault
def test_all_mail_is_delivered_or_reported(rows: dict[str, Row], fault: Fault) -> None:
    row = rows[fault.name]
    delivered = copies(row.servers).keys()
    assert not row.lost
    assert not row.dead
    assert row.logged == Counter({key: 1 for key in row.expected if key[1] in fault.refuses})
    assert not delivered & row.logged.keys()
    assert delivered | row.logged.keys() == row.expected


@each_fault
def test_only_what_a_host_took_without_a_word_arrives_twice(rows: dict[str, Row], fault: Fault) -> None:
    row = rows[fault.name]
    assert row.doubles == row.doubtful
    assert (row.doubles > 0) == fault.doubles


@each_fault
def test_nothing_of_a_message_goes_in_the_clear(rows: dict[str, Row], fault: Fault) -> None:
    for server in rows[fault.name].servers:
        assert not [line for line in server.clear_lines if line.upper().startswith(SECRETS)]
        assert all(message.encrypted for message in server.messages)
