"""Variables that look as if they were ours."""

from __future__ import annotations

import pytest

from shared.configuration.environment import unknown_variables


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("CAUSEWAY_HOSTNAM", "did you mean CAUSEWAY_HOSTNAME?"),
        ("CAUSEWAY_INGRESS_HOSTNAME", "did you mean CAUSEWAY_INGRESS__HOSTNAME?"),
        ("CAUSEWAY_REDIS_URL", "did you mean CAUSEWAY_REDIS__URL?"),
        ("causeway_redis_password_file", "did you mean CAUSEWAY_REDIS__PASSWORD_FILE?"),
        ("CAUSEWAY_CONFG", "did you mean CAUSEWAY_CONFIG?"),
        ("CAUSEWAY_COFFEE", "remove it; section and key are separated by two underscores"),
    ],
)
def test_a_variable_that_sets_nothing_is_a_warning(monkeypatch: pytest.MonkeyPatch, name: str, remedy: str) -> None:
    monkeypatch.setenv(name, "secret")
    assert list(unknown_variables()) == [f"environment: {name}: unknown variable, which is ignored: {remedy}"]


@pytest.mark.parametrize(
    "name",
    [
        "CAUSEWAY_SERVICE_HOST",
        "CAUSEWAY_SERVICE_PORT_SMTP",
        "CAUSEWAY_PORT",
        "CAUSEWAY_INGRESS_PORT",
        "CAUSEWAY_INGRESS_PORT_25_TCP",
        "CAUSEWAY_INGRESS_MX_PORT_25_TCP_ADDR",
        "CAUSEWAY_INGRESS_SERVICE_HOST",
    ],
)
def test_what_kubernetes_sets_for_a_service_is_silent(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "10.0.0.1")
    assert list(unknown_variables()) == []


@pytest.mark.parametrize(
    "name", ["CAUSEWAY_HOSTNAME", "CAUSEWAY_SYSTEMS", "CAUSEWAY_DATA", "CAUSEWAY_EGRESS__RETRY__FIRST"]
)
def test_variables_of_ours_are_silent(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "x")
    assert list(unknown_variables()) == []
