"""What a reload takes over, and what it leaves for a restart."""

from __future__ import annotations

from typing import Any

import pytest

from shared.configuration.restart import NEEDS_RESTART, differences, merge
from shared.configuration.settings import Settings

HOST = {"host": "mail.example.com"}
SYSTEMS = [
    {"name": "notes", "kind": "domino", "smart_hosts": [HOST]},
    {"name": "exchange", "kind": "exchange", "smart_hosts": [HOST]},
]


def settings(**sections: Any) -> Settings:
    return Settings.model_validate({"systems": SYSTEMS, **sections})


@pytest.mark.parametrize(
    ("sections", "keys"),
    [
        ({}, ()),
        ({"hostname": "mx.example.com"}, ("hostname",)),
        ({"postmaster": "a@example.com"}, ("postmaster",)),
        ({"egress": {"retry": {"first": "1m"}, "max_in_flight": 3}}, ("egress.retry.first", "egress.max_in_flight")),
        ({"ingress": {"tls": {"mode": "none"}, "max_sessions": 7}}, ("ingress.tls.mode", "ingress.max_sessions")),
        ({"transform": {"links": ["attachment"]}}, ("transform.links",)),
        ({"addresses": {"max_shrink": 1}}, ("addresses.max_shrink",)),
        (
            {"systems": [SYSTEMS[0] | {"smart_hosts": [HOST, HOST]}, SYSTEMS[1] | {"domains": ["x.example.com"]}]},
            ("systems[0].smart_hosts", "systems[1].domains"),
        ),
        (
            {"systems": [SYSTEMS[0] | {"smart_hosts": [HOST | {"weight": 5}]}, SYSTEMS[1]]},
            ("systems[0].smart_hosts[0].weight",),
        ),
    ],
)
def test_what_needs_no_socket_and_no_process_is_taken_over(sections: dict[str, Any], keys: tuple[str, ...]) -> None:
    new = settings(**sections)
    merged = merge(settings(), new)
    assert (merged.settings, merged.changed, merged.kept) == (new, keys, ())


@pytest.mark.parametrize(
    ("sections", "keys"),
    [
        ({"redis": {"url": "redis://other/0", "history": "2d"}}, ("redis.url", "redis.history")),
        ({"http": {"listen": None}}, ("http.listen",)),
        ({"ingress": {"listen": ["127.0.0.1:1"]}}, ("ingress.listen",)),
        ({"egress": {"lease": "1m", "shutdown_timeout": "1m1s"}}, ("egress.lease", "egress.shutdown_timeout")),
        ({"systems": SYSTEMS[:1]}, ("systems",)),
        ({"systems": SYSTEMS[::-1]}, ("systems[0].name", "systems[0].kind", "systems[1].name", "systems[1].kind")),
        ({"systems": [SYSTEMS[0], SYSTEMS[1] | {"smart_hosts": []}]}, ("systems[1].smart_hosts",)),
    ],
)
def test_what_needs_a_restart_stays_as_it_is_and_is_named(sections: dict[str, Any], keys: tuple[str, ...]) -> None:
    merged = merge(settings(), settings(**sections))
    assert (merged.settings, merged.changed, merged.kept) == (settings(), (), keys)


def test_what_needs_a_restart_holds_up_nothing_else() -> None:
    merged = merge(
        settings(), settings(hostname="mx.example.com", ingress={"listen": ["127.0.0.1:1"], "max_errors": 3})
    )
    assert merged.changed == ("hostname", "ingress.max_errors")
    assert merged.kept == ("ingress.listen",)
    assert merged.settings == settings(hostname="mx.example.com", ingress={"max_errors": 3})


def test_every_key_that_needs_a_restart_exists() -> None:
    for key in NEEDS_RESTART:
        section: Any = settings()
        for name in key.split("."):
            section = getattr(section, name)


def test_equal_settings_do_not_differ() -> None:
    assert list(differences(settings(), settings())) == []
