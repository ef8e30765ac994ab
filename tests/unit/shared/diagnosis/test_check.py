"""Checks of a configuration before start, and their output."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import redis
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from shared.configuration.endpoint import Endpoint
from shared.configuration.file import load
from shared.configuration.redis import RedisSettings, Sentinel
from shared.diagnosis.check import (
    address_pairs,
    all_faults,
    environment_warnings,
    faults_before_start,
    faults_before_up,
    warnings,
)
from shared.diagnosis.redis_faults import redis_away
from shared.errors import ConfigurationError, SpoolUnavailable
from shared.operations.certificates import SelfSigned, self_signed

SERVICES = ("ingress", "transform", "egress")
HOST = "smart_hosts: [{host: mx2.example.com}]"
NOTES = f"name: notes, kind: domino, domains: [n.example.com], {HOST}"
EXCHANGE = f"name: exchange, kind: exchange, domains: [e.example.com], {HOST}"
FROM_NOTES, FROM_EXCHANGE = "networks: [10.1.0.0/16]", "networks: [10.2.0.0/16]"


class Folder:
    """A folder with a certificate and a configuration file."""

    def __init__(self, path: Path, redis: RedisSettings) -> None:
        self.path = path
        self.redis = redis
        self.certificate: SelfSigned = self_signed(path, ["mx.example.com"])
        self.file = path / "causeway.yaml"

    def write(
        self,
        text: str = "",
        *,
        notes: str = f"{FROM_NOTES}, default_route: exchange",
        exchange: str = f"{FROM_EXCHANGE}, default_route: notes",
    ) -> None:
        redis = "" if "redis:" in text else f"redis: {{url: '{self.redis.url}'}}\n"
        tls = "" if "ingress:" in text else "ingress: {tls: {certificate: tls.crt, key: tls.key}}\n"
        systems = f"systems: [{{{NOTES}, {notes}}}, {{{EXCHANGE}, {exchange}}}]\n"
        self.file.write_text(f"hostname: mx.example.com\n{redis}{tls}{systems}{text}\n")

    def check(self, now: datetime | None = None) -> list[str]:
        found = all_faults(load(self.file), SERVICES, self.file, now)
        assert all(fault.startswith(f"{self.file}: ") and "\n" not in fault for fault in found)
        return [fault.removeprefix(f"{self.file}: ") for fault in found]

    def warnings(self, now: datetime | None = None) -> list[str]:
        return [warning.removeprefix(f"{self.file}: ") for warning in warnings(load(self.file), self.file, now)]


@pytest.fixture
def folder(tmp_path: Path, redis_settings: RedisSettings) -> Folder:
    return Folder(tmp_path, redis_settings)


def test_a_good_configuration_has_neither_fault_nor_warning(folder: Folder) -> None:
    folder.write()
    assert folder.check() == []
    assert folder.warnings() == []


@pytest.mark.parametrize(
    ("tls", "said"),
    [
        ("certificate: none.crt, key: tls.key", "none.crt cannot be read"),
        ("certificate: tls.crt, key: none.key", "none.key cannot be read"),
        ("certificate: ca.crt, key: tls.key", "the key belongs to another certificate"),
        ("certificate: tls.crt", "ingress.tls: certificate and key go together"),
        ("mode: required", "ingress.tls.mode: required, but there is no certificate"),
        ("certificate: tls.crt, key: tls.key, client_ca: tls.key", "ingress.tls.client_ca: "),
    ],
)
def test_a_certificate_that_cannot_be_used_is_a_fault(folder: Folder, tls: str, said: str) -> None:
    folder.write(f"ingress: {{tls: {{{tls}}}}}")
    (fault,) = folder.check()
    assert fault.startswith("ingress.tls")
    assert said in fault


def test_implicit_tls_needs_a_certificate(folder: Folder) -> None:
    folder.write("ingress: {listen_tls: ['127.0.0.1:465'], tls: {mode: none}}")
    assert [fault.partition(":")[0] for fault in folder.check()] == ["ingress.listen_tls"]


def test_a_certificate_that_expired_is_a_fault_and_no_reason_not_to_start(folder: Folder) -> None:
    folder.write()
    later = datetime.now(UTC) + timedelta(days=1000)
    assert "tls.crt expired on" in folder.check(later)[0]
    assert faults_before_start(load(folder.file)) == []
    assert "is not valid before" in folder.check(datetime.now(UTC) - timedelta(days=1))[0]


def test_a_certificate_near_its_end_or_for_another_name_is_a_warning(folder: Folder) -> None:
    folder.write()
    assert "expires in 9 days: renew it" in folder.warnings(datetime.now(UTC) + timedelta(days=815))[0]
    folder.write("ingress: {hostname: other.example.com, tls: {certificate: tls.crt, key: tls.key}}")
    (warning,) = folder.warnings()
    assert "is for mx.example.com, not for other.example.com" in warning


def test_client_names_without_a_ca_and_starttls_without_a_certificate_are_warnings(folder: Folder) -> None:
    folder.write("ingress: {}", notes="client_names: [a.example.com]")
    assert [warning.partition(":")[0] for warning in folder.warnings()] == ["ingress.tls", "systems[0].client_names"]


def test_files_of_smart_hosts_are_read(folder: Folder) -> None:
    folder.write()
    text = folder.file.read_text()
    folder.file.write_text(
        text.replace("[{host: mx2.example.com}]", "[{host: mx2.example.com, tls: verify, ca: none.crt}]", 1)
    )
    (fault,) = folder.check()
    assert fault.startswith("systems[0].smart_hosts[0].ca: ")
    assert "none.crt cannot be read" in fault


@pytest.mark.parametrize(
    ("listen", "said"),
    [
        ("listen: ['127.0.0.1:9100'], tls: {mode: none}", "http.listen: 0.0.0.0:9100 clashes with 127.0.0.1:9100"),
        ("listen: ['127.0.0.1:25', '127.0.0.1:25'], tls: {mode: none}", "ingress.listen: 127.0.0.1:25 clashes"),
        ("listen: ['127.0.0.1:25', '127.0.0.2:25', '127.0.0.1:0', '127.0.0.1:0'], tls: {mode: none}", None),
    ],
)
def test_ports_that_clash_are_a_fault(folder: Folder, listen: str, said: str | None) -> None:
    folder.write(f"ingress: {{{listen}}}")
    found = folder.check()
    assert [said in fault for fault in found] == [True] if said else found == []


def test_a_map_that_cannot_be_used_is_a_fault(folder: Folder) -> None:
    folder.write("addresses: {map: a.csv}")
    assert "a.csv" in folder.check()[0]
    (folder.path / "a.csv").write_text("public,internal\nnobody,x@n.example.com\n")
    (fault,) = folder.check()
    assert fault.startswith("addresses.map: ")
    assert "a.csv:2" in fault
    (folder.path / "a.csv").write_bytes(b"\xff\n")
    assert "UTF-8" in folder.check()[0]
    assert address_pairs(load(folder.file)) is None


def test_the_pairs_of_a_map_are_counted_and_none_at_all_are_a_warning(folder: Folder) -> None:
    folder.write("addresses: {map: a.csv}")
    (folder.path / "a.csv").write_text("public,internal\na@example.com,x@n.example.com\n")
    assert (address_pairs(load(folder.file)), folder.check(), folder.warnings()) == (1, [], [])
    (folder.path / "a.csv").write_text("public,internal\n")
    (warning,) = folder.warnings()
    assert warning.endswith("a.csv has no pairs: only the domain rules rewrite addresses")


def test_mapped_recipients_need_a_map(folder: Folder) -> None:
    folder.write(notes=f"{FROM_NOTES}, default_route: exchange, recipients: mapped")
    assert folder.check() == ["systems[0].recipients: mapped, but there is no map: name addresses.map, or write any"]


@pytest.mark.parametrize(
    ("postmaster", "said"),
    [
        ("postmaster@n.example.com", None),
        ("postmaster@mx.example.com", "postmaster: postmaster@mx.example.com is at the gateway's own hostname"),
        ("admin@elsewhere.example", "postmaster: elsewhere.example is not a domain of any system"),
    ],
)
def test_a_postmaster_whose_mail_would_come_back_is_a_fault(folder: Folder, postmaster: str, said: str | None) -> None:
    folder.write(f"postmaster: {postmaster}")
    found = folder.check()
    assert [fault.partition(";")[0] for fault in found] == ([said] if said else [])


@pytest.mark.parametrize(
    ("notes", "key"),
    [
        ("default_route: notes", "systems[0].default_route"),
        ("default_route: nowhere", "systems[0].default_route"),
        ("networks: [10.0.0.0/8]", "systems[1].networks"),
    ],
)
def test_systems_that_contradict_each_other_are_a_fault(folder: Folder, notes: str, key: str) -> None:
    folder.write(notes=notes, exchange="networks: [10.1.0.0/16], default_route: notes")
    (fault,) = folder.check()
    assert fault.startswith(f"{key}: ")


def test_a_redis_that_is_away_is_a_fault(folder: Folder) -> None:
    folder.write(f"redis: {{url: 'unix://{folder.path}/none.sock'}}")
    (fault,) = folder.check()
    assert fault.startswith("redis.url: ")
    assert "start Redis there, or correct the address" in fault


def test_a_redis_that_is_weaker_than_declared_is_a_fault(folder: Folder, redis_client: redis.Redis) -> None:
    folder.write()
    redis_client.config_set("appendfsync", "everysec")
    (fault,) = folder.check()
    assert fault.startswith("redis.durability: ")
    assert "set appendfsync always" in fault


def test_access_to_redis_that_contradicts_itself_is_a_fault(folder: Folder) -> None:
    folder.write("redis: {url: 'redis://:a@127.0.0.1/0', password_file: b, ca: c}")
    assert [fault.partition(":")[0] for fault in folder.check() if "answer" not in fault][:2] == [
        "redis.password_file",
        "redis.ca",
    ]


def test_embedded_redis_is_for_up_only(folder: Folder) -> None:
    folder.write("redis: {url: embedded}")
    settings = load(folder.file)
    assert all_faults(settings, SERVICES) == []
    assert faults_before_up(settings, SERVICES) == []
    assert [fault.partition(":")[0] for fault in faults_before_start(settings)] == ["redis.url"]
    folder.write("redis: {url: embedded, durability: replicated}")
    assert "no replicas" in folder.check()[0]


def test_systems_of_one_name_are_one_fault(folder: Folder) -> None:
    folder.write()
    folder.file.write_text(folder.file.read_text().replace("name: exchange", "name: notes"))
    assert folder.check() == ["systems[1].name: notes is also in systems[0].name; give each system a name of its own"]


def test_a_system_without_clients_is_a_warning(folder: Folder) -> None:
    folder.write(notes="default_route: exchange")
    assert folder.warnings() == ["systems[0]: no client is recognized as notes: set networks or client_names"]


def test_what_is_ignored_is_a_warning(folder: Folder) -> None:
    folder.write()
    text = folder.file.read_text()
    folder.file.write_text(text.replace("[{host: mx2.example.com}]", "[{host: mx2.example.com, ca: ca.crt}]", 1))
    assert folder.warnings() == ["systems[0].smart_hosts[0].ca: is ignored with tls: required: set tls to verify"]


def test_one_host_with_two_limits_is_a_warning(folder: Folder) -> None:
    folder.write()
    text = folder.file.read_text()
    twice = "[{host: mx8.example.com, max_connections: 3}, {host: MX8.example.com, max_connections: 4}]"
    folder.file.write_text(text.replace("[{host: mx2.example.com}]", twice, 1))
    [warning] = folder.warnings()
    assert warning.partition(" differs from ")[::2] == (
        "systems[0].smart_hosts[1].max_connections:",
        "systems[0].smart_hosts[0], which is the same host: use the same value for both",
    )


@pytest.mark.parametrize(
    ("listen", "host"),
    [("0.0.0.0:2525", "mx.example.com"), ("127.0.0.1:2525", "localhost"), ("10.0.0.1:2525", "10.0.0.1")],
)
def test_a_smart_host_that_is_the_gateway_itself_is_a_fault(folder: Folder, listen: str, host: str) -> None:
    folder.write(f"ingress: {{listen: ['{listen}'], tls: {{certificate: tls.crt, key: tls.key}}}}")
    text = folder.file.read_text()
    folder.file.write_text(text.replace("[{host: mx2.example.com}]", f"[{{host: {host}, port: 2525}}]", 1))
    (fault,) = folder.check()
    assert fault.startswith(f"systems[0].smart_hosts[0].host: {host}:2525 is this gateway itself")


def test_a_url_beside_sentinel_is_a_fault(folder: Folder) -> None:
    sentinel = "sentinel: {service: mymaster, nodes: ['127.0.0.1:1']}"
    folder.write(f"redis: {{url: 'redis://127.0.0.1/0', {sentinel}}}")
    assert "redis: url and sentinel are both set: remove url, Sentinel knows the address" in folder.check()
    folder.write(f"redis: {{{sentinel}}}")
    (fault,) = folder.check()
    assert fault == (
        'redis.sentinel: no primary of "mymaster" is known to 127.0.0.1:1: start Sentinel there, or correct both'
    )


def test_a_wrong_password_has_its_own_remedy() -> None:
    wrong = SpoolUnavailable("Redis: invalid username-password pair or user is disabled.")
    assert redis_away(RedisSettings(), wrong).endswith(": correct user and password")
    sentinel = Sentinel(service="a", nodes=[Endpoint("127.0.0.1", 1)])
    assert redis_away(RedisSettings(sentinel=sentinel), wrong).startswith("redis.sentinel: ")


def test_ports_of_the_services_that_up_runs_are_checked(folder: Folder) -> None:
    folder.write("redis: {url: embedded}\nhttp: {listen: '127.0.0.1:2523'}")
    said = "http.listen+2 (egress): 127.0.0.1:2525 clashes with 0.0.0.0:2525 of ingress.listen: choose another port"
    assert folder.check() == [said]
    folder.write("http: {listen: '127.0.0.1:2523'}")
    assert folder.check() == []
    assert faults_before_up(load(folder.file), SERVICES) == [said]
    folder.write("redis: {url: embedded}\nhttp: {listen: '127.0.0.1:65534'}")
    assert folder.check() == ["http.listen: 127.0.0.1:65534 leaves no port for every service: choose a lower one"]


def test_a_smart_host_without_an_address_is_reported(folder: Folder) -> None:
    folder.write()
    name = "a..example.com"  # no resolver is asked for it
    folder.file.write_text(folder.file.read_text().replace("host: mx2.example.com", f"host: {name}", 1))
    said = f"systems[0].smart_hosts[0].host: {name} has no address: correct the name, or DNS"
    assert said in environment_warnings(load(folder.file), SERVICES)


def with_hosts(folder: Folder, hosts: str) -> None:
    folder.write()
    folder.file.write_text(folder.file.read_text().replace("[{host: mx2.example.com}]", f"[{hosts}]", 1))


@pytest.mark.parametrize(
    ("hosts", "said"),
    [
        ("{host: a, weight: 0}", ["0 has no effect on a host without another of its preference"]),
        ("{host: a, weight: 0}, {host: b, preference: 20}", ["0 has no effect on a host without another"]),
        ("{host: a, weight: 0}, {host: b, weight: 5}", ["0 is about one message in a thousand beside a host"]),
        ("{host: a, weight: 0}, {host: b, weight: 0}", ["0 on every host of a preference is an equal share"] * 2),
        ("{mx: example.com, weight: 0}, {host: b}", ["0 is about one message in a thousand beside a host"]),
        ("{host: a, weight: 1}", []),
    ],
)
def test_a_weight_of_zero_is_explained(folder: Folder, hosts: str, said: list[str]) -> None:
    with_hosts(folder, hosts)
    found = [warning.partition(".weight: ")[2] for warning in folder.warnings()]
    assert [text[: len(begin)] for text, begin in zip(found, said, strict=True)] == said


@pytest.mark.parametrize("key", ["host", "mx"])
@pytest.mark.parametrize("name", ["mail.example.com:25", "10.1.2.3:2525", "[2001:db8::1]:25"])
def test_a_port_inside_a_name_is_a_fault_with_its_remedy(folder: Folder, key: str, name: str) -> None:
    with_hosts(folder, f"{{{key}: '{name}'}}")
    alone, _, port = name.rpartition(":")
    with pytest.raises(ConfigurationError) as raised:
        load(folder.file)
    assert raised.value.faults == (
        f'{folder.file}: systems[0].smart_hosts[0].{key}: "{name}" has a port: '
        f"write {alone.strip('[]')}, and in a key of its own `port: {port}`",
    )


@pytest.mark.parametrize("name", ["2001:db8::25", "::1", "mail.example.com", "10.1.2.3"])
def test_the_colons_of_an_address_are_no_port(folder: Folder, name: str) -> None:
    with_hosts(folder, f"{{host: '{name}'}}")
    assert load(folder.file).systems[0].smart_hosts[0].host == name


def test_no_hostname_is_a_warning(folder: Folder) -> None:
    folder.write()
    text = folder.file.read_text().replace("hostname: mx.example.com\n", "")
    folder.file.write_text(text + "ingress: {hostname: mx.example.com, tls: {certificate: tls.crt, key: tls.key}}\n")
    folder.file.write_text(
        folder.file.read_text().replace("ingress: {tls: {certificate: tls.crt, key: tls.key}}\n", "")
    )
    (warning,) = folder.warnings()
    assert warning.startswith("hostname: localhost is what other servers see in greetings and reports")


def test_an_unknown_variable_is_a_warning_and_named_without_the_file(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.write()
    monkeypatch.setenv("CAUSEWAY_REDIS_URL", "redis://:secret@x/0")
    monkeypatch.setenv("CAUSEWAY_SERVICE_HOST", "10.0.0.1")
    assert folder.warnings() == [
        "environment: CAUSEWAY_REDIS_URL: unknown variable, which is ignored: did you mean CAUSEWAY_REDIS__URL?"
    ]


def test_a_certificate_with_a_common_name_alone_is_a_warning(folder: Folder) -> None:
    folder.write()
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mx.example.com")])
    begin = datetime.now(UTC) - timedelta(days=1)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, begin, begin + timedelta(days=365))
    pem, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    (folder.path / "tls.crt").write_bytes(builder.sign(key, hashes.SHA256()).public_bytes(pem))
    (folder.path / "tls.key").write_bytes(key.private_bytes(pem, form, serialization.NoEncryption()))
    (warning,) = folder.warnings()
    assert "has no subject alternative name, only CN=mx.example.com, which clients ignore: have it issued" in warning


def test_what_lets_everybody_in_is_a_warning(folder: Folder) -> None:
    folder.write(notes="networks: [0.0.0.0/1, 128.0.0.0/1], default_route: exchange")
    (warning,) = folder.warnings()
    assert warning.startswith("systems[0].networks: cover half of the Internet or more: anyone can send as notes: ")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("public\tinternal\na@example.com\tb@n.example.com\n", "cells are separated by tabs"),
        ("a@example.com,b@n.example.com\n", "the names of the columns are missing"),
    ],
)
def test_a_map_of_another_form_is_one_line_with_the_remedy(folder: Folder, content: str, said: str) -> None:
    (folder.path / "a.csv").write_text(content)
    folder.write("addresses: {map: a.csv}")
    (fault,) = folder.check()
    assert fault.startswith("addresses.map: ")
    assert said in fault
