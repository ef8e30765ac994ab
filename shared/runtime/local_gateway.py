"""All of a gateway as programs on this machine: the services, and Redis where it is embedded."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from functools import partial
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from shared.configuration.endpoint import Endpoint
from shared.configuration.redis import RedisSettings
from shared.configuration.settings import Settings
from shared.diagnosis.ports import http_endpoints
from shared.errors import SpoolError
from shared.operations import embedded_redis
from shared.operations.processes import Child, Program
from shared.runtime.data_folder import DataFolder
from shared.runtime.service import Service
from shared.spool.connect import PATIENCE, open_spool
from shared.spool.gauge import gauge_queue
from shared.spool.keys import TRANSFORM

REDIS_DRAIN_SECONDS = 30.0
GROUP_GRACE_SECONDS = 5.0
"""The parent of several processes waits for them itself, so it needs longer than they do."""


def redis_program(data: DataFolder, lock: int) -> Program:
    """Return the embedded Redis of a data folder locked by `lock`. Raises ConfigurationError where none is found."""
    command = embedded_redis.command(embedded_redis.find_redis_server(), data.path, data.socket)
    return Program(
        "redis",
        command,
        {},
        REDIS_DRAIN_SECONDS,
        partial(_answers, data.url),
        inherited=(lock,),
        apart=True,  # nothing may end it before the services that depend on it
        log=data.path / "redis.log",
    )


def service_programs(
    services: Sequence[Service],
    settings: Settings,
    config: Path | None,
    redis_url: str | None,
    processes: Mapping[str, int],
) -> list[Program]:
    """Return the services in the order in which they stop. redis_url: instead of the configured one."""
    endpoints = http_endpoints(settings, [service.name for service in services])
    programs = []
    for service in services:
        environment = {"CAUSEWAY_REDIS__URL": redis_url} if redis_url else {}
        if service.name in endpoints:
            environment["CAUSEWAY_HTTP__LISTEN"] = str(endpoints[service.name])
        count = processes.get(service.name, 1)
        command = [sys.executable, "-m", "services.cli.main", service.name, "--processes", str(count)]
        if config:
            command += ["--config", str(config)]
        drain_seconds = service.drain_seconds(settings) + GROUP_GRACE_SECONDS
        programs.append(Program(service.name, command, environment, drain_seconds, reloads=True))
    return programs


def is_ready(services: Sequence[Service], settings: Settings) -> bool:
    """Whether every service reports that it is ready; True where HTTP is switched off."""
    return all(map(reports_ready, http_endpoints(settings, [service.name for service in services]).values()))


def groups(services: list[Program], redis_server: Program | None) -> list[list[Child]]:
    """Return the children of a supervisor: each service depends on the next, all on Redis."""
    programs = [*services, *([redis_server] if redis_server else [])]
    return [[Child(program)] for program in programs]


def reports_ready(listen: Endpoint) -> bool:
    """Return whether the service whose HTTP server listens there reports that it is ready."""
    connection = HTTPConnection(str(listen.local), timeout=1)  # no urlopen, which might ask a proxy for it
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == HTTPStatus.OK
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


def _answers(url: str) -> bool:
    spool = open_spool(RedisSettings(url=url, timeout=PATIENCE))
    try:
        spool.run(gauge_queue(TRANSFORM))
    except SpoolError:  # not started yet, or still reading its append-only file
        return False
    finally:
        spool.close()
    return True
