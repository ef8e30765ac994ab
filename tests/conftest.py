"""What every test may use: a real Redis, certificates of a CA made on the spot, a folder with a short path.

Under pytest-xdist each worker has its own of each.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import redis
import trustme
from hypothesis import settings

from shared.configuration.redis import RedisSettings
from shared.operations import embedded_redis
from tests.support.optional import not_run

OWN_FOLDER = pytest.StashKey[str]()

settings.register_profile("same", deadline=None, derandomize=True)
settings.register_profile("random", deadline=None, print_blob=True)
settings.load_profile("same")  # `make test-random` chooses the other. No deadlines: machines are busy


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Keep temporary files in a folder with a short name: the path of a socket has at most 107 bytes."""
    if config.option.basetemp is None:
        config.option.basetemp = config.stash[OWN_FOLDER] = tempfile.mkdtemp(prefix="cw-", dir="/tmp")


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Remove that folder after a run without failures."""
    if exitstatus == pytest.ExitCode.OK and OWN_FOLDER in session.config.stash:
        shutil.rmtree(session.config.stash[OWN_FOLDER])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """End a run of everything with a line for each thing that it left out, and what to install for it."""
    if config.args_source is pytest.Config.ArgsSource.TESTPATHS:
        skipped = terminalreporter.stats.get("skipped", [])
        terminalreporter.section("not run")
        for line in not_run(report.longrepr[2].removeprefix("Skipped: ") for report in skipped):
            terminalreporter.line(line)


@dataclass(frozen=True)
class Certificates:
    """A CA and a certificate for 127.0.0.1, localhost and mail.example.com, as PEM files."""

    directory: Path
    ca: Path
    certificate: Path
    key: Path
    authority: trustme.CA

    def issue(self, *names: str) -> tuple[Path, Path]:
        """Issue another certificate; return the paths of certificate and key."""
        leaf = self.authority.issue_cert(*names)
        stem = names[0].replace("*", "_")
        certificate, key = self.directory / f"{stem}.crt", self.directory / f"{stem}.key"
        certificate.write_bytes(b"".join(blob.bytes() for blob in leaf.cert_chain_pems))
        key.write_bytes(leaf.private_key_pem.bytes())
        return certificate, key


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    directory = tmp_path_factory.mktemp("certificates")
    authority = trustme.CA()
    ca = directory / "ca.crt"
    authority.cert_pem.write_to_path(str(ca))
    made = Certificates(directory, ca, directory / "tls.crt", directory / "tls.key", authority)
    certificate, key = made.issue("localhost", "127.0.0.1", "mail.example.com")
    certificate.rename(made.certificate)
    key.rename(made.key)
    return made


@pytest.fixture(scope="session")
def redis_socket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return the unix socket of a real, durable redis-server that lives as long as the test run."""
    directory = tmp_path_factory.mktemp("redis")
    socket = directory / "redis.sock"
    process = subprocess.Popen(embedded_redis.command(embedded_redis.find_redis_server(), directory, socket))
    try:
        client = redis.Redis(unix_socket_path=str(socket))
        for _ in range(500):
            try:
                client.ping()
                break
            except redis.RedisError:
                time.sleep(0.02)
        client.close()
        yield socket
    finally:
        process.terminate()
        process.wait(10)


@pytest.fixture
def redis_client(redis_socket: Path) -> Iterator[redis.Redis]:
    """Return a client of an empty Redis."""
    client = redis.Redis(unix_socket_path=str(redis_socket))
    client.flushall()
    client.config_set("appendonly", "yes")
    client.config_set("appendfsync", "always")
    client.config_set("maxmemory", 0)
    yield client
    client.close()


@pytest.fixture
def redis_settings(redis_socket: Path, redis_client: redis.Redis) -> RedisSettings:
    """Return the settings of an empty, durable Redis."""
    return RedisSettings(url=f"unix://{redis_socket}")
