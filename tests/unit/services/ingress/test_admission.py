"""Who may send, how much, and when: decisions over values."""

from __future__ import annotations

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingress import replies
from services.ingress.admission import STALE_SECONDS, Load, admit, admit_hops, admit_recipient, admit_size
from services.ingress.limits import ByteBudget, SessionLimit
from services.ingress.replies import Refusal
from services.ingress.sources import Sources, certificate_names, client_address, name_matches
from shared.configuration.ingress import IngressSettings
from shared.configuration.redis import RedisSettings
from shared.configuration.systems import System
from shared.routing.route import NoRoute, Route

REDIS, INGRESS = RedisSettings(), IngressSettings()


@pytest.mark.parametrize(
    ("load", "refusal"),
    [
        (Load(100.0, ""), None),
        (Load(100.0, "", 0.8, 2_000_000), None),
        (Load(100.0, "", 0.81), replies.SPOOL_FULL),
        (Load(100.0, "", 0.1, 2_000_001), replies.SPOOL_FULL),
        (Load(100.0, "appendfsync everysec"), replies.SPOOL_UNAVAILABLE),
        (Load(100.0 - STALE_SECONDS - 1, ""), replies.SPOOL_UNAVAILABLE),
    ],
)
def test_mail_is_taken_while_the_spool_is_there_durable_and_not_full(load: Load, refusal: Refusal | None) -> None:
    assert admit(load, 100.0, REDIS) == refusal


def test_a_recipient_without_a_route_or_unknown_to_his_system_is_refused() -> None:
    assert admit_recipient(Route("notes", "a@notes.example.com", "a@example.com")) is None
    unknown = Route("notes", "a@notes.example.com", "a@example.com", unknown="not mapped")
    assert admit_recipient(unknown) == (replies.UNKNOWN_RECIPIENT, "not mapped")
    assert admit_recipient(NoRoute("no relaying")) == (replies.RELAY_ACCESS_DENIED, "no relaying")
    assert admit_recipient(NoRoute("nobody", is_unknown=True)) == (replies.UNKNOWN_RECIPIENT, "nobody")


def test_size_and_hops_have_limits() -> None:
    assert admit_size(INGRESS.max_message_bytes, INGRESS) is None
    assert admit_size(INGRESS.max_message_bytes + 1, INGRESS) == replies.TOO_LARGE
    assert admit_hops(100, 5, INGRESS) is None
    assert admit_hops(101, 0, INGRESS) == admit_hops(6, 6, INGRESS) == replies.TOO_MANY_HOPS


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
def test_a_star_matches_one_label(name: str, pattern: str, matches: bool) -> None:
    assert name_matches(name, pattern) is matches


def test_only_dns_names_of_a_verified_certificate_count() -> None:
    subject = ((("commonName", "evil.example.com"),),)
    names = (("DNS", "A.example.com"), ("IP Address", "10.1.2.3"), ("email", "x@example.com"))
    assert certificate_names({"subject": subject, "subjectAltName": names}) == ("a.example.com",)
    assert certificate_names({"subject": subject}) == certificate_names({}) == certificate_names(None) == ()


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 60) | st.none()), max_size=60))
def test_reservations_never_exceed_a_limit_and_are_all_released(steps: list[tuple[int, int | None]]) -> None:
    """Reservations 0 and 1 are of one client, 2 and 3 of another."""
    budget, clients = ByteBudget(100, 70), [ip_address(f"192.0.2.{number // 2}") for number in range(4)]
    reservations = [budget.reservation(client) for client in clients]
    held = [0, 0, 0, 0]
    for number, size in steps:
        own = slice(number // 2 * 2, number // 2 * 2 + 2)
        if size is None:
            reservations[number].release()
            held[number] = 0
        elif reservations[number].extend(size):
            held[number] = max(held[number], size)
        else:
            assert sum(held) - held[number] + size > 100 or sum(held[own]) - held[number] + size > 70
        assert budget.bytes_reserved == sum(held) <= 100
        assert sum(held[own]) <= 70
    for reservation in reservations:
        reservation.release()
    assert budget.bytes_reserved == 0
    assert all(budget.has_room(client, 70) for client in clients)


def test_sessions_that_leave_make_room() -> None:
    limit, one, other = SessionLimit(total=2, per_client=1), ip_address("192.0.2.1"), ip_address("192.0.2.2")
    assert limit.enter(one) is None
    assert limit.enter(one) == replies.TOO_MANY_CONNECTIONS_FROM_CLIENT
    assert limit.enter(other) is None
    assert limit.enter(ip_address("192.0.2.3")) == replies.TOO_MANY_CONNECTIONS
    limit.leave(other)
    assert limit.enter(other) is None
