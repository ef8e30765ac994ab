"""Hosts held to their TLSA records: a real DNS server, real TLS, and what is sent before it is known that they fit."""

from __future__ import annotations

import asyncio
import hashlib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pydantic import ValidationError

from services.egress.addresses import HostAddresses, NoAddress
from services.egress.balance import Host
from services.egress.connect import open_session
from services.egress.dane import HAS_CHAIN
from services.egress.dns_client import DnsClient
from services.egress.host_tls import HostTls
from services.egress.mx import Resolver
from services.egress.probe import Probed, probe_entry
from services.egress.session import Session, Timeouts
from services.egress.tlsa import TlsaRecords
from shared.configuration.egress import EgressSettings
from shared.configuration.smart_hosts import SmartHost
from shared.mail.reply import Reply
from tests.conftest import Certificates
from tests.support.dns_server import DnsServer
from tests.support.smart_host import SmartHostServer

TIMEOUTS = Timeouts(connect=5, command=5, data=5)
HOST = "mx1.example.net"


@dataclass
class World:
    """One smart host, the DNS about it, and egress. Its certificate is of no CA that is known, for another name."""

    dns: DnsServer
    host: SmartHostServer
    certificate: bytes
    directory: Path
    is_trusted: bool = True
    settings: dict[str, Any] = field(default_factory=lambda: {"host": HOST})

    def __post_init__(self) -> None:
        self.dns.records[HOST, "A"] = ["127.0.0.1"]
        self.dns.validated.add(HOST)

    @property
    def tlsa_name(self) -> str:
        return f"_{self.host.port}._tcp.{HOST}"

    @property
    def fitting(self) -> str:
        key = x509.load_der_x509_certificate(self.certificate).public_key()
        spki = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return f"3 1 1 {hashlib.sha256(spki).hexdigest()}"

    def publish(self, *records: str, name: str | None = None, is_validated: bool = True) -> None:
        name = name or self.tlsa_name
        self.dns.records[name, "TLSA"] = list(records)
        if is_validated:
            self.dns.validated.add(name)

    def client(self) -> DnsClient:
        return DnsClient([self.dns.address], port=self.dns.port) if self.is_trusted else self.of_resolv_conf()

    def of_resolv_conf(self) -> DnsClient:
        file = self.directory / "resolv.conf"
        file.write_text(f"nameserver {self.dns.address}\n")
        return DnsClient(port=self.dns.port, resolv_conf=str(file))

    def open(self) -> Session | Reply:
        """Return the outcome of one connection, which is closed again."""

        async def opened() -> Session | Reply:
            entry = SmartHost(**{"port": self.host.port, "tls": "verify", **self.settings})
            client = self.client()
            hosts = await Resolver(client).hosts([entry])
            assert not isinstance(hosts, Reply)
            session = await open_session(
                hosts[0],
                hostname="gw.example.com",
                tls=HostTls([entry], TlsaRecords(client)),
                timeouts=TIMEOUTS,
                addresses=HostAddresses(Random(1), lambda _: ("127.0.0.1",)),
            )
            if isinstance(session, Session):
                await session.quit()
            return session

        return asyncio.run(opened())

    def probe(self) -> Probed:
        async def probed() -> list[Probed]:
            entry = SmartHost(**{"port": self.host.port, "tls": "verify", **self.settings})
            client = self.client()
            return await probe_entry(
                "systems[0].smart_hosts[0]",
                "a",
                entry,
                Resolver(client),
                hostname="gw.example.com",
                tls=HostTls([entry], TlsaRecords(client)),
                timeouts=TIMEOUTS,
                addresses=HostAddresses(Random(1), lambda _: ("127.0.0.1",)),
            )

        [found] = asyncio.run(probed())
        return found


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with running(tmp_path) as made:
        yield made


@contextmanager
def running(directory: Path, *, implicit: bool = False, dns_address: str = "127.0.0.1") -> Iterator[World]:
    leaf = trustme.CA().issue_cert("else.example")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    leaf.configure_cert(context)
    der = x509.load_pem_x509_certificate(leaf.cert_chain_pems[0].bytes()).public_bytes(Encoding.DER)
    with DnsServer(address=dns_address) as dns, SmartHostServer(context=context, implicit=implicit) as host:
        yield World(dns, host, der, directory)


def said(opened: Session | Reply) -> str:
    return str(opened) if isinstance(opened, Reply) else "a session"


def nothing_was_said(host: SmartHostServer) -> bool:
    """Return whether egress said no more than a greeting in the clear and STARTTLS, and nothing over TLS."""
    return [line.partition(" ")[0] for line, _ in host.lines] in ([], ["EHLO", "STARTTLS"])


@pytest.mark.parametrize("implicit", [False, True], ids=["starttls", "implicit"])
def test_a_fitting_record_is_enough(tmp_path: Path, implicit: bool) -> None:
    """Of DANE-EE: no known CA, another name."""
    with running(tmp_path, implicit=implicit) as world:
        world.settings["implicit"] = implicit
        world.publish(world.fitting)
        session = world.open()
        assert isinstance(session, Session), said(session)
        assert session.encrypted
        assert world.probe().protection == f"TLSA record {world.tlsa_name}"


@pytest.mark.parametrize("implicit", [False, True], ids=["starttls", "implicit"])
def test_a_record_that_does_not_fit_ends_the_connection_though_the_ca_is_good(
    tmp_path: Path, certificates: Certificates, implicit: bool
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.certificate, certificates.key)
    with running(tmp_path) as other, SmartHostServer(context=context, implicit=implicit) as host:
        world = World(other.dns, host, other.certificate, tmp_path)
        world.settings |= {"ca": certificates.ca, "name": "mail.example.com", "implicit": implicit}
        assert isinstance(world.open(), Session)
        host.lines.clear()
        world.publish(world.fitting)
        assert world.open() == Reply(454, "DANE: certificate does not match the TLSA records", "4.7.5")
        assert nothing_was_said(host)


@pytest.mark.parametrize("records", [[], ["0 0 1 " + "00" * 32], ["1 1 1 " + "00" * 32, "3 1 9 00"]])
def test_without_a_usable_record_ca_and_name_are_verified(
    world: World, certificates: Certificates, records: list[str]
) -> None:
    if records:
        world.publish(*records)
    assert "certificate not trusted" in said(world.open())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.certificate, certificates.key)
    with SmartHostServer(context=context) as host:
        good = World(world.dns, host, b"", world.directory)
        good.settings |= {"ca": certificates.ca, "name": "mail.example.com"}
        if records:
            good.publish(*records)
        session = good.open()
        assert isinstance(session, Session), said(session)
        assert good.probe().protection == "name mail.example.com"


def test_a_record_that_is_not_validated_is_not_used(world: World) -> None:
    world.publish(world.fitting, is_validated=False)
    assert "certificate not trusted" in said(world.open())


def test_a_host_that_is_not_validated_is_not_asked_about(world: World) -> None:
    """RFC 7672 section 2.2.2: servers of insecure zones may fail every question for TLSA."""
    world.publish(world.fitting)
    world.dns.validated.remove(HOST)
    world.dns.failing.add(world.tlsa_name)
    assert "certificate not trusted" in said(world.open())
    assert "TLSA" not in {kind for _, kind in world.dns.questions}


@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.11"])
def test_the_flag_of_a_resolver_counts_on_this_machine_alone(tmp_path: Path, address: str) -> None:
    """127.0.0.11 is Docker's, which hands on the flag of any other."""
    with running(tmp_path, dns_address=address) as world:
        world.is_trusted = False
        world.publish(world.fitting)
        assert isinstance(world.open(), Session) == (address == "127.0.0.1")


@pytest.mark.parametrize(
    ("nameservers", "trusted"),
    [
        (["127.0.0.53"], True),
        (["::1", "127.0.0.1"], True),
        (["127.0.0.1", "192.0.2.1"], False),
        (["fe80::1%1"], False),
        (["127.0.0.11"], False),
        ([], False),
    ],
)
def test_only_resolvers_on_this_machine_are_trusted_unnamed(
    tmp_path: Path, nameservers: list[str], trusted: bool
) -> None:
    file = tmp_path / "resolv.conf"
    file.write_text("".join(f"nameserver {address}\n" for address in nameservers))
    assert DnsClient(resolv_conf=str(file)).is_trusted == trusted
    assert DnsClient(["192.0.2.1"], resolv_conf=str(file)).is_trusted


@pytest.mark.parametrize("failing", ["address", "records"])
def test_a_look_up_that_fails_defers_and_does_not_blame_the_host(
    world: World, certificates: Certificates, failing: str
) -> None:
    """RFC 7672 section 2.1.2: an attacker who suppresses answers gains nothing."""
    world.settings["ca"] = certificates.ca
    world.dns.failing.add(HOST if failing == "address" else world.tlsa_name)
    refused = world.open()
    assert isinstance(refused, NoAddress)
    assert refused.code == 451
    assert not world.host.lines


def test_an_alias_is_followed_where_every_step_is_validated(world: World) -> None:
    world.dns.records["smtp.example.com", "CNAME"] = [f"{HOST}."]
    world.dns.validated.add("smtp.example.com")
    world.settings["host"] = "smtp.example.com"
    world.publish(world.fitting)
    assert isinstance(world.open(), Session)


def test_an_alias_into_an_insecure_zone_leaves_the_records_of_the_name_itself(world: World) -> None:
    world.dns.records["smtp.example.com", "CNAME"] = [f"{HOST}."]
    world.dns.validated.add("smtp.example.com")
    world.dns.validated.remove(HOST)
    world.settings["host"] = "smtp.example.com"
    world.publish(world.fitting)
    assert isinstance(world.open(), Reply), "only the records of the insecure zone"
    world.publish(world.fitting, name=f"_{world.host.port}._tcp.smtp.example.com")
    assert isinstance(world.open(), Session)


@pytest.mark.parametrize("is_validated", [True, False])
def test_an_mx_answer_has_to_be_validated(world: World, is_validated: bool) -> None:
    world.settings = {"mx": "example.com"}
    world.dns.records["example.com", "MX"] = [f"10 {HOST}."]
    if is_validated:
        world.dns.validated.add("example.com")
    world.publish(world.fitting)
    assert isinstance(world.open(), Session) == is_validated
    assert ((world.tlsa_name, "TLSA") in world.dns.questions) == is_validated


@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.11"])
def test_a_name_from_an_mx_answer_is_secure_where_its_validation_counts(tmp_path: Path, address: str) -> None:
    with DnsServer(address=address) as dns:
        world = World(dns, SmartHostServer(), b"", tmp_path)
        dns.records["example.com", "MX"] = [f"10 {HOST}."]
        dns.validated.add("example.com")
        [host] = asyncio.run(hosts_of(Resolver(world.of_resolv_conf()), SmartHost(mx="example.com")))
        assert host.is_secure == (address == "127.0.0.1")


@pytest.mark.parametrize("level", ["required", "opportunistic", "none"])
def test_only_verify_asks_for_records(world: World, level: str) -> None:
    world.settings["tls"] = level
    world.publish("3 1 1 " + "00" * 32)
    assert isinstance(world.open(), Session)
    assert not world.dns.questions


def test_records_are_kept_for_their_ttl(world: World) -> None:
    world.publish(world.fitting)

    async def many() -> None:
        client = world.client()
        records = TlsaRecords(client)
        [host] = await hosts_of(Resolver(client), SmartHost(host=HOST, port=world.host.port, tls="verify"))
        found = await asyncio.gather(*(records.of(host) for _ in range(10)))
        assert {*found, await records.of(host)} == {found[0]}

    asyncio.run(many())
    assert world.dns.questions == [(HOST, "A"), (world.tlsa_name, "TLSA")]


async def hosts_of(resolver: Resolver, entry: SmartHost) -> tuple[Host, ...]:
    hosts = await resolver.hosts([entry])
    assert not isinstance(hosts, Reply)
    return hosts


def test_the_probe_names_the_record(world: World) -> None:
    world.publish(world.fitting)
    probed = world.probe()
    assert (probed.fault, probed.protection) == (None, f"TLSA record {world.tlsa_name}")
    assert probed.certificate
    assert probed.certificate.names == ("else.example",)
    world.publish("3 1 1 " + "00" * 32)
    probed = world.probe()
    assert probed.fault == "454 4.7.5 DANE: certificate does not match the TLSA records"
    assert probed.protection == f"TLSA record {world.tlsa_name}"


def test_a_host_with_records_that_offers_no_tls_gets_nothing(world: World) -> None:
    world.publish(world.fitting)
    world.host.context = None
    assert "TLS is required" in said(world.open())


@pytest.mark.skipif(not HAS_CHAIN, reason="Python before 3.13 does not give out a chain that it did not verify")
def test_a_ca_of_the_record_is_enough(tmp_path: Path) -> None:
    child = trustme.CA().create_child_ca()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    child.issue_cert(HOST).configure_cert(context)
    der = x509.load_pem_x509_certificate(child.cert_pem.bytes()).public_bytes(Encoding.DER)
    with running(tmp_path) as other, SmartHostServer(context=context) as host:
        world = World(other.dns, host, der, tmp_path)
        world.publish(f"2 0 1 {hashlib.sha256(der).hexdigest()}")
        assert isinstance(world.open(), Session)


@pytest.mark.skipif(HAS_CHAIN, reason="Python 3.13 gives out the chain")
def test_a_ca_of_a_record_leaves_ca_and_name_where_the_chain_cannot_be_seen(world: World) -> None:
    world.publish("2 0 1 " + "00" * 32)
    assert "certificate not trusted" in said(world.open())


def test_resolvers_are_named_by_address() -> None:
    """A name would have to be looked up first, by resolvers that are not trusted."""
    settings = EgressSettings.model_validate({"dnssec_resolvers": ["10.1.0.53", "fd00::53"]})
    assert [str(address) for address in settings.dnssec_resolvers] == ["10.1.0.53", "fd00::53"]
    with pytest.raises(ValidationError, match=r'not a valid IP address: "dns.example": write for example 10\.1\.0\.53'):
        EgressSettings.model_validate({"dnssec_resolvers": ["dns.example"]})
