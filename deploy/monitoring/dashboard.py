"""The Grafana dashboard as code: rows of panels, each with its questions to Prometheus.

python deploy/monitoring/dashboard.py > deploy/monitoring/dashboard.json

A test keeps the two files equal, and that every metric exists; `make test-monitoring` asks every question of a real
Prometheus. Gauges of the spool are exported by every service, so they are joined by max; counters are summed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, Literal

OURS = 'namespace=~"$namespace"'
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
WIDTH, HEIGHT = 24, 8
"""Of the whole dashboard and of a panel, in Grafana's grid units."""


@dataclass(frozen=True, slots=True)
class Panel:
    """One chart. queries: legend to PromQL. unit: Grafana's name of it. width: of 24."""

    title: str
    about: str
    unit: str
    queries: dict[str, str]
    kind: Literal["timeseries", "stat", "state-timeline"] = "timeseries"
    width: int = 8


def rate(metric: str, by: str, more: str = "") -> str:
    """Return the summed rate of a counter, a second."""
    return f"sum by ({by}) (rate({metric}{{{OURS}{more}}}[$__rate_interval]))"


def highest(metric: str, by: str) -> str:
    """Return a gauge that many instances export with the same value."""
    return f"max by ({by}) ({metric}{{{OURS}}})"


def quantiles(metric: str, by: str, more: str = "") -> dict[str, str]:
    """Return the median and the 95th percentile of a histogram."""
    legend = "".join(f" {{{{{label}}}}}" for label in by.split(", ") if label)
    labels = f"{by}, le" if by else "le"
    return {
        f"{name}{legend}": f"histogram_quantile({quantile}, {rate(f'{metric}_bucket', labels, more)})"
        for name, quantile in (("median", 0.5), ("95 %", 0.95))
    }


ROWS: dict[str, list[Panel]] = {
    "Accept": [
        Panel(
            "Messages accepted",
            "Answered with 250, by the system that sent them.",
            "cps",
            {"{{system}}": rate("causeway_messages_accepted_total", "system")},
        ),
        Panel(
            "Refused",
            "Commands and messages refused, by reason. spool_away, spool_full, in_flight, limit and fault are ours.",
            "cps",
            {"{{reason}}": rate("causeway_messages_refused_total", "reason")},
        ),
        Panel(
            "Time to accept",
            "From the whole message to its 250, fsync included.",
            "s",
            quantiles("causeway_stage_seconds", "", ', stage="ingress"'),
        ),
    ],
    "Convert": [
        Panel(
            "Steps that changed a message",
            "Each conversion step, for each destination.",
            "cps",
            {"{{step}}": rate("causeway_conversions_total", "step", ', outcome="changed"')},
        ),
        Panel(
            "Steps by outcome",
            "A failed step passes the original on, or parks the message.",
            "cps",
            {"{{outcome}}": rate("causeway_conversions_total", "outcome")},
        ),
        Panel(
            "Time to convert",
            "One message, for all its destinations.",
            "s",
            quantiles("causeway_stage_seconds", "", ', stage="transform"'),
        ),
        Panel(
            "Internal addresses that left, an hour",
            "Counted in headers after rewriting.",
            "short",
            {"leaks": f"sum (increase(causeway_internal_address_leaks_total{{{OURS}}}[1h]))"},
            width=24,
        ),
    ],
    "Deliver": [
        Panel(
            "Recipients",
            "By system and what became of them; a deferred one is tried again.",
            "cps",
            {"{{system}} {{outcome}}": rate("causeway_recipients_total", "system, outcome")},
        ),
        Panel(
            "From accepted to final",
            "The whole way of a message through the gateway.",
            "s",
            quantiles("causeway_delivery_seconds", "system"),
        ),
        Panel(
            "Time of an attempt",
            "What a smart host takes for one message.",
            "s",
            quantiles("causeway_stage_seconds", "", ', stage="egress"'),
        ),
        Panel(
            "Waiting for a retry",
            "Deliveries that a host deferred.",
            "short",
            {"{{stage}}": highest("causeway_queue_scheduled", "stage")},
            width=12,
        ),
        Panel(
            "Oldest that waits for a retry",
            "Since it was accepted; egress.retry.give_up is the end.",
            "s",
            {"{{stage}}": highest("causeway_queue_scheduled_age_seconds", "stage")},
            width=12,
        ),
    ],
    "Spool": [
        Panel("Ready jobs", "Depth of each queue.", "short", {"{{stage}}": highest("causeway_queue_depth", "stage")}),
        Panel(
            "Oldest ready job",
            "What a worker would take next has waited so long.",
            "s",
            {"{{stage}}": highest("causeway_queue_age_seconds", "stage")},
        ),
        Panel("Leased", "Jobs leased by workers.", "short", {"{{stage}}": highest("causeway_leases", "stage")}),
        Panel(
            "Dead letters",
            "They need an administrator.",
            "short",
            {"{{stage}}": highest("causeway_dead_letters", "stage")},
        ),
        Panel(
            "Memory of Redis",
            "Above redis.max_memory_fraction of its limit, ingress puts mail off.",
            "bytes",
            {"used": f"max (causeway_spool_bytes{{{OURS}}})", "limit": f"max (causeway_spool_max_bytes{{{OURS}}})"},
        ),
        Panel(
            "Durability",
            "The level that Redis has now, and whether that is what was declared.",
            "bool_yes_no",
            {
                "{{level}}": f"max by (level) (causeway_durability{{{OURS}}}) == 1",
                "as declared": f"min (causeway_spool_ready{{{OURS}}})",
            },
            kind="stat",
        ),
    ],
    "Smart hosts": [
        Panel(
            "Usable",
            "Not marked down, as seen by at least one egress.",
            "bool_yes_no",
            {"{{system}} {{host}}": highest("causeway_smart_host_usable", "system, host")},
            kind="state-timeline",
            width=6,
        ),
        Panel(
            "Open connections",
            "Of all egress processes together; and those that `tls: opportunistic` left in the clear.",
            "short",
            {
                "{{system}} {{host}}": f"sum by (system, host) (causeway_connections{{{OURS}}})",
                "{{system}} {{host}} opened in the clear in 1 h": (
                    f"sum by (system, host) (increase(causeway_connections_in_clear_total{{{OURS}}}[1h])) or vector(0)"
                ),
            },
            width=6,
        ),
        Panel(
            "Waiting for a limit",
            "Deliveries in hand while every smart host they may go to is at max_connections or messages_per_minute.",
            "short",
            {"{{system}}": f"sum by (system) (causeway_deliveries_throttled{{{OURS}}})"},
            width=6,
        ),
        Panel(
            "Certificates: time left",
            "Of every certificate that the gateway shows, and every CA that it trusts by its own file.",
            "s",
            {"{{use}}": f"min by (use) (causeway_certificate_expiry_timestamp_seconds{{{OURS}}}) - time()"},
            kind="stat",
            width=6,
        ),
        Panel(
            "Instances",
            "That answer the scrape.",
            "short",
            {"{{job}}": f'sum by (job) (up{{job=~"causeway-.*", {OURS}}})'},
            width=24,
        ),
    ],
}


def _placed(panels: list[Panel], top: int) -> Iterator[tuple[Panel, dict[str, int]]]:
    """Yield each panel with its place, from left to right, as many beside each other as fit."""
    starts = accumulate((panel.width for panel in panels), initial=0)
    for panel, start in zip(panels, starts, strict=False):
        line, left = divmod(start, WIDTH)
        yield panel, {"x": left, "y": top + line * HEIGHT, "w": panel.width, "h": HEIGHT}


def _panel(panel: Panel, place: dict[str, int], id: int) -> dict[str, Any]:
    return {
        "id": id,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.about,
        "datasource": SOURCE,
        "gridPos": place,
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
        "targets": [
            {"refId": chr(ord("A") + number), "datasource": SOURCE, "expr": expr, "legendFormat": legend}
            for number, (legend, expr) in enumerate(panel.queries.items())
        ],
    }


def _panels() -> Iterator[dict[str, Any]]:
    top, id = 0, 1
    for title, panels in ROWS.items():
        yield {"id": id, "type": "row", "title": title, "collapsed": False, "panels": []} | {
            "gridPos": {"x": 0, "y": top, "w": WIDTH, "h": 1}
        }
        top, id = top + 1, id + 1
        for panel, place in _placed(panels, top):
            yield _panel(panel, place, id)
            id += 1
        top = place["y"] + HEIGHT


def dashboard() -> dict[str, Any]:
    """Return the dashboard as Grafana imports it (schema 39, Grafana 11 and later)."""
    namespace = {
        "name": "namespace",
        "label": "Namespace",
        "type": "query",
        "datasource": SOURCE,
        "query": "label_values(causeway_spool_ready, namespace)",
        "refresh": 2,
        "includeAll": True,
        "allValue": ".*",
        "current": {"text": "All", "value": "$__all"},
    }
    source = {"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus"}
    return {
        "uid": "causeway",
        "title": "Causeway",
        "tags": ["mail"],
        "schemaVersion": 39,
        "timezone": "browser",
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "templating": {"list": [source, namespace]},
        "panels": list(_panels()),
    }


if __name__ == "__main__":
    print(json.dumps(dashboard(), indent=2, ensure_ascii=False))  # noqa: T201 (what it is for)
