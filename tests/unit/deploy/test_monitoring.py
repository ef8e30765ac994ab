"""Rules, dashboard and runbook agree with the metrics and with each other; promtool proves the rules where it is."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.metrics import MetricWrapperBase

from shared.operations import metrics
from tests.support.optional import PROMTOOL, needs

ROOT = Path(__file__).parents[3]
MONITORING = ROOT / "deploy" / "monitoring"
GROUPS: list[dict[str, Any]] = yaml.safe_load((MONITORING / "rules.yaml").read_text())["groups"]
RULES: list[dict[str, Any]] = [rule for group in GROUPS for rule in group["rules"]]
ALERTS = [rule for rule in RULES if "alert" in rule]
TESTS = sorted((MONITORING / "tests").glob("*.yaml"))
DASHBOARD: dict[str, Any] = json.loads((MONITORING / "dashboard.json").read_text())

SAMPLES = {"counter": ("_total",), "gauge": ("",), "histogram": ("_bucket", "_sum", "_count")}
OF_PROMETHEUS = {"namespace", "job", "instance", "le"}
NAME = re.compile(r"\bcauseway[_:][\w:]+")
SELECTOR = re.compile(r"\b(causeway_\w+)\{([^}]*)\}")
MATCHER = re.compile(r"(\w+)\s*[=!]~?\s*\"")

promtool = needs(PROMTOOL)


def exported() -> dict[str, set[str]]:
    """Return the samples that the services export, each with its labels."""
    found: dict[str, set[str]] = {}
    for metric in vars(metrics).values():
        if isinstance(metric, MetricWrapperBase):
            [family] = metric.describe()
            for suffix in SAMPLES[family.type]:
                found[family.name + suffix] = set(metric._labelnames)
    return found


def queries() -> Iterator[tuple[str, str]]:
    """Yield every PromQL expression, with its position."""
    for rule in RULES:
        yield rule.get("alert") or rule["record"], rule["expr"]
    for panel in DASHBOARD["panels"]:
        for target in panel.get("targets", []):
            yield panel["title"], target["expr"]


def alert_tests(name: str) -> Iterator[tuple[str, list[Any]]]:
    """Yield the tests of an alert: the file, and the alerts it expects."""
    for file in TESTS:
        for test in yaml.safe_load(file.read_text())["tests"]:
            for entry in test.get("alert_rule_test", []):
                if entry["alertname"] == name:
                    yield file.name, entry["exp_alerts"]


def without_strings(expression: str) -> str:
    return re.sub(r'"[^"]*"', '""', expression)


@pytest.mark.parametrize(("where", "expression"), list(queries()))
def test_every_metric_asked_for_exists(where: str, expression: str) -> None:
    known = exported().keys() | {rule["record"] for rule in RULES if "record" in rule}
    assert set(NAME.findall(without_strings(expression))) <= known


@pytest.mark.parametrize(("where", "expression"), list(queries()))
def test_every_label_asked_for_is_one_of_its_metric(where: str, expression: str) -> None:
    labels = exported()
    for name, selector in SELECTOR.findall(expression):
        assert set(MATCHER.findall(selector)) <= labels[name] | OF_PROMETHEUS


def test_every_metric_is_asked_for_by_a_rule_or_the_dashboard() -> None:
    asked = {name for _, expression in queries() for name in NAME.findall(without_strings(expression))}
    unseen = {name for name in exported() if not name.endswith(("_sum", "_count"))} - asked
    assert not unseen


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: str(alert["alert"]))
def test_every_alert_has_severity_summary_and_runbook_page(alert: dict[str, Any]) -> None:
    assert alert["labels"]["severity"] in {"warning", "critical"}
    assert alert["annotations"]["summary"]
    page = (ROOT / alert["annotations"]["runbook"]).read_text()
    assert page.startswith(f"# {alert['alert']}\n")
    for heading in ("Meaning", "Diagnosis", "Mitigation"):
        assert f"\n## {heading}\n" in page


def test_every_runbook_page_is_of_an_alert() -> None:
    pages = {f"docs/runbook/{page.name}" for page in (ROOT / "docs" / "runbook").glob("*.md")}
    assert pages == {alert["annotations"]["runbook"] for alert in ALERTS}


@pytest.mark.parametrize("name", [alert["alert"] for alert in ALERTS])
def test_every_alert_is_tested_firing_and_not_firing(name: str) -> None:
    expected = [alerts for _, alerts in alert_tests(name)]
    assert any(expected)
    assert not all(expected)


def test_every_alert_is_listed_in_the_monitoring_page() -> None:
    page = (ROOT / "docs" / "monitor.md").read_text()
    assert [alert["alert"] for alert in ALERTS if f"`{alert['alert']}`" not in page] == []


def test_every_metric_is_listed_in_the_monitoring_page() -> None:
    page = (ROOT / "docs" / "monitor.md").read_text()
    names = {re.sub(r"_(bucket|sum|count)$", "", name) for name in exported()}
    assert [name for name in sorted(names) if f"`{name}" not in page] == []


def test_the_dashboard_is_what_its_code_makes() -> None:
    made = subprocess.run(
        [sys.executable, str(MONITORING / "dashboard.py")], check=True, capture_output=True, text=True
    ).stdout
    assert made == (MONITORING / "dashboard.json").read_text(), "python deploy/monitoring/dashboard.py > dashboard.json"


def test_panels_do_not_overlap_and_have_ids_of_their_own() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        assert max(x for x, _ in cells) < 24
        taken |= cells
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(ids) == len(set(ids))


@promtool
def test_promtool_takes_rules_and_configuration() -> None:
    for kind, file in (("rules", "rules.yaml"), ("config", "prometheus.yaml")):
        run = subprocess.run(
            ["promtool", "check", kind, MONITORING / file], check=False, capture_output=True, text=True
        )
        assert run.returncode == 0, run.stdout + run.stderr


@promtool
@pytest.mark.parametrize("file", TESTS, ids=lambda file: file.stem)
def test_promtool_passes(file: Path) -> None:
    run = subprocess.run(["promtool", "test", "rules", file], check=False, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr
