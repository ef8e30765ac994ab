"""A Postfix instance of its own as a smart host: STARTTLS with a given certificate, mail into a Maildir."""

from __future__ import annotations

import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

MAIN = """
compatibility_level = 3.6
queue_directory = {directory}/queue
data_directory = {directory}/data
mail_owner = postfix
setgid_group = postdrop
myhostname = {name}
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
mydestination =
virtual_mailbox_domains = exchange.example.com, notes.example.com, example.com
virtual_mailbox_maps = static:box/
virtual_mailbox_base = {directory}/mail
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
virtual_minimum_uid = 1
smtpd_tls_security_level = {level}
smtpd_tls_cert_file = {certificate}
smtpd_tls_key_file = {key}
smtpd_tls_received_header = yes
smtpd_recipient_restrictions = permit_mynetworks, reject
smtpd_client_connection_count_limit = 0
alias_maps =
alias_database =
maillog_file = {directory}/mail.log
maillog_file_prefixes = /
"""
RELAY = """
relayhost = [127.0.0.1]:{relay_port}
virtual_mailbox_domains =
smtp_tls_security_level = none
smtp_host_lookup = native
maximal_queue_lifetime = 1m
smtputf8_enable = yes
"""
MASTER = """
{port} inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
tlsmgr unix - - n 1000? 1 tlsmgr
postlog unix-dgram n - n - 1 postlogd
smtp unix - - n - 20 smtp
error unix - - n - - error
retry unix - - n - - error
"""


@dataclass
class Postfix:
    """One instance under `directory`, which the user postfix must reach. `level` is smtpd_tls_security_level.

    relay_port: of the host on 127.0.0.1 that all mail goes to; None to deliver it into the Maildir.
    """

    directory: Path
    name: str
    port: int
    certificate: Path
    key: Path
    level: str = "encrypt"
    relay_port: int | None = None

    def configure(self) -> None:
        """Write the configuration and the folders that Postfix expects."""
        owner = pwd.getpwnam("postfix")
        for folder in ("etc", "queue", "data", "mail"):
            (self.directory / folder).mkdir(parents=True)
        for folder in ("data", "mail"):
            shutil.chown(self.directory / folder, "postfix", "postfix")
        facts = {**vars(self), "uid": owner.pw_uid, "gid": owner.pw_gid}
        (self.directory / "etc" / "main.cf").write_text((MAIN + RELAY if self.relay_port else MAIN).format(**facts))
        (self.directory / "etc" / "master.cf").write_text(MASTER.format(port=f"127.0.0.1:{self.port}"))
        for shipped in ("postfix-files", "dynamicmaps.cf"):
            if (source := Path("/etc/postfix") / shipped).exists():
                shutil.copy(source, self.directory / "etc")

    def start(self) -> None:
        """Start it and wait until it listens."""
        deadline = time.monotonic() + 30
        command = ["postfix", "-c", str(self.directory / "etc"), "start"]
        while subprocess.run(command, capture_output=True, timeout=60, check=False).returncode or not self.listens():
            assert time.monotonic() < deadline, f"{self.name} does not start"
            time.sleep(0.5)

    def listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def kill(self) -> None:
        """Kill every process of it at once."""
        pid = int((self.directory / "queue" / "pid" / "master.pid").read_text())
        os.killpg(os.getpgid(pid), signal.SIGKILL)
        while self.listens():
            time.sleep(0.02)

    def stop(self) -> None:
        """Stop it, if it runs."""
        subprocess.run(["postfix", "-c", self.directory / "etc", "stop"], capture_output=True, timeout=60, check=False)

    def bounced(self) -> set[str]:
        """Return the recipients whose mail it has given up."""
        log = (self.directory / "mail.log").read_text(errors="replace")
        return set(re.findall(r"to=<([^>]*)>.*status=bounced", log))

    def delivered(self) -> list[Path]:
        """Return the messages in its Maildir."""
        return list((self.directory / "mail" / "box" / "new").glob("*"))
