"""Postfix as it is compared: alone, and with a content filter. A whole instance in a folder. Needs root."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench import systems
from bench.processes import wait_for
from services.demo import gateway as demo_gateway
from services.demo.ports import free_ports
from services.demo.program import running_program
from shared.operations import certificates

MAIN = """
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
# FILTER_README, "Advanced content filter example": to the filter by a client of its own, back by a server of its own.
FILTER_MAIN = """
content_filter = scan:[127.0.0.1]:{filter_port}
"""
FILTER_MASTER = """
scan unix - - n - 20 smtp
  -o smtp_tls_security_level=none
  -o smtp_tls_connection_reuse=no
  -o disable_mime_output_conversion=yes
127.0.0.1:{return_port} inet n - n - 100 smtpd
  -o content_filter=
  -o receive_override_options=no_unknown_recipient_checks,no_header_body_checks,no_milters
  -o smtpd_client_restrictions=
  -o smtpd_helo_restrictions=
  -o smtpd_sender_restrictions=
"""


@contextmanager
def alone(directory: Path, sink_port: int) -> Iterator[int]:
    """Run Postfix alone, with TLS connection reuse; yields its port. Raises RuntimeError where mail bounced."""
    with _instance(directory, sink_port) as port:
        yield port


@contextmanager
def with_filter(directory: Path, sink_port: int, made: certificates.SelfSigned, processes: int) -> Iterator[int]:
    """Run Postfix with `bench.content_filter` in a number of processes, otherwise as `alone`."""
    filter_port, return_port = free_ports(2)
    config = systems.write_configuration(directory, systems.configured(sink_port, made))
    command = [sys.executable, "-m", "bench.content_filter", "--config", str(config), "--port", str(filter_port)]
    command += ["--return-port", str(return_port), "--processes", str(processes)]
    with running_program(command, directory / "filter.log"):
        wait_for(lambda: demo_gateway.listens(filter_port), "the content filter")
        main = FILTER_MAIN.format(filter_port=filter_port)
        with _instance(directory, sink_port, main, FILTER_MASTER.format(return_port=return_port)) as port:
            yield port


@contextmanager
def _instance(directory: Path, sink_port: int, main: str = "", master: str = "") -> Iterator[int]:
    (port,) = free_ports(1)
    for folder in ("etc", "queue", "data"):
        (directory / folder).mkdir(parents=True)
    subprocess.run(["chown", "postfix", directory / "data"], check=True)
    (directory / "etc" / "main.cf").write_text(MAIN.format(directory=directory, sink_port=sink_port) + main)
    (directory / "etc" / "master.cf").write_text(MASTER.format(port=port) + master)
    for shipped in ("postfix-files", "dynamicmaps.cf"):
        subprocess.run(["cp", f"/etc/postfix/{shipped}", directory / "etc"], check=True)
    command = ["postfix", "-c", str(directory / "etc")]
    subprocess.run([*command, "start"], check=True, capture_output=True)
    try:
        wait_for(lambda: demo_gateway.listens(port), "Postfix")
        yield port
        if "status=bounced" in (directory / "mail.log").read_text():
            raise RuntimeError("Postfix returned mail instead of delivering it")
    finally:
        subprocess.run([*command, "stop"], check=False, capture_output=True)
