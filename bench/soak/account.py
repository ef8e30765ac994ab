"""The account of one scenario: every acknowledged message has come to an end, and what else a soak has to find."""

from __future__ import annotations

import json
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import redis

from bench.soak.ledger import SENDER_PREFIX, longest_gap
from bench.soak.leftovers import look
from bench.soak.replicas import Gateway
from bench.soak.trial import Trial
from shared.configuration.redis import RedisSettings
from shared.spool import keys
from shared.spool.connect import open_spool
from shared.spool.dead_letters import DeadLetter, list_dead

DRAIN_SECONDS = 300.0


@dataclass
class Account:
    """One row of the fault table, with what is behind it.

    acknowledged = delivered + reported + dead + lost. recovery_seconds: after each fault, until the last message that
    had been accepted before it was delivered. wrong: what ought not to be so; empty for a scenario that was withstood.
    """

    name: str
    fault: str
    seconds: float
    messages: int
    acknowledged: int = 0
    delivered: int = 0
    reported: int = 0
    dead: int = 0
    lost: int = 0
    doubled_by_clients: int = 0
    doubled_by_gateway: int = 0
    may_double: int = 0
    faults: int = 0
    recovery_seconds: list[float] = field(default_factory=list)
    drain_seconds: float = 0.0
    longest_gap_seconds: dict[str, float] = field(default_factory=dict)
    interruptions: dict[str, int] = field(default_factory=dict)
    dead_reasons: dict[str, int] = field(default_factory=dict)
    leftovers: dict[str, dict[str, Any]] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON."""
        return asdict(self)


def drain(gateway: Gateway) -> float | None:
    """Wait until nothing waits in any queue; return the seconds it took, None where it took too long."""
    began = time.monotonic()
    queues = [keys.TRANSFORM, *(keys.egress(system.name) for system in gateway.settings.systems)]
    with gateway.client() as client:
        while time.monotonic() - began < DRAIN_SECONDS:
            try:
                if not any(client.scard(keys.live(queue)) for queue in queues):
                    return time.monotonic() - began
            except redis.RedisError:  # killed, and about to return
                pass
            time.sleep(0.1)
    return None


def _tag(letter: DeadLetter) -> str:
    """Return the tag of the message: of a report that was parked, the tag of what it is about."""
    return letter.envelope.recipients[0].address.partition("@")[0].removeprefix(SENDER_PREFIX)


def _bugs(gateway: Gateway) -> list[str]:
    """Return a line for each kind of unexpected exception in the log."""
    found: Counter[str] = Counter()
    for log in gateway.logs():
        with log.open(errors="replace") as lines:
            for line in lines:
                if line.startswith("Traceback"):
                    found[f"{log.name}: a traceback"] += 1
                elif '"traceback"' in line:
                    found[f"{log.name}: {_last_words(line)}"] += 1
    return [f"{line} ({times} times)" for line, times in found.items()]


def _last_words(line: str) -> str:
    try:
        entry = json.loads(line)
    except ValueError:  # a process that was killed while it wrote the line
        return line[:200]
    return f"{entry['event']}: {entry['traceback'].strip().splitlines()[-1]}"


def settle(trial: Trial, account: Account) -> None:
    """Wait until all is done, and fill in the account."""
    gateway, ledger = trial.gateway, trial.ledger
    drained = drain(gateway)
    account.drain_seconds = drained or DRAIN_SECONDS
    spool = open_spool(RedisSettings(url=gateway.url))
    letters = spool.run(list_dead())
    spool.close()
    ledger.dead.update(_tag(letter) for letter in letters)
    account.dead_reasons = dict(Counter(f"{letter.stage} {letter.reason}" for letter in letters))
    with gateway.client() as client:
        left = look(client)
    account.leftovers = {prefix: {"keys": left.counts[prefix], "why": why} for prefix, why in left.reasons.items()}

    account.messages, account.acknowledged = ledger.begun, len(ledger.acknowledged)
    for tag in ledger.acknowledged:
        account.delivered += tag in ledger.delivered
        account.reported += tag not in ledger.delivered and tag in ledger.reported
        account.dead += tag not in ledger.delivered and tag not in ledger.reported and ledger.dead[tag] > 0
    lost = ledger.lost()
    account.lost = len(lost)
    account.doubled_by_clients, account.doubled_by_gateway = ledger.doubled()
    account.may_double, account.faults = trial.may_double, len(trial.faults)
    account.recovery_seconds = [round(ledger.recovery_seconds(fault.at), 1) for fault in trial.faults]
    account.longest_gap_seconds = {
        "acknowledged": longest_gap(at for at in ledger.acknowledged.values() if at >= trial.began),
        "delivered": longest_gap(times[0] for times in ledger.delivered.values() if times[0] >= trial.began),
    }
    account.interruptions = dict(ledger.interruptions)
    account.facts = {"faults": dict(Counter(fault.what for fault in trial.faults)), **trial.facts}
    account.remarks = trial.remarks
    account.wrong = [*trial.wrong, *_wrong(trial, account, lost), *left.wrong[:20], *_bugs(gateway)]
    if drained is None:
        account.wrong.append(f"mail was still waiting after {DRAIN_SECONDS:.0f} s")


def _wrong(trial: Trial, account: Account, lost: list[str]) -> list[str]:
    ledger = trial.ledger
    found = [f"{tag} was acknowledged and is lost" for tag in lost[:20]]
    found += [f"{tag} was refused: {reply}" for tag, reply in list(ledger.rejected.items())[:20]]
    unanswered = account.messages - account.acknowledged - len(ledger.rejected)
    if unanswered:
        found.append(f"{unanswered} messages never had an answer")
    if ledger.in_clear:
        found.append(f"{ledger.in_clear} messages came in the clear")
    if account.doubled_by_gateway > account.may_double:
        found.append(f"{account.doubled_by_gateway} duplicates, and no more than {account.may_double} can be explained")
    return found


def write(accounts: list[Account], file: Path, machine: dict[str, Any]) -> None:
    """Write all accounts as JSON."""
    file.write_text(json.dumps({**machine, "scenarios": [account.to_json() for account in accounts]}, indent=1) + "\n")
