"""The systems that are compared: Causeway, Postfix alone, Postfix with a content filter. All deliver to one sink."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from services.console import demo_gateway, gateway
from shared.operations import certificates, configuration

START_SECONDS = 30


@contextmanager
def running(command: list[str], log: Path, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program for as long as the context lasts."""
    with log.open("ab") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, env={**os.environ, **environment})
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(90)


def wait_for(condition: Any, what: str) -> None:
    """Wait until the condition holds. Raises RuntimeError after START_SECONDS."""
    deadline = time.monotonic() + START_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise RuntimeError(f"{what} did not start")
        time.sleep(0.05)


@contextmanager
def sink(directory: Path, made: certificates.SelfSigned) -> Iterator[tuple[int, Path]]:
    """Run the sink; yields its port and the file with its count."""
    port, count = demo_gateway.free_port(), directory / "count"
    command = [sys.executable, "-m", "bench.sink", "--port", str(port), "--count", str(count)]
    command += ["--certificate", str(made.certificate), "--key", str(made.key)]
    with running(command, directory / "sink.log"):
        wait_for(count.exists, "the sink")
        yield port, count


def _system(name: str, kind: str, sink_port: int, made: certificates.SelfSigned, **more: Any) -> dict[str, Any]:
    host = {"host": "localhost", "port": sink_port, "tls": "verify", "ca": str(made.ca)}
    return {
        "name": name,
        "kind": kind,
        "networks": [f"{demo_gateway.CLIENTS[name]}/32"],
        "domains": [f"{name}.example.com"],
        "public_domain": "example.com",
        "default_route": demo_gateway.OTHER[name],
        "smart_hosts": [host],
        **more,
    }


@contextmanager
def causeway(directory: Path, sink_port: int, made: certificates.SelfSigned, **processes: int) -> Iterator[int]:
    """Run Causeway with an embedded Redis that syncs every write; yields its port."""
    port = demo_gateway.free_port()
    content = {
        "hostname": "causeway.example.com",
        "redis": {"url": "embedded", "durability": "fsync"},
        "ingress": {"listen": [f"127.0.0.1:{port}"], "tls": {"mode": "none"}},
        "systems": [
            _system("notes", "domino", sink_port, made, notes_domains=["ACME"]),
            _system("exchange", "exchange", sink_port, made, encapsulation="strip"),
        ],
        "addresses": {"map": str(Path(demo_gateway.__file__).parent / "samples" / "addresses.csv")},
        "http": {"listen": f"127.0.0.1:{demo_gateway.free_http_port()}"},
    }
    config = directory / "causeway.yaml"
    config.write_text(yaml.safe_dump(content))
    command = [sys.executable, "-m", "services.console.main", "up", "--config", str(config)]
    command += ["--data", str(directory / "data")]
    for name, count in processes.items():
        command += ["--processes", f"{name}={count}"]
    settings = configuration.load(config)
    with running(command, directory / "causeway.log"):
        wait_for(lambda: gateway.is_ready(settings), "Causeway")
        yield port


POSTFIX = """
compatibility_level = 3.6
queue_directory = {directory}/queue
data_directory = {directory}/data
mail_owner = postfix
setgid_group = postdrop
myhostname = postfix.example.com
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
mydestination =
relayhost = [127.0.0.1]:{sink_port}
smtp_tls_security_level = encrypt
smtp_tls_connection_reuse = yes
smtp_tls_session_cache_database =
smtpd_recipient_restrictions = permit_mynetworks, reject
smtpd_client_connection_count_limit = 0
default_destination_concurrency_limit = 20
message_size_limit = 104857600
alias_maps =
alias_database =
maillog_file = {directory}/mail.log
maillog_file_prefixes = /
"""
MASTER = """
127.0.0.1:{port} inet n - n - 100 smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
tlsmgr unix - - n 1000? 1 tlsmgr
tlsproxy unix - - n - 0 tlsproxy
postlog unix-dgram n - n - 1 postlogd
error unix - - n - - error
retry unix - - n - - error
"""


@contextmanager
def postfix(directory: Path, sink_port: int) -> Iterator[int]:
    """Run Postfix alone, with TLS connection reuse; yields its port. Needs root."""
    port = demo_gateway.free_port()
    for folder in ("etc", "queue", "data"):
        (directory / folder).mkdir(parents=True)
    subprocess.run(["chown", "postfix", directory / "data"], check=True)
    (directory / "etc" / "main.cf").write_text(POSTFIX.format(directory=directory, sink_port=sink_port))
    (directory / "etc" / "master.cf").write_text(MASTER.format(port=port))
    for shipped in ("postfix-files", "dynamicmaps.cf"):
        subprocess.run(["cp", f"/etc/postfix/{shipped}", directory / "etc"], check=True)
    command = ["postfix", "-c", str(directory / "etc")]
    subprocess.run([*command, "start"], check=True, capture_output=True)
    try:
        wait_for(lambda: demo_gateway.listens(port), "Postfix")
        yield port
    finally:
        subprocess.run([*command, "stop"], check=False, capture_output=True)
