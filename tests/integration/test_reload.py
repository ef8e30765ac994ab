"""SIGHUP to real processes: new settings are taken over, and no process, session or delivery is ended by it."""

from __future__ import annotations

import os
import signal
import ssl
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from services.demo.gateway import CLIENTS
from shared.configuration.redis import RedisSettings
from tests.conftest import Certificates
from tests.support.gateway import Gateway, gateway, ingress_process
from tests.support.ingress import RawClient
from tests.support.processes import eventually, is_running
from tests.support.smart_host import SmartHostServer

SENDER, RECIPIENT = "a@notes.example.com", "b@exchange.example.com"
STORM = 30


def tls(certificates: Certificates) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.certificate, certificates.key)
    return context


def named(hostname: str) -> Callable[[dict[str, Any]], None]:
    def change(content: dict[str, Any]) -> None:
        content["hostname"] = hostname

    return change


def banner(port: int) -> str:
    with RawClient(port, source=CLIENTS["notes"]) as client:
        return client.reply()


def begin(running: Gateway, subject: str) -> RawClient:
    """Return a client in the middle of a message."""
    client = RawClient(running.port, source=CLIENTS["notes"])
    client.greet().begin(RECIPIENT, sender=SENDER).open_data()
    client.send(f"Subject: {subject}\r\n\r\nfirst line\r\n".encode())
    return client


def send(running: Gateway, subject: str) -> None:
    with begin(running, subject) as client:
        assert client.ask(b".").startswith("250 ")


def subjects(host: SmartHostServer) -> Counter[str]:
    texts = [arrived.content.partition(b"Subject: ")[2].partition(b"\r\n")[0].decode() for arrived in host.messages]
    return Counter(texts)


def reloaded(running: Gateway, service: str, key: str) -> bool:
    events = running.events("configuration.reloaded")
    return any(event["service"] == service and key in event.get("changed", ()) for event in events)


def test_a_storm_of_signals_to_every_process_ends_no_session_and_no_process(
    tmp_path: Path, certificates: Certificates
) -> None:
    context = tls(certificates)
    several = ("--processes", "transform=2", "--processes", "egress=2")
    names = ("ingress", "transform", "transform-0", "transform-1", "egress", "egress-0", "egress-1", "redis")
    with SmartHostServer(context=context) as host, gateway(tmp_path, certificates, host.port, *several) as running:
        pids = [running.pid(name) for name in names]
        with begin(running, "begun before") as client:
            running.change(named("renamed.example.com"))
            for _ in range(STORM):
                for pid in (running.supervisor, *pids):
                    os.kill(pid, signal.SIGHUP)
            eventually(lambda: banner(running.port).startswith("220 renamed.example.com "))
            assert client.ask(b".").startswith("250 ")
        eventually(lambda: subjects(host) == {"begun before": 1})
        eventually(
            lambda: all(reloaded(running, name, "hostname") for name in ("up", "ingress", "transform", "egress"))
        )
        assert all(map(is_running, pids))
        assert running.events("process.died") == []


def test_a_delivery_under_way_ends_at_the_host_that_it_began_with(tmp_path: Path, certificates: Certificates) -> None:
    go_on = threading.Event()
    context = tls(certificates)

    def wait(_line: str) -> str:
        assert go_on.wait(30)
        return "250 2.0.0 ok"

    with (
        SmartHostServer(context=context, answers={"RCPT": wait}) as old,
        SmartHostServer(context=context) as new,
        gateway(tmp_path, certificates, old.port) as running,
    ):
        send(running, "first")
        eventually(lambda: any(line.startswith("RCPT") for line, _ in old.lines) or old.open_connections)

        def move(content: dict[str, Any]) -> None:
            for system in content["systems"]:
                system["smart_hosts"][0]["port"] = new.port

        running.change(move)
        os.kill(running.supervisor, signal.SIGHUP)
        eventually(lambda: reloaded(running, "egress", "systems[0].smart_hosts[0].port"))
        send(running, "second")
        eventually(lambda: subjects(new) == {"second": 1})
        go_on.set()
        eventually(lambda: subjects(old) == {"first": 1})
        eventually(lambda: old.open_connections == 0)  # the connection to the host that is no longer configured
        assert subjects(new) == {"second": 1}


@pytest.mark.parametrize(
    "broken",
    [
        b"",
        b"hostname: [",
        b"\xff\xfe\x00",
        b"a: " + b"[" * 5000,
        b"hostname: 2024-13-45\n",
        b"hostnam: x.example.com\n",
    ],
)
def test_a_broken_file_is_reported_once_and_changes_nothing(
    tmp_path: Path, certificates: Certificates, redis_settings: RedisSettings, broken: bytes
) -> None:
    with ingress_process(tmp_path, redis_settings, certificates) as ingress:
        before, log = banner(ingress.port), tmp_path / "log"
        (tmp_path / "causeway.yaml").write_bytes(broken)
        os.kill(ingress.pid, signal.SIGHUP)
        eventually(lambda: log.read_text().count("configuration.rejected") == 1)
        assert banner(ingress.port) == before
        assert ingress.serves()


def test_up_passes_no_broken_file_on(tmp_path: Path, certificates: Certificates) -> None:
    with SmartHostServer() as host, gateway(tmp_path, certificates, host.port) as running:
        running.config.write_text("hostnam: x\n")
        os.kill(running.supervisor, signal.SIGHUP)
        eventually(lambda: running.events("configuration.rejected"))
        send(running, "still served")
        (rejected,) = running.events("configuration.rejected")
        assert rejected["service"] == "up"
        assert rejected["faults"] == [f'{running.config}: hostnam: unknown key: did you mean "hostname"?']


def test_what_needs_a_restart_is_reported_in_one_event(tmp_path: Path, certificates: Certificates) -> None:
    def change(content: dict[str, Any]) -> None:
        content["ingress"] |= {"listen": ["127.0.0.1:1"], "max_recipients": 3}
        content["http"]["listen"] = "127.0.0.1:2"
        content["egress"] = {"lease": "17s", "retry": {"first": "1m"}}

    with SmartHostServer() as host, gateway(tmp_path, certificates, host.port) as running:
        running.change(change)
        os.kill(running.supervisor, signal.SIGHUP)
        eventually(lambda: reloaded(running, "egress", "egress.retry.first"))
        eventually(lambda: reloaded(running, "ingress", "ingress.max_recipients"))
        (event,) = [event for event in running.events("configuration.restart_needed") if event["service"] == "up"]
        assert event["keys"] == ["ingress.listen", "egress.lease", "http.listen"]
        send(running, "still served")


def test_signals_during_the_start_end_no_child(tmp_path: Path, certificates: Certificates) -> None:
    """They wait until the service can handle them: its parent's tether holds them back."""
    stop = threading.Event()

    def annoy() -> None:
        log = tmp_path / "log"
        while not stop.wait(0.002):
            text = log.read_text() if log.exists() else ""
            for name in ("ingress", "transform", "egress", "egress-0", "egress-1"):
                pids = [part.partition("}")[0] for part in text.split(f'"process": "{name}", "pid": ')[1:]]
                for pid in pids:
                    os.kill(int(pid), signal.SIGHUP)

    annoyance = threading.Thread(target=annoy)
    annoyance.start()
    try:
        with (
            SmartHostServer() as host,
            gateway(tmp_path, certificates, host.port, "--processes", "egress=2") as running,
        ):
            stop.set()
            annoyance.join()
            assert running.events("process.died") == []
            eventually(lambda: len({event["service"] for event in running.events("configuration.reloaded")}) == 3)
    finally:
        stop.set()
        annoyance.join()


def test_a_shrunk_map_is_taken_on_a_reload(tmp_path: Path, certificates: Certificates) -> None:
    head = "public,internal\n"
    pairs = [f"p{n}@example.com,i{n}@exchange.example.com\n" for n in range(10)]
    (tmp_path / "addresses.csv").write_text(head + "".join(pairs))
    with (
        SmartHostServer(context=tls(certificates)) as host,
        gateway(tmp_path, certificates, host.port, addresses={"map": "addresses.csv"}) as running,
    ):
        (tmp_path / "new.csv").write_text(head + pairs[0])
        (tmp_path / "new.csv").replace(tmp_path / "addresses.csv")
        send(running, "kept")
        eventually(lambda: running.events("address_map.shrunk"))
        os.kill(running.supervisor, signal.SIGHUP)
        eventually(lambda: {event["service"] for event in running.events("address_map.loaded")} >= {"ingress"})
        assert {event["pairs"] for event in running.events("address_map.loaded")} == {1}
