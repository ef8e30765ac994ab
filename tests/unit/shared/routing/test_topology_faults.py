from typing import Any

import pytest

from shared.configuration.systems import System
from shared.routing.address_map import read
from shared.routing.topology_faults import faults, map_faults

HOSTS = [{"host": "mail.example.com"}]
NOTES: dict[str, Any] = {
    "name": "notes",
    "kind": "domino",
    "networks": ["10.1.0.0/16"],
    "domains": ["notes.example.com"],
    "notes_domains": ["ACME"],
    "public_domain": "example.com",
    "default_route": "exchange",
    "smart_hosts": HOSTS,
}
EXCHANGE: dict[str, Any] = {
    "name": "exchange",
    "kind": "exchange",
    "networks": ["10.2.0.0/16", "2001:db8::/32"],
    "domains": ["exchange.example.com"],
    "public_domain": "example.com",
    "default_route": "notes",
    "smart_hosts": HOSTS,
}


def systems(*changes: dict[str, Any]) -> list[System]:
    """Return notes, exchange and more systems with these changes, in order."""
    blank: dict[str, Any] = {"kind": "internet"}
    bases = [NOTES, EXCHANGE, *[blank] * 8]
    given = [*changes, *[{}] * (2 - len(changes))]
    return [System(**{**base, **change}) for base, change in zip(bases, given, strict=False)]


def test_the_normal_pair_has_no_fault() -> None:
    assert faults(systems()) == []


def test_a_single_namespace_may_live_in_one_of_its_systems() -> None:
    assert faults(systems({}, {"domains": ["example.com"], "envelope_domain": "example.com"})) == []


def test_in_a_single_namespace_all_systems_may_take_recipients_in_the_public_domain() -> None:
    public = {"envelope_domain": "example.com"}
    assert faults(systems(public, public)) == []


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        (
            systems({}, {"networks": ["10.1.2.0/24"]}),
            "systems[1].networks: 10.1.2.0/24 (exchange) overlaps 10.1.0.0/16 of systems[0] (notes); "
            "a client belongs to one system only: narrow one of them",
        ),
        (
            systems({"client_names": ["MX.example.com"]}, {"client_names": ["mx.example.com"]}),
            "systems[1].client_names: mx.example.com is also in systems[0].client_names; remove one of them",
        ),
        (
            systems({"client_names": ["mx.example.com"]}, {"client_names": ["*.example.com"]}),
            "systems[0].client_names: mx.example.com is covered by *.example.com of exchange; "
            "remove mx.example.com, or narrow the wildcard",
        ),
        (
            systems({}, {"domains": ["Notes.example.com"]}),
            "systems[1].domains: notes.example.com is also in systems[0].domains; a domain belongs to one system",
        ),
        (
            systems({}, {"notes_domains": ["acme"]}),
            "systems[1].notes_domains: acme is also in systems[0].notes_domains; a Notes domain belongs to one system",
        ),
        (
            systems({"domains": ["acme.example"]}, {"public_domain": "acme.example"}),
            "systems[0].domains: acme.example is the public_domain of exchange; "
            "remove it, or make it notes's public_domain too",
        ),
        (
            systems({}, {"envelope_domain": "notes.example.com"}),
            "systems[1].envelope_domain: notes.example.com belongs to notes; name a domain that only exchange accepts",
        ),
        (
            systems({"default_route": "exchagne"}),
            'systems[0].default_route: unknown system "exchagne"; use one of notes, exchange',
        ),
        (
            systems({"default_route": "notes"}),
            "systems[0].default_route: notes is the system itself; name another system, or null",
        ),
        (
            systems({}, {"default_route": "web"}, {"name": "web", "default_route": "notes", "smart_hosts": HOSTS}),
            "systems[1].default_route: cyclic route exchange -> web -> notes -> exchange; "
            "change one of them, or set it to null",
        ),
        (
            systems({}, {"smart_hosts": []}),
            "systems[1].smart_hosts: none, but mail is routed to exchange (default_route of notes, domains); "
            "add a host or an mx",
        ),
        ([], "systems: empty; add the mail systems on both sides"),
    ],
)
def test_a_fault_is_one_line_with_key_cause_and_remedy(given: list[System], fault: str) -> None:
    assert faults(given) == [fault]


def test_two_systems_of_one_name_are_a_fault() -> None:
    assert "systems[1].name: notes is also in systems[0].name; give each system a name of its own" in faults(
        systems({}, {"name": "notes"})
    )


def test_a_map_that_contradicts_the_systems_is_a_fault() -> None:
    address_map = read("public,internal\na@notes.example.com,b@nowhere.example\n", "a.csv")
    assert map_faults(systems(), address_map, "a.csv") == [
        "a.csv:2: public a@notes.example.com is in an internal domain; show another, or correct systems[].domains",
        "a.csv:2: internal b@nowhere.example belongs to no system; add its domain to systems[].domains",
    ]
