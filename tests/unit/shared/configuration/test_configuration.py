"""The configuration file and the environment: what wins, what paths mean, what is said of mistakes."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Any, get_args, get_origin

import pytest
import yaml
from pydantic import BaseModel

from shared.configuration.endpoint import Endpoint
from shared.configuration.file import load
from shared.configuration.settings import Settings
from shared.errors import ConfigurationError

SYSTEMS = "systems: [{name: notes, kind: domino, smart_hosts: [{host: a.example.com, tls: verify, ca: ca.crt}]}]\n"


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CAUSEWAY_CONFIG", raising=False)


def write(folder: Path, text: str, name: str = "causeway.yaml") -> Path:
    file = folder / name
    file.parent.mkdir(exist_ok=True)
    file.write_text(text)
    return file


def faults(file: Path | None) -> tuple[str, ...]:
    with pytest.raises(ConfigurationError) as caught:
        load(file)
    assert all("\n" not in fault for fault in caught.value.faults)
    return caught.value.faults


def test_without_a_file_the_defaults_hold() -> None:
    assert load().ingress.listen == [Endpoint("0.0.0.0", 2525)]


def test_the_argument_comes_before_the_variable_and_the_variable_before_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, "hostname: folder.example.com")
    assert load().hostname == "folder.example.com"
    monkeypatch.setenv("CAUSEWAY_CONFIG", str(write(tmp_path, "hostname: variable.example.com", "v.yaml")))
    assert load().hostname == "variable.example.com"
    assert load(write(tmp_path, "hostname: argument.example.com", "a.yaml")).hostname == "argument.example.com"


def test_the_environment_wins_key_by_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write(
        tmp_path,
        "hostname: a.example.com\nredis: {url: 'redis://a/0', durability: everysec}\negress: {retry: {first: 1m}}",
    )
    monkeypatch.setenv("CAUSEWAY_REDIS__URL", "redis://b/0")
    monkeypatch.setenv("CAUSEWAY_EGRESS__RETRY__LONGEST", "2h")
    monkeypatch.setenv("CAUSEWAY_HTTP__LISTEN", "null")
    settings = load(file)
    assert (settings.redis.url, settings.redis.durability) == ("redis://b/0", "everysec")
    assert (settings.egress.retry.first, settings.egress.retry.longest) == (timedelta(minutes=1), timedelta(hours=2))
    assert settings.hostname == "a.example.com"
    assert settings.http.listen is None


def test_paths_of_the_file_are_relative_to_the_file(tmp_path: Path) -> None:
    text = "ingress: {tls: {certificate: tls.crt, key: /etc/tls.key}}\naddresses: {map: maps/a.csv}\n" + SYSTEMS
    settings = load(write(tmp_path / "etc", text))
    assert settings.ingress.tls.certificate == tmp_path / "etc" / "tls.crt"
    assert settings.ingress.tls.key == Path("/etc/tls.key")
    assert settings.addresses.map == tmp_path / "etc" / "maps" / "a.csv"
    assert settings.systems[0].smart_hosts[0].ca == tmp_path / "etc" / "ca.crt"


def test_paths_of_the_environment_are_relative_to_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CAUSEWAY_ADDRESSES__MAP", "a.csv")
    assert load(write(tmp_path / "etc", "addresses: {map: b.csv}")).addresses.map == tmp_path / "a.csv"


def test_a_section_whose_keys_are_all_comments_has_its_defaults(tmp_path: Path) -> None:
    assert load(write(tmp_path, "ingress:\n  # listen: []\negress:\n")).ingress.max_recipients == 1000


@pytest.mark.parametrize(
    ("text", "key", "said"),
    [
        ("ingres: {}", "ingres", 'unknown key: did you mean "ingress"?'),
        ("redis: {uri: x}", "redis.uri", 'unknown key: did you mean "url"?'),
        ("http: {zzz: 1}", "http.zzz", "unknown key: write one of listen"),
        (SYSTEMS.replace("verify", "verfy"), "systems[0].smart_hosts[0].tls", 'did you mean "verify"?'),
        (SYSTEMS.replace("host:", "hots:"), "systems[0].smart_hosts[0].hots", 'did you mean "host"?'),
        (SYSTEMS.replace("kind: domino, ", ""), "systems[0].kind", "is required: add it"),
        (
            "systems: [{name: a, kind: domino, networks: [10.0.0.1/8]}]",
            "systems[0].networks[0]",
            "has host bits set: write 10.0.0.0/8",
        ),
        ("ingress: {max_recipients: none}", "ingress.max_recipients", "must be a whole number"),
        ("ingress: {listen: '0.0.0.0'}", "ingress.listen", "must be a list"),
        ("ingress: {listen: ['2525']}", "ingress.listen[0]", "write host:port"),
        ("egress: {retry: {first: 5 weeks}}", "egress.retry.first", "for example 5m"),
        ("redis: []", "redis", "must be a section"),
    ],
)
def test_a_fault_names_file_key_and_remedy(tmp_path: Path, text: str, key: str, said: str) -> None:
    file = write(tmp_path, text)
    reported = [fault for fault in faults(file) if fault.startswith(f"{file}: {key}: ")]
    assert len(reported) == 1
    assert said in reported[0]


def test_a_fault_of_the_environment_names_the_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAUSEWAY_REDIS__DURABILITY", "always")
    (fault,) = faults(write(tmp_path, ""))
    assert fault.startswith("environment: CAUSEWAY_REDIS__DURABILITY: ")


@pytest.mark.parametrize("name", ["CAUSEWAY_SYSTEMS", "CAUSEWAY_INGRESS__LISTEN", "CAUSEWAY_INGRESS"])
def test_a_list_or_section_in_the_environment_must_be_json(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "0.0.0.0:25")
    monkeypatch.setenv("CAUSEWAY_HOSTNAME", "mx.example.com")
    (fault,) = faults(None)
    assert fault.startswith(f"environment: {name}: ")
    assert "JSON" in fault


def test_what_kubernetes_says_of_a_service_of_our_name_is_no_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAUSEWAY_INGRESS_PORT", "tcp://10.0.0.1:25")
    monkeypatch.setenv("CAUSEWAY_SERVICE_HOST", "10.0.0.1")
    assert load().ingress.listen == [Endpoint("0.0.0.0", 2525)]


def test_all_faults_are_reported_at_once(tmp_path: Path) -> None:
    assert len(faults(write(tmp_path, "hostnam: x\nredis: {durability: no}\negress: {refused: x}"))) == 3


def test_no_fault_shows_a_url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (fault,) = faults(write(tmp_path, "redis: {url: [redis://user:secret@host/0]}"))
    assert "secret" not in fault


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [1\nb: 2\n", "line 2, column 2"),
        ("hostname: a\nhostname: b\n", 'line 2, column 1: duplicate key "hostname"'),
        ("- a\n", "must be a mapping"),
        ("1: a\n", "must be a mapping"),
        ("a: !!python/object:os.system x\n", "line 1"),
        ("? [a]\n: b\n", "line 1"),
        ("a: *b\n", "line 1"),
    ],
)
def test_an_invalid_configuration_file_is_reported_in_one_line(tmp_path: Path, text: str, said: str) -> None:
    file = write(tmp_path, text)
    (fault,) = faults(file)
    assert fault.startswith(f"{file}: ")
    assert said in fault


def test_a_file_that_is_not_utf8_is_reported(tmp_path: Path) -> None:
    file = tmp_path / "causeway.yaml"
    file.write_bytes(b"hostname: \xff\n")
    assert faults(file) == (f"{file}: is not UTF-8 text: save it as UTF-8",)


def test_a_file_that_is_named_must_exist(tmp_path: Path) -> None:
    (fault,) = faults(tmp_path / "none.yaml")
    assert "No such file" in fault


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "systems: [{name: a b, kind: domino}]",
            'systems[0].name: not a valid system name: "a b": use 1 to 40 letters',
        ),
        (
            "systems: [{name: a, kind: domino, networks: [127.0.2.0/33]}]",
            'not a valid network: "127.0.2.0/33": write for',
        ),
        (
            "systems: [{name: a, kind: domino, networks: [127.0.2.5/24]}]",
            "has host bits set: write 127.0.2.0/24, or the address",
        ),
        ("systems: [{name: a, kind: domino, public_domain: exa mple}]", 'not a valid domain: "exa mple": write only'),
        (
            "systems: [{name: a, kind: domino, domains: ['@exchange.example.com']}]",
            'not a valid domain: "@exchange.example.com": write only the part',
        ),
        ("systems: [{name: a, kind: domino, smart_hosts: [{host: a, mx: b}]}]", "remove one of them"),
        ("systems: [{name: a, kind: domino, smart_hosts: [{port: 25}]}]", "neither `host` nor `mx`: add one"),
        ("ingress: {tls: {mode: on}}", "ingress.tls.mode: is true to YAML, as on, off, yes and no are unless quoted"),
        ("egress: {retry: {first: 5h, longest: 1m}}", "egress.retry: `first` is longer than `longest`"),
        ("egress: {retry: {give_up: 0s}}", "egress.retry: `give_up` must be greater than zero"),
        ("egress: {retry: {first: 0s}}", "egress.retry: `first` must be greater than zero"),
        ("egress: {lease: 0s}", "egress.lease: must be greater than zero: write for example 30s"),
        ("ingress: {data_timeout: 0}", "ingress.data_timeout: must be greater than zero"),
        (
            "transform: {endless_series: 99999d}",
            "transform.endless_series: must be at most ten years: write 3660d or less",
        ),
        ("egress: {max_in_flight: yes}", "egress.max_in_flight: is true to YAML"),
        ("egress: {lease: no}", "egress.lease: is false to YAML"),
        (
            "systems: [{name: a, kind: domino, smart_hosts: [{host: a, messages_per_minute: on}]}]",
            "systems[0].smart_hosts[0].messages_per_minute: is true to YAML",
        ),
    ],
)
def test_what_no_gateway_can_mean_is_a_fault_with_its_remedy(tmp_path: Path, text: str, said: str) -> None:
    (fault,) = faults(write(tmp_path, text))
    assert said in fault


def test_international_domains_are_domains(tmp_path: Path) -> None:
    file = write(tmp_path, "systems: [{name: a, kind: domino, domains: [Bücher.example., xn--bcher-kva.example]}]")
    assert load(file).systems[0].domains == ["bücher.example", "xn--bcher-kva.example"]


def test_a_variable_of_an_unknown_section_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAUSEWAY_INGRES__HOSTNAME", "x")
    monkeypatch.setenv("CAUSEWAY_INGRESS_PORT", "tcp://10.0.0.1:2525")  # as Kubernetes sets them for a service
    assert faults(None) == ('environment: CAUSEWAY_INGRES__HOSTNAME: unknown section: did you mean "ingress"?',)


EXAMPLE = Path(__file__).parents[4] / "causeway.example.yaml"
COMMENTED = re.compile(r'^( *)# ( *)(?=(?:- \{|"?[\w*]+"?:))', re.MULTILINE)


def missing(given: Any, kind: Any, where: str = "") -> set[str]:
    """Return the keys of sections that what is given does not have; of several sections, what none of them has."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        absent = {f"{where}{name}" for name in kind.model_fields.keys() - given.keys()}
        fields = ((name, field) for name, field in kind.model_fields.items() if name in given)
        return absent.union(*(missing(given[name], field.annotation, f"{where}{name}.") for name, field in fields))
    if get_origin(kind) in (list, dict):
        parts = given if isinstance(given, list) else given.values()
        return set.intersection(*(missing(part, get_args(kind)[-1], where) for part in parts))
    return set().union(*(missing(given, argument, where) for argument in get_args(kind) if isinstance(given, dict)))


def test_the_example_names_every_key_and_is_valid_with_all_of_them(tmp_path: Path) -> None:
    everything = write(tmp_path, COMMENTED.sub(r"\1\2", EXAMPLE.read_text()))
    assert missing(yaml.safe_load(everything.read_text()), Settings) == set()
    load(everything)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://:secret@127.0.0.1/", "not a Redis URL: write redis://host:port/0"),
        ("secret", "not a Redis URL: write redis://host:port/0"),
        ("redis://:sec/ret@127.0.0.1:6379/0", "percent-encode"),
        ("redis://:sec#ret@127.0.0.1:6379/0", "percent-encode"),
        ("redis://:sec?ret@127.0.0.1:6379/0", "percent-encode"),
        ("redis://:secret@127.0.0.1:99999/0", "percent-encode"),
        ("redis://127.0.0.1:6379/secret", "the database in the URL must be a number"),
        ("redis://127.0.0.1:6379/0?db=secret", "the database in the URL must be a number"),
        ("redis://127.0.0.1/0?ssl_cert_reqs=none", 'unknown option "ssl_cert_reqs" in the URL'),
        ("redis:///0", "the URL has no host"),
    ],
)
def test_a_wrong_redis_url_is_one_line_that_shows_no_password(tmp_path: Path, url: str, said: str) -> None:
    (fault,) = faults(write(tmp_path, f"redis: {{url: '{url}'}}"))
    assert said in fault
    assert "redis.url: " in fault
    assert not re.search(r"sec|ret@|99999", fault)


@pytest.mark.parametrize(
    "url",
    [
        "rediss://user:p%2Fw@h:6380/3",
        "unix:///run/redis.sock?db=2",
        "redis://[::1]:6379",
        "embedded",
        "redis://h/?db=1",
    ],
)
def test_every_form_of_redis_url_is_taken(tmp_path: Path, url: str) -> None:
    assert load(write(tmp_path, f"redis: {{url: '{url}'}}")).redis.url == url
