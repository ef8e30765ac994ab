"""All of a gateway as programs on this machine: ingress, transform, egress, and Redis where it is embedded."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from functools import partial
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import get_args

from shared.configuration.endpoint import Endpoint
from shared.configuration.redis import RedisSettings
from shared.configuration.settings import Settings
from shared.diagnosis.ports import http_listen
from shared.errors import SpoolError
from shared.operations import embedded_redis
from shared.operations.processes import Child, Program
from shared.runtime.data_folder import DataFolder
from shared.runtime.service import Name, drain_seconds
from shared.spool.connect import PATIENCE, open_spool
from shared.spool.gauge import gauge_queue
from shared.spool.keys import TRANSFORM

REDIS_DRAIN_SECONDS = 30.0


def redis_program(data: DataFolder, lock: int) -> Program:
    """Return the embedded Redis of a data folder held by `lock`. Raises ConfigurationError where none is found."""
    command = embedded_redis.command(embedded_redis.find_redis_server(), data.path, data.socket)
    return Program(
        "redis",
        command,
        {},
        REDIS_DRAIN_SECONDS,
        partial(_answers, data.url),
        inherited=(lock,),
        apart=True,  # nothing may end it before the services that stand on it
        log=data.path / "redis.log",
    )


def service_programs(
    settings: Settings, config: Path | None, redis_url: str | None, processes: Mapping[str, int]
) -> list[Program]:
    """Return the services in the order in which they stop. redis_url: instead of the configured one."""
    programs = []
    for offset, name in enumerate(get_args(Name)):
        environment = {"CAUSEWAY_REDIS__URL": redis_url} if redis_url else {}
        listen = http_listen(settings, offset)
        if listen:
            environment["CAUSEWAY_HTTP__LISTEN"] = str(listen)
        command = [sys.executable, "-m", "services.cli.main", name, "--processes", str(processes.get(name, 1))]
        if config:
            command += ["--config", str(config)]
        grace_seconds = 5  # the parent of several processes waits for them itself
        programs.append(Program(name, command, environment, drain_seconds(settings, name) + grace_seconds))
    return programs


def is_ready(settings: Settings) -> bool:
    """Tell whether every service says that it is ready; True where none has HTTP to say it."""
    listening = [http_listen(settings, offset) for offset in range(len(get_args(Name)))]
    return all(says_ready(listen) for listen in listening if listen)


def groups(services: list[Program], redis_server: Program | None) -> list[list[Child]]:
    """Return the children of a supervisor: each service stands on the next, all on Redis."""
    programs = [*services, *([redis_server] if redis_server else [])]
    return [[Child(program)] for program in programs]


def says_ready(listen: Endpoint) -> bool:
    """Return whether a service that listens there for HTTP says that it is ready."""
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
    except SpoolError:  # not there yet, or still reading its append-only file
        return False
    finally:
        spool.close()
    return True
