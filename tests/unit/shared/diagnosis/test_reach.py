"""Warnings about whom the configuration lets in."""

from __future__ import annotations

from ipaddress import IPv4Network, ip_network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.configuration.settings import Settings
from shared.configuration.systems import System
from shared.diagnosis.reach import IPV4, is_internet, warnings_of_reach


@pytest.mark.parametrize(
    "networks",
    [
        ["0.0.0.0/0"],
        ["::/0"],
        ["2000::/3"],
        ["0.0.0.0/1", "128.0.0.0/1"],
        ["::/1", "8000::/1"],
        ["0.0.0.0/2", "64.0.0.0/2", "10.0.0.0/8"],
        ["10.1.0.0/16", "128.0.0.0/1"],
    ],
)
def test_networks_that_are_the_internet_are_recognized(networks: list[str]) -> None:
    assert is_internet(map(ip_network, networks))


@pytest.mark.parametrize(
    "networks", [[], ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"], ["2001:db8::/32"], ["::1"]]
)
def test_networks_of_an_organisation_are_not(networks: list[str]) -> None:
    assert not is_internet(map(ip_network, networks))


@given(st.lists(st.integers(0, 255), unique=True, max_size=255), st.randoms(use_true_random=False))
def test_the_union_of_any_pieces_counts(blocks: list[int], random: Any) -> None:
    """Pieces in any order, each twice, are as much of the Internet as they are together."""
    pieces = [IPv4Network(f"{block}.0.0.0/8") for block in blocks]
    shuffled = [*pieces, *pieces]
    random.shuffle(shuffled)
    assert is_internet(shuffled) == (2 * len(pieces) * IPv4Network("0.0.0.0/8").num_addresses >= IPV4.num_addresses)


def warned(**system: Any) -> list[str]:
    return list(warnings_of_reach(Settings(systems=[System(**{"name": "a", "kind": "exchange", **system})])))


@pytest.mark.parametrize(
    "name",
    ["*.mail.protection.outlook.com", "mail.protection.outlook.com", "outlook.com", "OUTLOOK.com", "*.outlook.com"],
)
def test_names_that_all_customers_of_exchange_online_share_are_a_warning(name: str) -> None:
    (warning,) = warned(client_names=["mx.example.com", name])
    assert warning.startswith(f"systems[0].client_names: {name} is in the certificate that all customers")
    assert warning.endswith("name its networks")


@pytest.mark.parametrize(
    "name", ["mail.example.com", "outlook.example.com", "myoutlook.com", "outlook.com.example.org"]
)
def test_a_name_of_ones_own_is_no_warning(name: str) -> None:
    assert warned(client_names=[name]) == []


def test_only_a_relay_for_the_whole_internet_is_a_warning() -> None:
    everyone = {"networks": ["0.0.0.0/1", "128.0.0.0/1"]}
    assert warned(**everyone)[0].startswith("systems[0].networks: cover half of the Internet or more: anyone can send")
    assert warned(kind="internet", **everyone) == []
    assert warned(kind="internet", default_route="b", **everyone)


def test_a_load_balancer_anywhere_is_a_warning() -> None:
    settings = Settings.model_validate({"ingress": {"proxy_protocol_from": ["::/0"]}})
    assert [line.partition(":")[0] for line in warnings_of_reach(settings)] == ["ingress.proxy_protocol_from"]
