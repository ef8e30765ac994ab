"""Readings of the spool: the length of each queue, and how full and how durable Redis is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from shared.configuration.redis import Durability, RedisSettings
from shared.configuration.settings import Settings
from shared.errors import SpoolUnavailable
from shared.spool import keys
from shared.spool.operation import Batch, Command, Operation, Script

File = Literal["off", "rewriting", "on"]


@dataclass(frozen=True, slots=True)
class QueueGauge:
    """One queue: jobs ready, leased, waiting for a retry, dead.

    oldest_seconds: how long the oldest ready job has waited. oldest_scheduled_seconds: age of the oldest message that
    has a job waiting for a retry, among the thousand jobs whose retries are latest (waits grow with age).
    """

    queue: str
    depth: int
    oldest_seconds: float
    leased: int
    scheduled: int
    oldest_scheduled_seconds: float
    dead: int


@dataclass(frozen=True, slots=True)
class SpoolGauge:
    """Redis itself. max_bytes: its memory limit, or the machine's memory where it has none.

    durability: what Redis offers now. replicas: how many are connected. problem: why the durability is less than
    declared, in one line, or "". server: its run id, which changes at each start and failover. file: its append-only
    file; `AppendOnlyFile` decides whether it is complete.
    """

    used_bytes: int
    max_bytes: int
    durability: Durability
    replicas: int
    problem: str
    server: str
    file: File


def queues(settings: Settings) -> list[str]:
    """Return the queues of every stage: transform, and egress of each system."""
    return [keys.TRANSFORM, *(keys.egress(system.name) for system in settings.systems)]


def gauge_queue(queue: str) -> Operation[QueueGauge]:
    """Read one queue, in one step and in constant time."""
    depth, leased, scheduled, dead, ready_ms, scheduled_ms = yield Script("gauge", (queue,))
    return QueueGauge(queue, depth, ready_ms / 1000, leased, scheduled, scheduled_ms / 1000, dead)


def _fsync(policies: dict[str, str]) -> str:
    """Return how often Redis syncs its file (appendfsync); "no" if it pauses fsync while a child rewrites the file."""
    return "no" if policies.get("no-appendfsync-on-rewrite") == "yes" else policies["appendfsync"]


def _problem(info: dict[str, Any], policies: dict[str, str], settings: RedisSettings) -> str:
    declared, fsync, policy = settings.durability, _fsync(policies), policies["maxmemory-policy"]
    if info.get("role") != "master":
        return "Redis is a read-only replica: name its primary in redis.url, or use redis.sentinel"
    if policy != "noeviction" and int(info["maxmemory"]):
        return f"Redis may evict mail (maxmemory-policy {policy}): set maxmemory-policy noeviction"
    if declared == "memory":
        return ""
    if not int(info["aof_enabled"]):
        return f"durability {declared} is declared, but Redis has appendonly off: set appendonly yes"
    if info["aof_last_write_status"] != "ok":
        return "Redis cannot write its append-only file: see its log, free its disk"
    if declared in ("fsync", "everysec") and policies.get("no-appendfsync-on-rewrite") == "yes":
        return f"durability {declared} is declared, but Redis pauses fsync: set no-appendfsync-on-rewrite no"
    if declared == "fsync" and fsync != "always":
        return f"durability fsync is declared, but Redis has appendfsync {fsync}: set appendfsync always"
    if declared == "everysec" and fsync not in ("always", "everysec"):
        return f"durability everysec is declared, but Redis has appendfsync {fsync}: set appendfsync everysec"
    if declared == "replicated" and int(info["connected_slaves"]) < settings.replicas:
        return f"durability replicated needs {settings.replicas} replicas, {info['connected_slaves']} are connected"
    if declared == "replicated" and not int(policies["min-replicas-to-write"]):
        return "a former primary without replicas would still accept writes: set min-replicas-to-write 1"
    return ""


def _durability(info: dict[str, Any], fsync: str, settings: RedisSettings) -> Durability:
    if not int(info["aof_enabled"]) or info["aof_last_write_status"] != "ok":
        return "memory"
    if settings.durability == "replicated" and int(info["connected_slaves"]) >= settings.replicas:
        return "replicated"
    if fsync == "always":
        return "fsync"
    return "everysec" if fsync == "everysec" else "memory"


def _file(info: dict[str, Any]) -> File:
    if not int(info["aof_enabled"]):
        return "off"
    return "rewriting" if int(info["aof_rewrite_in_progress"]) or int(info["aof_rewrite_scheduled"]) else "on"


def gauge_spool(settings: RedisSettings) -> Operation[SpoolGauge]:
    """Read how full and how durable Redis is. Raises SpoolUnavailable, also where CONFIG GET is forbidden."""
    info, policies = yield Batch((Command("INFO", ()), Command("CONFIG GET", ("*",))))
    if "appendfsync" not in policies:
        raise SpoolUnavailable("cannot read the durability of Redis: allow CONFIG GET for this user")
    return SpoolGauge(
        used_bytes=int(info["used_memory"]),
        max_bytes=int(info["maxmemory"]) or int(info["total_system_memory"]),
        durability=_durability(info, _fsync(policies), settings),
        replicas=int(info["connected_slaves"]),
        problem=_problem(info, policies, settings),
        server=info["run_id"],
        file=_file(info),
    )
