"""MX look-ups against a real DNS server on loopback."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import dns.asyncresolver
import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest

from services.egress.app import unresolved
from services.egress.mx import NO_ANSWER, NO_RECORDS, Resolver
from shared.configuration.settings import Settings
from shared.configuration.smart_hosts import SmartHost
from shared.mail.reply import Reply


@dataclass
class DnsServer(asyncio.DatagramProtocol):
    """Answers from `records`; a name under neither `records` nor `empty` does not exist; `silent` fails everything."""

    records: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    ttl: int = 60
    silent: bool = False
    questions: list[tuple[str, str]] = field(default_factory=list)
    port: int = 0

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, address: Any) -> None:
        query = dns.message.from_wire(data)
        question = query.question[0]
        name, kind = question.name.to_text(omit_final_dot=True), dns.rdatatype.to_text(question.rdtype)
        self.questions.append((name, kind))
        response = dns.message.make_response(query)
        response.flags |= dns.flags.RA
        if self.silent:
            response.set_rcode(dns.rcode.SERVFAIL)
        elif (name, kind) in self.records:
            response.answer.append(dns.rrset.from_text(question.name, self.ttl, "IN", kind, *self.records[name, kind]))
        elif not any(known == name for known, _ in self.records):
            response.set_rcode(dns.rcode.NXDOMAIN)
        self._transport.sendto(response.to_wire(), address)


@pytest.fixture
def server() -> Iterator[DnsServer]:
    answering, started = DnsServer(), threading.Event()
    loop = asyncio.new_event_loop()

    async def listen() -> Any:
        transport, _ = await loop.create_datagram_endpoint(lambda: answering, local_addr=("127.0.0.1", 0))
        answering.port = transport.get_extra_info("sockname")[1]
        started.set()
        return transport

    def serve() -> None:
        transport = loop.run_until_complete(listen())
        loop.run_forever()
        transport.close()
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()

    thread = threading.Thread(target=serve)
    thread.start()
    assert started.wait(10)
    yield answering
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)


def resolver(server: DnsServer) -> Resolver:
    asked = dns.asyncresolver.Resolver(configure=False)
    asked.nameservers, asked.port = ["127.0.0.1"], server.port
    return Resolver(asked)


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


def test_an_answer_outlives_the_name(server: DnsServer) -> None:
    """A zone that is lost for a moment must not stop mail to hosts that are there."""
    server.records["example.com", "MX"] = ["10 mx1.example.com."]

    async def ask_twice() -> tuple[object, object]:
        asking = resolver(server)
        first = await asking.exchanges("example.com")
        server.records.clear()
        asking._answers["example.com"] = replace(asking._answers["example.com"], good_until=0)
        return first, await asking.exchanges("example.com")

    first, second = asyncio.run(ask_twice())
    assert first == second


def test_an_entry_that_fails_leaves_the_others(server: DnsServer) -> None:
    server.silent = True
    assert resolve(server, mx("example.com"), SmartHost(host="a.example")) == [(10, "a.example", 1)]


def test_an_answer_is_kept_for_its_ttl_and_asked_for_once_by_many(server: DnsServer) -> None:
    server.records["example.com", "MX"] = ["10 mx1.example.com."]

    async def many() -> None:
        asking = resolver(server)
        await asyncio.gather(*(asking.exchanges("example.com") for _ in range(20)))
        await asking.exchanges("example.com")

    asyncio.run(many())
    assert server.questions == [("example.com", "MX")]


def test_the_last_answer_stands_while_dns_fails(server: DnsServer, monkeypatch: pytest.MonkeyPatch) -> None:
    server.records["example.com", "MX"] = ["10 mx1.example.com."]
    server.ttl = 0
    monkeypatch.setattr("services.egress.mx.SHORTEST_TTL_SECONDS", 0.0)

    async def twice() -> None:
        asking = resolver(server)
        first = await asking.exchanges("example.com")
        server.silent = True
        assert await asking.exchanges("example.com") == first
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
