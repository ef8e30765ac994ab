"""The values of the configuration: what each form means, and what is refused."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from shared.configuration.endpoint import Endpoint
from shared.configuration.settings import Settings
from shared.configuration.smart_hosts import SmartHost
from shared.configuration.systems import System
from shared.configuration.values import parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("250ms", 0.25), ("5m", 300), ("1h30m", 5400), ("1h 30m", 5400), ("5d", 432_000), (90, 90), (0.5, 0.5)],
)
def test_a_duration_has_units(text: Any, seconds: float) -> None:
    assert parse_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["5", "5 weeks", "m", "5m later", "-5m"])
def test_a_duration_of_another_form_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="for example 5m"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("text", "parts"), [("0.0.0.0:25", ("0.0.0.0", 25)), ("[::1]:0", ("::1", 0)), (":25", ("", 25))]
)
def test_a_listening_address_is_host_and_port(text: str, parts: tuple[str, int]) -> None:
    assert Endpoint.parse(text) == Endpoint(*parts)


@given(st.text())
def test_any_text_is_a_listening_address_or_a_value_error(text: str) -> None:
    try:
        port = Endpoint.parse(text).port
    except ValueError:
        return
    assert 0 <= port <= 65535


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"host": "a", "mx": "b"},
        {"host": "a", "tls": "opportunistic", "implicit": True},
        {"host": "a", "certificate": "a.crt"},
        {"host": "a", "port": 0},
    ],
)
def test_a_smart_host_that_contradicts_itself_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        SmartHost(**wrong)


def test_mail_is_encrypted_unless_said_otherwise() -> None:
    assert SmartHost(host="a").tls == "required"


def test_domains_are_in_lower_case_without_a_final_dot() -> None:
    assert System(name="a", kind="domino", domains=["Example.COM."]).domains == ["example.com"]


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("*.Notes.Example.COM.", "*.notes.example.com"),
        ("[10.1.2.3]", "[10.1.2.3]"),
        ("[IPv6:2001:DB8:0:0::1]", "[ipv6:2001:db8::1]"),
    ],
)
def test_a_domain_may_stand_for_the_hosts_below_it_or_be_an_address_literal(written: str, read: str) -> None:
    assert System(name="a", kind="domino", domains=[written]).domains == [read]


@pytest.mark.parametrize(
    "wrong", ["*", "*.", "a.*.example.com", "*@example.com", "[10.1.2]", "[10.1.2.300]", "[x]", "[]"]
)
def test_a_domain_of_another_form_is_refused(wrong: str) -> None:
    with pytest.raises(ValidationError):
        System(name="a", kind="domino", domains=[wrong])


def test_the_postmaster_is_a_mail_address() -> None:
    assert Settings(postmaster="postmaster@example.com").postmaster == "postmaster@example.com"
    for wrong in ("postmaster", "@example.com", "a b@example.com", "a@b c"):
        with pytest.raises(ValidationError):
            Settings(postmaster=wrong)


def test_a_system_is_found_by_its_name() -> None:
    settings = Settings(systems=[System(name="a", kind="domino")])
    assert settings.system("a").kind == "domino"
    with pytest.raises(KeyError):
        settings.system("b")


@pytest.mark.parametrize("name", ["gateway", "mail.example.com", "xn--bcher-kva.example", "a" * 63 + ".example"])
def test_a_host_name_has_labels_that_dns_takes(name: str) -> None:
    assert Settings(hostname=name).hostname == name


@pytest.mark.parametrize("name", ["", "bücher.example", "-a.example", "a b", "a_b", "a..b", "a" * 64, "mail\r\nEVIL"])
def test_a_name_that_no_peer_would_take_is_refused(name: str) -> None:
    with pytest.raises(ValidationError, match="not a valid host name"):
        Settings(hostname=name)
