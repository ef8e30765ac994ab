"""Who may send, how much, and when: decisions over values."""

from __future__ import annotations

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingress import replies
from services.ingress.admission import STALE_SECONDS, Load, admit, admit_hops, admit_size
from services.ingress.limits import Flight, SessionLimit
from services.ingress.replies import Refusal
from services.ingress.sources import Sources, certificate_names, client_address, name_matches
from shared.configuration.ingress import IngressSettings
from shared.configuration.redis import RedisSettings
from shared.configuration.systems import System

REDIS, INGRESS = RedisSettings(), IngressSettings()


@pytest.mark.parametrize(
    ("load", "refusal"),
    [
        (Load(100.0, ""), None),
        (Load(100.0, "", 0.8, 2_000_000), None),
        (Load(100.0, "", 0.81), replies.SPOOL_FULL),
        (Load(100.0, "", 0.1, 2_000_001), replies.SPOOL_FULL),
        (Load(100.0, "appendfsync everysec"), replies.SPOOL_AWAY),
        (Load(100.0 - STALE_SECONDS - 1, ""), replies.SPOOL_AWAY),
    ],
)
def test_mail_is_taken_while_the_spool_is_there_durable_and_not_full(load: Load, refusal: Refusal | None) -> None:
    assert admit(load, 100.0, REDIS) == refusal


def test_size_and_hops_have_limits() -> None:
    assert admit_size(INGRESS.max_message_bytes, INGRESS) is None
    assert admit_size(INGRESS.max_message_bytes + 1, INGRESS) == replies.TOO_LARGE
    assert admit_hops(50, 5, INGRESS) is None
    assert admit_hops(51, 0, INGRESS) == admit_hops(6, 6, INGRESS) == replies.MAIL_LOOP


def system(name: str, *networks: str, names: tuple[str, ...] = ()) -> System:
    return System.model_validate({"name": name, "kind": "domino", "networks": networks, "client_names": names})


SOURCES = Sources(
    [
        system("wide", "10.0.0.0/8", "2001:db8::/32"),
        system("narrow", "10.1.0.0/16", names=("*.mail.example.com", "one.example.com")),
        system("host", "10.1.2.3/32"),
    ]
)


@pytest.mark.parametrize(
    ("address", "names", "wanted"),
    [
        ("10.9.9.9", (), ("wide", None)),
        ("10.1.9.9", (), ("narrow", None)),
        ("10.1.2.3", (), ("host", None)),
        ("::ffff:10.1.2.3", (), ("host", None)),
        ("2001:db8::1", (), ("wide", None)),
        ("192.0.2.1", (), None),
        ("192.0.2.1", ("one.example.com",), ("narrow", "one.example.com")),
        ("10.1.2.3", ("other.example.com", "a.mail.example.com"), ("narrow", "a.mail.example.com")),
        ("192.0.2.1", ("a.b.mail.example.com", "mail.example.com"), None),
    ],
)
def test_a_client_is_known_by_certificate_name_then_by_the_longest_prefix(
    address: str, names: tuple[str, ...], wanted: tuple[str, str | None] | None
) -> None:
    assert SOURCES.system_of(client_address(address), names) == wanted


@pytest.mark.parametrize(
    ("name", "pattern", "matches"),
    [
        ("A.example.com", "a.EXAMPLE.com", True),
        ("a.example.com", "*.example.com", True),
        ("a.b.example.com", "*.example.com", False),
        ("example.com", "*.example.com", False),
        (".example.com", "*.example.com", False),
        ("*.example.com", "*.example.com", False),
        ("*.example.com", "a.example.com", False),
        ("aexample.com", "*example.com", False),
    ],
)
def test_a_star_stands_for_one_label(name: str, pattern: str, matches: bool) -> None:
    assert name_matches(name, pattern) is matches


def test_only_dns_names_of_a_verified_certificate_count() -> None:
    subject = ((("commonName", "evil.example.com"),),)
    names = (("DNS", "A.example.com"), ("IP Address", "10.1.2.3"), ("email", "x@example.com"))
    assert certificate_names({"subject": subject, "subjectAltName": names}) == ("a.example.com",)
    assert certificate_names({"subject": subject}) == certificate_names({}) == certificate_names(None) == ()


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 60) | st.none()), max_size=60))
def test_bytes_in_flight_never_pass_a_limit_and_all_come_back(steps: list[tuple[int, int | None]]) -> None:
    """Seats 0 and 1 are of one client, 2 and 3 of another."""
    flight, clients = Flight(100, 70), [ip_address(f"192.0.2.{seat // 2}") for seat in range(4)]
    seats = [flight.seat(client) for client in clients]
    held = [0, 0, 0, 0]
    for seat, octets in steps:
        own = slice(seat // 2 * 2, seat // 2 * 2 + 2)
        if octets is None:
            seats[seat].release()
            held[seat] = 0
        elif seats[seat].hold(octets):
            held[seat] = max(held[seat], octets)
        else:
            assert sum(held) - held[seat] + octets > 100 or sum(held[own]) - held[seat] + octets > 70
        assert flight.octets == sum(held) <= 100
        assert sum(held[own]) <= 70
    for one in seats:
        one.release()
    assert flight.octets == 0
    assert all(flight.has_room(client, 70) for client in clients)


def test_sessions_that_leave_make_room() -> None:
    limit, one, other = SessionLimit(in_all=2, per_client=1), ip_address("192.0.2.1"), ip_address("192.0.2.2")
    assert limit.enter(one) is None
    assert limit.enter(one) == replies.TOO_MANY_FROM_CLIENT
    assert limit.enter(other) is None
    assert limit.enter(ip_address("192.0.2.3")) == replies.TOO_MANY_SESSIONS
    limit.leave(other)
    assert limit.enter(other) is None
