"""The egress service: builds couriers and a worker from the settings, and runs them until a signal stops them."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Coroutine
from functools import partial
from random import SystemRandom

import uvloop

from services.egress.addresses import HostAddresses
from services.egress.balance import Tier, tiers
from services.egress.courier import Courier
from services.egress.dns_client import NO_ANSWER, DnsClient
from services.egress.health import Backoff, HealthBoard
from services.egress.host_tls import HostTls
from services.egress.mx import Resolver
from services.egress.pool import Pool
from services.egress.probe import Probed as Probed  # noqa: PLC0414 (who calls `probe` names it)
from services.egress.probe import probe_entry
from services.egress.quota import Quota
from services.egress.session import Timeouts
from services.egress.throttle import Throttle
from services.egress.tlsa import TlsaRecords
from services.egress.worker import Worker
from shared.configuration.settings import Settings
from shared.configuration.systems import System
from shared.diagnosis.dns_names import PATIENCE_SECONDS
from shared.errors import ConfigurationError
from shared.mail.reply import Reply
from shared.operations.tasks import end
from shared.runtime.health import Health
from shared.runtime.reload import CurrentSettings, reload_on_hangup
from shared.spool.connect import open_async_spool
from shared.spool.operation import AsyncSpool


def run(current: CurrentSettings, health: Health) -> None:
    """Deliver until SIGTERM or SIGINT. For the main thread. Raises ConfigurationError for unusable TLS files."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_run(current, health))


async def _run(current: CurrentSettings, health: Health) -> None:
    settings = current.settings
    spool = open_async_spool(settings.redis)
    systems = [system for system in settings.systems if system.smart_hosts]
    if not systems:
        raise ConfigurationError("systems: at least one needs smart_hosts")
    couriers = {system.name: build_courier(settings, system, spool) for system in systems}
    worker = Worker(settings, spool, couriers, health, SystemRandom())

    def stop() -> None:
        health.drain()
        worker.stop()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    build = partial(_rebuild, current, spool)
    reloading = asyncio.create_task(reload_on_hangup(current, build, lambda built: worker.use(*built)))
    try:
        await worker.run()
    finally:
        await end([reloading])
        for courier in worker.couriers:
            await courier.aclose()
        await spool.aclose()


def _rebuild(current: CurrentSettings, spool: AsyncSpool, settings: Settings) -> tuple[Settings, dict[str, Courier]]:
    """Return new settings, and a courier for each system for which the new ones mean another."""
    systems = [system for system in settings.systems if system.smart_hosts]
    before = current.settings
    return settings, {
        system.name: build_courier(settings, system, spool)
        for system in systems
        if _of_courier(settings, system) != _of_courier(before, before.system(system.name))
    }


def _of_courier(settings: Settings, system: System) -> tuple[object, ...]:
    """Return the settings that `build_courier` reads."""
    of_worker = {"retry", "refused", "max_in_flight", "max_bytes_in_flight", "max_crashes", "shutdown_timeout"}
    return settings.hostname, system.smart_hosts, settings.egress.model_dump(exclude=of_worker)


def build_courier(settings: Settings, system: System, spool: AsyncSpool) -> Courier:
    """Return a courier to one system, for the running event loop. Raises ConfigurationError for unusable TLS files."""
    egress, random = settings.egress, SystemRandom()
    dns_client = _dns_client(settings)
    quota = Quota(system.smart_hosts, spool, Throttle(system.name, max_wait_seconds=egress.lease.total_seconds()))
    pool = Pool(
        system.name,
        hostname=settings.hostname,
        tls=HostTls(system.smart_hosts, TlsaRecords(dns_client)),
        timeouts=Timeouts(
            connect=egress.connect_timeout.total_seconds(),
            command=egress.command_timeout.total_seconds(),
            data=egress.data_timeout.total_seconds(),
        ),
        addresses=HostAddresses(random),
        connections_per_host=egress.connections_per_host,
        reuse_seconds=egress.reuse_seconds,
        quota=quota,
    )
    board = HealthBoard(system.name, spool, Backoff.of(egress), random)
    return Courier(system.smart_hosts, Resolver(dns_client), pool, board, random, quota=quota)


def _dns_client(settings: Settings) -> DnsClient:
    return DnsClient([str(address) for address in settings.egress.dnssec_resolvers])


def probe(settings: Settings) -> list[Probed]:
    """Connect to every smart host as a delivery would, without one; return what each offers, in the order of the file.

    Raises ConfigurationError for unusable TLS files.
    """
    return asyncio.run(_probe(settings))


async def _probe(settings: Settings) -> list[Probed]:
    egress, dns_client, addresses = settings.egress, _dns_client(settings), HostAddresses(SystemRandom())
    resolver, records = Resolver(dns_client), TlsaRecords(dns_client)
    patience = egress.connect_timeout.total_seconds()
    timeouts = Timeouts(connect=patience, command=patience, data=patience)
    probes: list[Coroutine[None, None, list[Probed]]] = []
    for i, system in enumerate(settings.systems):
        tls = HostTls(system.smart_hosts, records)
        probes += [
            probe_entry(
                f"systems[{i}].smart_hosts[{j}]",
                system.name,
                entry,
                resolver,
                hostname=settings.hostname,
                tls=tls,
                timeouts=timeouts,
                addresses=addresses,
            )
            for j, entry in enumerate(system.smart_hosts)
        ]
    return [probed for found in await asyncio.gather(*probes) for probed in found]


def unresolved(settings: Settings, resolver: Resolver | None = None) -> list[str]:
    """Return a line for each MX name that leads to no host. No answer within two seconds is ignored."""
    return asyncio.run(_unresolved(settings, resolver or Resolver(_dns_client(settings))))


async def _unresolved(settings: Settings, resolver: Resolver) -> list[str]:
    keys = {
        f"systems[{i}].smart_hosts[{j}].mx": entry
        for i, system in enumerate(settings.systems)
        for j, entry in enumerate(system.smart_hosts)
        if entry.mx
    }
    questions = {key: asyncio.create_task(resolver.hosts([entry])) for key, entry in keys.items()}
    if questions:
        await asyncio.wait(questions.values(), timeout=PATIENCE_SECONDS)
    found = {key: task.result() for key, task in questions.items() if task.done()}
    await end(questions.values())
    return [
        f"{key}: {keys[key].mx}: {answer.text}: correct the name, or DNS"
        for key, answer in found.items()
        if isinstance(answer, Reply) and answer != NO_ANSWER
    ]


def next_hops(settings: Settings, system: str) -> tuple[Tier, ...] | Reply:
    """Return the hosts that mail for a system is offered to, tier by tier, MX records resolved; or why there is none.

    Each host has name, port, preference, weight and `settings.tls`. Raises KeyError for an unknown system.
    """
    hosts = asyncio.run(Resolver(_dns_client(settings)).hosts(settings.system(system).smart_hosts))
    return hosts if isinstance(hosts, Reply) else tiers(hosts)
