"""A soak: the whole gateway under load while something happens to it. Prints the fault table; exit code 1 for a fault.

Three services as processes of their own, a Redis that syncs every write, clients that insist on their 250, and a smart
host that demands TLS, all on loopback. Of the mail some is deferred, some refused and reported, some parked.

    python -m bench.soak kill roll --minutes 10 --json soak.json
"""

from __future__ import annotations

import argparse
import logging
import os
import platform
import shutil
import sys
import tempfile
import time
from pathlib import Path
from random import Random
from typing import Any

from bench import messages
from bench.soak.account import Account, settle, write
from bench.soak.ledger import Ledger
from bench.soak.peers import Peers
from bench.soak.replicas import Gateway
from bench.soak.scenarios import ORDER
from bench.soak.trial import Scenario, Trial
from shared.operations import certificates

MESSAGE_OCTETS = 5000
RETRY = {"first": "2s", "longest": "10s"}
"""A deferred message is tried again within the soak, and not in five minutes."""
BY_NAME = {scenario.name: scenario for scenario in ORDER}
HEAD = (
    "fault",
    "messages",
    "acknowledged",
    "delivered",
    "reported",
    "dead",
    "lost",
    "duplicated",
    "seconds to recover",
)


def soak(scenario: Scenario, directory: Path, minutes: float, rate: float | None, seed: int) -> Account:
    """Run one scenario in a folder of its own; return its account."""
    made = certificates.self_signed(directory / "tls", ["localhost", "127.0.0.1"])
    messages.write(directory / "messages", MESSAGE_OCTETS)
    contents = messages.contents_from(directory / "messages", "notes")
    ledger = Ledger()
    changes = {"egress": {"retry": RETRY}, **scenario.changes}
    with Peers(made, contents, ledger) as peers, Gateway(directory, made, peers.port, changes) as gateway:
        for service, count in scenario.replicas.items():
            gateway.start(service, count)
        trial = Trial(gateway, peers, ledger, Random(seed), minutes * 60, rate)
        scenario.inflict(trial)
        account = Account(scenario.name, scenario.fault, trial.seconds, ledger.begun)
        settle(trial, account)
    account.wrong += [f"{name} died unexpectedly" for name in gateway.deaths]
    account.wrong += [f"{name} did not end in time" for name in gateway.overdue]
    return account


def row(account: Account) -> tuple[str, ...]:
    """Return an account as a row of the fault table."""
    doubled = f"{account.doubled_by_clients} + {account.doubled_by_gateway}"
    recovery = f"{max(account.recovery_seconds):.0f}" if account.recovery_seconds else "-"
    fault = f"{account.fault} ({account.seconds / 60:g} min)"
    counts = (account.messages, account.acknowledged, account.delivered, account.reported, account.dead, account.lost)
    return (fault, *map(str, counts), doubled, recovery)


def table(accounts: list[Account]) -> str:
    """Return the fault table, and below it what there is to say of each row."""
    rows = [HEAD, *map(row, accounts)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [" | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in rows]
    lines.insert(1, "-+-".join("-" * width for width in widths))
    lines.append("duplicated: sent again by a client that got no answer + by the gateway")
    lines.append(
        "seconds to recover: at most, until all that was accepted before a fault was delivered; a lease is 30 s"
    )
    for account in accounts:
        gaps = ", ".join(f"{what} {seconds:.1f} s" for what, seconds in account.longest_gap_seconds.items())
        lines += [
            "",
            f"{account.name}: {account.faults} faults; longest gap: {gaps}; drained in {account.drain_seconds:.1f} s",
        ]
        lines.append(
            f"  dead letters: {account.dead_reasons or 'none'}; clients interrupted: {account.interruptions or 'never'}"
        )
        lines += [f"  {remark}" for remark in account.remarks]
        lines += [
            f"  left in Redis: {found['keys']:>6} {key}* ({found['why']})" for key, found in account.leftovers.items()
        ]
        lines += [f"  WRONG: {wrong}" for wrong in account.wrong] or ["  nothing wrong"]
    return "\n".join(lines)


def machine() -> dict[str, Any]:
    """Return what the figures depend on."""
    return {
        "at": time.time(),
        "cores": os.cpu_count(),
        "system": platform.platform(),
        "python": platform.python_version(),
    }


def main() -> int:
    """Read the options, run, print; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="soak",
        description="The gateway under load while something happens to it. Scenarios: "
        + "; ".join(f"{one.name} ({one.fault}, {one.minutes:g} min)" for one in ORDER),
    )
    parser.add_argument("scenario", nargs="*", help="names of scenarios (default: all)")
    parser.add_argument("--minutes", type=float, help="how long each is to last, instead of its own time")
    parser.add_argument("--rate", type=float, help="messages a second, instead of each one's own")
    parser.add_argument("--seed", type=int, default=1, help="of all chance")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every figure there")
    options = parser.parse_args()
    if unknown := set(options.scenario) - BY_NAME.keys():
        parser.error(f"no scenario is named {', '.join(sorted(unknown))}: name any of {', '.join(BY_NAME)}")
    logging.getLogger("causeway").addHandler(logging.NullHandler())  # that what was killed has died is no news
    accounts: list[Account] = []
    for name in options.scenario or BY_NAME:
        scenario = BY_NAME[name]
        directory = Path(tempfile.mkdtemp(prefix=f"causeway-soak-{name}-", dir="/var/tmp"))
        minutes = options.minutes or scenario.minutes
        print(f"{name}: {scenario.fault}, {minutes:g} minutes and what it takes to drain", file=sys.stderr, flush=True)
        try:
            accounts.append(soak(scenario, directory, minutes, options.rate, options.seed))
        except Exception as error:  # noqa: BLE001 (the other scenarios are to run, and the findings reported)
            failed = f"the scenario itself failed: {type(error).__name__}: {error}"
            accounts.append(Account(name, scenario.fault, minutes * 60, 0, wrong=[failed]))
        if accounts[-1].wrong:
            accounts[-1].remarks.append(f"logs and spool are kept in {directory}")
        else:
            shutil.rmtree(directory)
        if options.json:
            write(accounts, options.json, machine())
    print(table(accounts))
    return int(any(account.wrong for account in accounts))


if __name__ == "__main__":
    sys.exit(main())
