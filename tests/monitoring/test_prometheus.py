"""A real Prometheus scrapes a real gateway: the dashboard's questions have answers, and alerts fire when provoked.

`make test-monitoring` runs this by itself. What takes minutes in production takes seconds here: the
rules are the project's own, with `for` and the windows of rates shortened.
"""

from __future__ import annotations

import json
import os
import re
import signal
import smtplib
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http import HTTPStatus
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
import redis
import yaml

from services.demo.demonstration import carry, samples
from services.demo.gateway import CLIENTS, Gateway, running
from services.demo.ports import free_ports
from shared.runtime.data_folder import DataFolder
from tests.support.manifests import ROOT
from tests.support.optional import PROMETHEUS, needs
from tests.support.processes import eventually

MONITORING = Path(__file__).parents[2] / "deploy" / "monitoring"
DASHBOARD: dict[str, Any] = json.loads((MONITORING / "dashboard.json").read_text())
SECONDS = 90
"""To wait at most for what takes some scrapes."""

pytestmark = needs(PROMETHEUS)


def impatient(rules: str) -> str:
    """Return the rules with alerts that fire at once, of what happened in the last seconds."""
    return re.sub(r"for: \d+m", "for: 0s", rules).replace("[5m]", "[20s]").replace("[15m]", "[20s]")


class Prometheus:
    """A running Prometheus, asked over its API."""

    def __init__(self, port: int) -> None:
        self.port = port

    def get(self, path: str, **parameters: str) -> Any:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", f"/api/v1/{path}?{urlencode(parameters)}")
            response = connection.getresponse()
            answer = response.read()
        finally:
            connection.close()
        if response.status == HTTPStatus.SERVICE_UNAVAILABLE:  # it still starts
            raise ConnectionError
        assert response.status == HTTPStatus.OK, answer
        return json.loads(answer)["data"]

    def ask(self, expression: str) -> list[dict[str, Any]]:
        """Return the series that an expression has now."""
        found: list[dict[str, Any]] = self.get("query", query=expression)["result"]
        return found

    def firing(self) -> set[str]:
        """Return the names of the alerts that fire."""
        return {entry["labels"]["alertname"] for entry in self.get("alerts")["alerts"] if entry["state"] == "firing"}

    def is_up(self) -> bool:
        """Return whether it has scraped all three services."""
        with suppress(OSError):
            return len(self.ask("up == 1")) == 3
        return False


@contextmanager
def prometheus(gateway: Gateway, folder: Path) -> Iterator[Prometheus]:
    [port] = free_ports(1)
    folder.mkdir()
    (folder / "rules.yaml").write_text(impatient((MONITORING / "rules.yaml").read_text()))
    configuration = yaml.safe_load((MONITORING / "prometheus.yaml").read_text())
    configuration["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    for offset, job in enumerate(configuration["scrape_configs"]):
        target = f"127.0.0.1:{gateway.http_port + offset}"
        job["static_configs"] = [{"targets": [target], "labels": {"namespace": "causeway"}}]  # as in Kubernetes
    (folder / "prometheus.yaml").write_text(yaml.safe_dump(configuration))
    command = ["prometheus", f"--config.file={folder / 'prometheus.yaml'}", f"--storage.tsdb.path={folder / 'data'}"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([*command, f"--web.listen-address=127.0.0.1:{port}"], stdout=log, stderr=log)
    try:
        running_one = Prometheus(port)
        eventually(running_one.is_up, SECONDS)
        yield running_one
    finally:
        process.terminate()
        process.wait(30)


@pytest.fixture
def gateway(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Gateway]:
    """The demonstration's gateway, which gives a deferred message up after seconds instead of days."""
    monkeypatch.setenv("CAUSEWAY_EGRESS__RETRY__GIVE_UP", "3s")
    with running(tmp_path / "gateway") as up:
        yield up


@pytest.fixture
def watch(gateway: Gateway, tmp_path: Path) -> Iterator[Prometheus]:
    with prometheus(gateway, tmp_path / "prometheus") as up:
        yield up


def send(gateway: Gateway, source: str) -> None:
    with smtplib.SMTP("127.0.0.1", gateway.port, source_address=(source, 0)) as client:
        client.sendmail("anna@notes.example.com", ["john.doe@example.com"], "Subject: x\r\n\r\nx\r\n")


def is_refused(gateway: Gateway, source: str = "127.0.3.1") -> None:
    """Try to send; by default from a network that is no system's."""
    with pytest.raises(smtplib.SMTPException):
        send(gateway, source)


def questions() -> Iterator[tuple[str, str]]:
    """Yield the dashboard's questions as Grafana would ask them."""
    for panel in DASHBOARD["panels"]:
        for target in panel.get("targets", []):
            expression = target["expr"].replace("$__rate_interval", "30s").replace("$namespace", ".*")
            yield f"{panel['title']} ({target['legendFormat']})", expression


def test_every_question_of_the_dashboard_has_an_answer(gateway: Gateway, watch: Prometheus) -> None:
    left = dict(questions())

    def all_answered() -> bool:
        for sample in samples():
            carry(gateway, sample)
        is_refused(gateway)
        for title, expression in tuple(left.items()):
            if values := [reading["value"][1] for reading in watch.ask(expression) if reading["value"][1] != "NaN"]:
                print(f"{title}: {len(values)} series, the first is {values[0]}")  # noqa: T201 (for who runs it with -s)
                del left[title]
        return not left

    with suppress(AssertionError):
        eventually(all_answered, SECONDS)
    assert not left


def test_every_rule_is_loaded_and_can_be_computed(watch: Prometheus) -> None:
    written = [
        rule for group in yaml.safe_load((MONITORING / "rules.yaml").read_text())["groups"] for rule in group["rules"]
    ]

    def health() -> list[str]:
        return [rule["health"] for group in watch.get("rules")["groups"] for rule in group["rules"]]

    eventually(lambda: health() == ["ok"] * len(written), SECONDS)


def test_every_scaler_gets_one_number(watch: Prometheus) -> None:
    """KEDA takes the one value of a query's one series."""
    scalers = [
        yaml.safe_load(file.read_text()) for file in (ROOT / "components" / "autoscaling-keda").glob("[!k]*.yaml")
    ]
    triggers = [
        trigger for scaler in scalers for trigger in scaler["spec"]["triggers"] if trigger["type"] == "prometheus"
    ]

    def numbers() -> list[list[str]]:
        return [[sample["value"][1] for sample in watch.ask(trigger["metadata"]["query"])] for trigger in triggers]

    eventually(lambda: numbers() == [["0"]] * 4, SECONDS)


def catcher(name: str) -> int:
    """Return the process id of a catcher that this process started."""
    children = [pid for task in Path("/proc/self/task").iterdir() for pid in (task / "children").read_text().split()]
    [found] = [pid for pid in children if f"--name\0{name}\0" in Path(f"/proc/{pid}/cmdline").read_text()]
    return int(found)


def test_alerts_fire_when_provoked_and_end_when_mended(gateway: Gateway, watch: Prometheus) -> None:
    def fires(alert: str) -> bool:
        return alert in watch.firing()

    eventually(lambda: watch.ask("causeway:queue_depth:max") and not watch.firing(), SECONDS)

    with redis.Redis.from_url(DataFolder(gateway.directory / "data").url) as client:
        client.config_set("appendfsync", "everysec")
        eventually(lambda: fires("CausewayDurabilityWeak"), SECONDS)
        client.config_set("appendfsync", "always")
    eventually(lambda: not fires("CausewayDurabilityWeak"), SECONDS)

    def refusing() -> bool:
        is_refused(gateway)
        return fires("CausewayIngressRefusing")

    eventually(refusing, SECONDS)
    eventually(lambda: not fires("CausewayIngressRefusing"), SECONDS)

    os.kill(catcher("exchange"), signal.SIGTERM)
    send(gateway, CLIENTS["notes"])
    eventually(lambda: fires("CausewayNoUsableSmartHost") and fires("CausewayDeadLetters"), SECONDS)
    assert "CausewayStageDown" not in watch.firing()
