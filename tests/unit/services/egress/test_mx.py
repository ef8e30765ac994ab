"""MX look-ups against a real DNS server on loopback."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from services.egress.app import unresolved
from services.egress.dns_client import NO_ANSWER, DnsClient
from services.egress.mx import NO_RECORDS, Resolver
from shared.configuration.settings import Settings
from shared.configuration.smart_hosts import SmartHost
from shared.mail.reply import Reply
from tests.support.dns_server import DnsServer


@pytest.fixture
def server() -> Iterator[DnsServer]:
    with DnsServer() as answering:
        yield answering


@pytest.fixture
def no_ttl(server: DnsServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every answer be old at once."""
    server.ttl = 0
    monkeypatch.setattr("services.egress.answers.SHORTEST_TTL_SECONDS", 0.0)


def resolver(server: DnsServer) -> Resolver:
    return Resolver(DnsClient(["127.0.0.1"], port=server.port))


def mx(name: str, **settings: Any) -> SmartHost:
    return SmartHost(mx=name, **settings)


def resolve(server: DnsServer, *entries: SmartHost) -> list[tuple[int, str, int]] | Reply:
    found = asyncio.run(resolver(server).hosts(entries))
    return found if isinstance(found, Reply) else [(one.preference, one.name, one.weight) for one in found]


def test_preferences_come_from_dns_and_the_rest_from_the_entry(server: DnsServer) -> None:
    server.records["example.com", "MX"] = ["10 MX1.example.com.", "20 mx2.example.com."]
    assert resolve(server, mx("example.com", weight=7)) == [(10, "mx1.example.com", 7), (20, "mx2.example.com", 7)]


def test_static_hosts_stand_beside_records(server: DnsServer) -> None:
    server.records["example.com", "MX"] = ["10 mx1.example.com."]
    entries = SmartHost(host="Static.example.com", preference=5), mx("example.com")
    assert resolve(server, *entries) == [(5, "static.example.com", 1), (10, "mx1.example.com", 1)]


@pytest.mark.parametrize(("kind", "value"), [("A", "192.0.2.1"), ("AAAA", "2001:db8::1")])
def test_without_mx_the_name_itself_is_the_host(server: DnsServer, kind: str, value: str) -> None:
    server.records["example.com", kind] = [value]
    assert resolve(server, mx("example.com")) == [(0, "example.com", 1)]


def test_a_null_mx_takes_no_mail_for_good(server: DnsServer) -> None:
    """RFC 7505."""
    server.records["example.com", "MX"] = ["0 ."]
    said = resolve(server, mx("example.com"))
    assert isinstance(said, Reply)
    assert (said.code, said.enhanced) == (556, "5.1.10")


def test_a_null_mx_beside_a_failing_name_is_temporary(server: DnsServer) -> None:
    server.records["null.example", "MX"] = ["0 ."]
    said = resolve(server, mx("null.example"), mx("missing.example"))
    assert isinstance(said, Reply)
    assert said.code == 451


def test_a_failing_dns_is_temporary(server: DnsServer) -> None:
    server.silent = True
    assert resolve(server, mx("example.com")) == NO_ANSWER


def test_a_name_that_does_not_exist_is_reported_as_such_and_is_temporary(server: DnsServer) -> None:
    """A smart host is our own configuration, no mistake of a sender."""
    assert resolve(server, mx("example.com")) == Reply(451, "domain does not exist (NXDOMAIN)", "4.4.4")


def test_a_name_without_mx_and_address_is_reported_as_such(server: DnsServer) -> None:
    server.records["example.com", "TXT"] = ['"here"']
    assert resolve(server, mx("example.com")) == NO_RECORDS


def test_an_answer_outlives_the_name(server: DnsServer, no_ttl: None) -> None:
    """A zone that is lost for a moment must not stop mail to hosts that are there."""
    server.records["example.com", "MX"] = ["10 mx1.example.com."]

    async def ask_twice() -> tuple[object, object]:
        asking = resolver(server)
        first = await asking.hosts([mx("example.com")])
        server.records.clear()
        return first, await asking.hosts([mx("example.com")])

    first, second = asyncio.run(ask_twice())
    assert first == second


def test_an_entry_that_fails_leaves_the_others(server: DnsServer) -> None:
    server.silent = True
    assert resolve(server, mx("example.com"), SmartHost(host="a.example")) == [(10, "a.example", 1)]


def test_an_answer_is_kept_for_its_ttl_and_asked_for_once_by_many(server: DnsServer) -> None:
    server.records["example.com", "MX"] = ["10 mx1.example.com."]

    async def many() -> None:
        asking = resolver(server)
        await asyncio.gather(*(asking.hosts([mx("example.com")]) for _ in range(20)))
        await asking.hosts([mx("example.com")])

    asyncio.run(many())
    assert server.questions == [("example.com", "MX")]


def test_the_last_answer_stands_while_dns_fails(server: DnsServer, no_ttl: None) -> None:
    server.records["example.com", "MX"] = ["10 mx1.example.com."]

    async def twice() -> None:
        asking = resolver(server)
        first = await asking.hosts([mx("example.com")])
        server.silent = True
        assert await asking.hosts([mx("example.com")]) == first
        assert first

    asyncio.run(twice())
    assert len(server.questions) >= 2


@pytest.mark.parametrize(
    "hostile", ["192.0.2.1", "a\\032b.example.com", "\\000" * 16 + ".example.com", "-x.example.com"]
)
def test_a_record_that_names_no_host_leads_nowhere(server: DnsServer, hostile: str) -> None:
    """Escaped octets made labels that no resolver takes, and the attempt a crash."""
    server.records["example.com", "MX"] = [f"5 {hostile}.", "10 mx1.example.com."]
    assert resolve(server, mx("example.com")) == [(10, "mx1.example.com", 1)]
    server.records["only.example", "MX"] = [f"5 {hostile}."]
    said = resolve(server, mx("only.example"))
    assert isinstance(said, Reply)
    assert said.code == 451


def test_a_null_mx_beside_other_records_refuses_nothing(server: DnsServer) -> None:
    server.records["example.com", "MX"] = ["0 .", "10 mx1.example.com."]
    assert resolve(server, mx("example.com")) == [(10, "mx1.example.com", 1)]


def test_check_names_the_entry_of_a_name_that_leads_nowhere(server: DnsServer) -> None:
    server.records["good.example", "MX"] = ["10 mx1.example.com."]
    server.records["null.example", "MX"] = ["0 ."]
    entries = [{"mx": "good.example"}, {"mx": "nowhere.example"}, {"mx": "null.example"}, {"host": "no.example"}]
    settings = Settings.model_validate({"systems": [{"name": "a", "kind": "domino", "smart_hosts": entries}]})
    assert unresolved(settings, resolver(server)) == [
        "systems[0].smart_hosts[1].mx: nowhere.example: domain does not exist (NXDOMAIN): correct the name, or DNS",
        "systems[0].smart_hosts[2].mx: null.example: domain does not accept mail (null MX): correct the name, or DNS",
    ]


def test_check_says_nothing_where_dns_does_not_answer(server: DnsServer) -> None:
    server.silent = True
    entries = [{"mx": "example.com"}]
    settings = Settings.model_validate({"systems": [{"name": "a", "kind": "domino", "smart_hosts": entries}]})
    assert unresolved(settings, resolver(server)) == []


@pytest.fixture
def no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the half second be over at once; a look-up that nobody may wait for would take until the test ends."""
    monkeypatch.setattr("services.egress.answers.HESITATION_SECONDS", 0.05)
    monkeypatch.setattr("services.egress.dns_client.LIFETIME_SECONDS", 3600.0)


async def names(asking: Resolver, *entries: SmartHost) -> list[str]:
    hosts = await asking.hosts(entries)
    assert not isinstance(hosts, Reply)
    return [host.name for host in hosts]


async def background() -> None:
    """Wait for the look-ups that go on in the background."""
    await asyncio.gather(*asyncio.all_tasks() - {asyncio.current_task()})


def test_the_last_answer_stands_while_dns_is_silent(server: DnsServer, no_ttl: None, no_patience: None) -> None:
    """Hostile case 8. The question goes on in the background, and its answer is used."""
    server.records["example.com", "MX"] = ["10 mx1.example.com."]

    async def ask() -> None:
        asking, entry = resolver(server), mx("example.com")
        assert await names(asking, entry) == ["mx1.example.com"]
        server.muted.add("example.com")
        server.records["example.com", "MX"] = ["10 mx2.example.com."]
        for _ in range(3):
            assert await names(asking, entry) == ["mx1.example.com"]
        server.speak()
        await background()
        assert await names(asking, entry) == ["mx2.example.com"]

    asyncio.run(ask())


def test_a_static_host_does_not_wait_for_a_silent_name(server: DnsServer, no_patience: None) -> None:
    """Hostile case 8."""
    server.records["example.com", "MX"] = ["20 mx1.example.com."]
    server.muted.add("example.com")

    async def ask() -> None:
        asking, entries = resolver(server), (mx("example.com"), SmartHost(host="a.example", preference=1))
        assert await names(asking, *entries) == ["a.example"]
        server.speak()
        await background()
        assert await names(asking, *entries) == ["mx1.example.com", "a.example"]

    asyncio.run(ask())


def test_a_name_that_was_answered_does_not_wait_for_a_silent_one(server: DnsServer, no_patience: None) -> None:
    server.records["example.com", "MX"] = ["20 mx1.example.com."]
    server.records["slow.example", "MX"] = ["20 mx1.slow.example."]
    server.muted.add("slow.example")

    async def ask() -> None:
        asking, entries = resolver(server), (mx("slow.example"), mx("example.com"))
        assert await names(asking, *entries) == ["mx1.example.com"]
        assert await names(asking, *entries) == ["mx1.example.com"]
        server.speak()
        await background()
        assert await names(asking, *entries) == ["mx1.slow.example", "mx1.example.com"]

    asyncio.run(ask())


def test_names_are_looked_up_side_by_side(server: DnsServer) -> None:
    """The second is asked for while the first has no answer."""
    for name in ("one.example", "two.example"):
        server.records[name, "MX"] = [f"10 mx.{name}."]
    server.muted |= {"one.example", "two.example"}

    async def ask() -> None:
        asking = asyncio.create_task(names(resolver(server), mx("one.example"), mx("two.example")))
        for _ in range(2):
            await asyncio.to_thread(server.asked.acquire)
        assert {name for name, _ in server.questions} == {"one.example", "two.example"}
        assert not asking.done()
        server.speak()
        assert await asking == ["mx.one.example", "mx.two.example"]

    asyncio.run(ask())


def test_without_any_known_host_the_answer_is_waited_for(server: DnsServer, no_patience: None) -> None:
    server.records["example.com", "MX"] = ["10 mx1.example.com."]
    server.muted.add("example.com")

    async def ask() -> None:
        asking = asyncio.create_task(names(resolver(server), mx("example.com")))
        _, pending = await asyncio.wait([asking], timeout=0.2)
        assert pending
        server.speak()
        assert await asking == ["mx1.example.com"]

    asyncio.run(ask())
