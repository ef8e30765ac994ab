"""The compose stack without an engine: contained, of one piece, and configured so that it would start."""

from __future__ import annotations

import re
import subprocess
import sys
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.compose import send
from services.all_services import SERVICES as ALL_SERVICES
from shared import configuration
from shared.configuration.redis import RedisSettings
from shared.configuration.settings import Settings
from shared.diagnosis import check
from shared.errors import SpoolUnavailable
from shared.operations.certificates import self_signed
from shared.operations.embedded_redis import find_redis_server
from shared.runtime.service import Service
from shared.spool.connect import open_spool
from shared.spool.operation import Command, Operation
from tests.support.processes import eventually

ROOT = Path(__file__).parents[3]
COMPOSE = ROOT / "deploy" / "compose"
MONITORING = ROOT / "deploy" / "monitoring"
STACK: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, Any] = STACK["services"]
DNS = (COMPOSE / "dnsmasq.conf").read_text()
ADDRESSES = dict(re.findall(r"^host-record=(.+),(.+)$", DNS, re.MULTILINE))
STANDS_FOR = {"notes": ["domino", "domino-sends"], "exchange": ["exchange", "exchange-sends"]}


def exchanges(name: str) -> list[str]:
    """Return the hosts of a name's MX records, the preferred first."""
    found = re.findall(rf"^mx-host={re.escape(name)},(.+),(\d+)$", DNS, re.MULTILINE)
    return [host for host, _ in sorted(found, key=lambda pair: int(pair[1]))]


def runs(name: str) -> str | None:
    """Return which of our services runs there, None where an image runs something else or is not one of them."""
    image, _, service = SERVICES[name]["image"].partition("/")
    names = {each.name for each in ALL_SERVICES}
    is_ours = image == "causeway" and service in names and "entrypoint" not in SERVICES[name]
    return service if is_ours else None


def address(service: str) -> str:
    found: str = SERVICES[service]["networks"]["mail"]["ipv4_address"]
    return found


def names_in_certificate() -> list[str]:
    [script] = SERVICES["certificates"]["command"]
    [listed] = re.findall(r"names = \[(.*)\]", script)
    return [f"{name}.example.com" for name in re.findall(r'"(.+?)"', listed)]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Return the stack's configuration as the containers see it, with certificates of its own."""
    self_signed(tmp_path / "tls", names_in_certificate())
    (tmp_path / "addresses.csv").write_text((COMPOSE / "addresses.csv").read_text())
    file = tmp_path / "causeway.yaml"
    file.write_text((COMPOSE / "causeway.yaml").read_text().replace("/tls/", f"{tmp_path}/tls/"))
    return file


@pytest.fixture
def settings(config: Path) -> Settings:
    return configuration.load(config)


@pytest.mark.parametrize("name", SERVICES)
def test_a_causeway_image_is_built_for_each_service_that_runs_it(name: str) -> None:
    """Compose would try to pull it for a service without `build`, whatever other services build."""
    image = SERVICES[name]["image"]
    built = {"context": ".", "target": image.removeprefix("causeway/")}
    if image == "causeway/dns":
        assert SERVICES[name]["build"] == "deploy/compose/dns"
    else:
        assert SERVICES[name].get("build") == (built if image.startswith("causeway/") else None)


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_is_contained(service: str) -> None:
    one = SERVICES[service]
    assert one["read_only"] is True
    assert one["cap_drop"] == ["ALL"]
    assert one["security_opt"] == ["no-new-privileges:true"]
    assert not {"privileged", "pid", "ipc", "devices"} & one.keys()
    assert one.get("network_mode") in (None, "none")
    assert not any("docker.sock" in volume for volume in one["volumes"])


@pytest.mark.parametrize("service", SERVICES)
def test_a_port_is_published_on_this_machine_only(service: str) -> None:
    assert all(port.startswith("127.0.0.1:") for port in SERVICES[service].get("ports", []))


@pytest.mark.parametrize("service", [service.name for service in ALL_SERVICES])
def test_each_service_is_built_from_its_target(service: str) -> None:
    assert {"context": ".", "target": service} in [definition.get("build") for definition in SERVICES.values()]
    assert f" AS {service}\n" in (ROOT / "Dockerfile").read_text()


@pytest.mark.parametrize("service", ALL_SERVICES, ids=lambda service: service.name)
def test_a_service_has_the_time_it_takes_to_end(service: Service, settings: Settings) -> None:
    for name, definition in SERVICES.items():
        if runs(name) == service.name:
            assert int(definition["stop_grace_period"].removesuffix("s")) >= service.drain_seconds(settings)


def test_nothing_keeps_the_configuration_from_starting(settings: Settings, config: Path) -> None:
    assert check.faults_before_start(settings, config) == []
    assert check.warnings(settings, config) == []


@pytest.fixture
def access(tmp_path: Path) -> Path:
    """Return the folder that the one-shot service makes for Redis and the services; its other folder has been made."""
    folder = tmp_path / "access"
    folder.mkdir()
    [script] = SERVICES["certificates"]["command"]
    (tmp_path / "tls").mkdir()
    (tmp_path / "tls" / "tls.crt").touch()
    moved = script.replace('"/access"', repr(str(folder))).replace('"/tls"', repr(str(tmp_path / "tls")))
    for _ in range(2):  # it runs at each `up`, and changes nothing then
        before = {file: file.read_text() for file in folder.iterdir()}
        subprocess.run([sys.executable, "-c", moved], check=True, timeout=60)
        assert all(file.read_text() == text for file, text in before.items())
    return folder


def test_redis_takes_nobody_without_the_password_that_the_services_have(access: Path, tmp_path: Path) -> None:
    socket = tmp_path / "redis.sock"
    server, config, *_ = SERVICES["redis"]["command"]
    assert (server, config) == ("redis-server", "/access/redis.conf")
    command: list[str | Path] = [
        find_redis_server(),
        access / "redis.conf",
        "--port",
        "0",
        "--unixsocket",
        socket,
        "--save",
        "",
    ]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL)
    try:
        eventually(socket.exists)
        with pytest.raises(SpoolUnavailable, match="Authentication required"):
            pinged(RedisSettings(url=f"unix://{socket}"))
        assert pinged(RedisSettings(url=f"unix://{socket}", password_file=access / "password")) is True
    finally:
        process.terminate()
        process.wait(10)


def test_only_redis_and_the_services_have_the_password() -> None:
    mounting = {name for name, one in SERVICES.items() if any("access:" in volume for volume in one["volumes"])}
    stages = {name for name in SERVICES if runs(name)}
    assert mounting == {"redis", "certificates", *stages}
    assert "access" in STACK["volumes"]
    for name in stages:
        assert SERVICES[name]["environment"]["CAUSEWAY_REDIS__PASSWORD_FILE"] == "/access/password"
        assert SERVICES[name]["depends_on"]["redis"] == {"condition": "service_healthy"}
    assert SERVICES["redis"]["depends_on"] == {"certificates": {"condition": "service_completed_successfully"}}


def pinged(settings: RedisSettings) -> bool:
    spool = open_spool(settings)
    try:
        answer: bool = spool.run(ping())
        return answer
    finally:
        spool.close()


def ping() -> Operation[bool]:
    answer: bool = yield Command("PING", ())
    return answer


def test_the_gateway_is_mx_10_and_mx_20(settings: Settings) -> None:
    hosts = exchanges(settings.hostname)
    assert [ADDRESSES[host] for host in hosts] == [address("ingress-1"), address("ingress-2")]
    assert [SERVICES[name]["environment"]["CAUSEWAY_INGRESS__HOSTNAME"] for name in ("ingress-1", "ingress-2")] == hosts
    assert set(hosts) <= set(names_in_certificate())


def test_every_smart_host_is_an_mx_name_that_leads_to_a_catcher(settings: Settings) -> None:
    for system in settings.systems:
        [smart_host] = system.smart_hosts
        [host] = exchanges(smart_host.mx or "")
        assert ADDRESSES[host] == address(STANDS_FOR[system.name][0])
        assert smart_host.tls == "verify"
        assert host in names_in_certificate()


def test_an_address_identifies_the_system(settings: Settings) -> None:
    [pool] = STACK["networks"]["mail"]["ipam"]["config"]
    others = {name for name, service in SERVICES.items() if isinstance(service.get("networks"), dict)}
    for system in settings.systems:
        [network] = [IPv4Network(subnet) for subnet in system.networks]
        own = STANDS_FOR[system.name]
        assert all(IPv4Address(address(name)) in network for name in own)
        assert not any(IPv4Address(address(name)) in network for name in others - set(own))
        assert not network.overlaps(IPv4Network(pool["ip_range"]))
        assert network.subnet_of(IPv4Network(pool["subnet"]))


def test_who_looks_up_mx_records_asks_our_dns() -> None:
    assert {name for name, service in SERVICES.items() if service.get("dns") == address("dns")} == {
        "dns",
        "egress",
        "domino-sends",
        "exchange-sends",
    }


def test_the_sender_sends_to_the_gateway(settings: Settings) -> None:
    assert settings.hostname == send.GATEWAY
    assert send.PORT in [endpoint.port for endpoint in settings.ingress.listen]


def test_prometheus_scrapes_every_service_under_the_names_that_the_rules_know() -> None:
    ours = yaml.safe_load((COMPOSE / "prometheus.yaml").read_text())
    theirs = yaml.safe_load((MONITORING / "prometheus.yaml").read_text())
    jobs = {job["job_name"]: str(job) for job in ours["scrape_configs"]}
    assert jobs.keys() == {job["job_name"] for job in theirs["scrape_configs"]}
    for service, definition in SERVICES.items():
        if runs(service):
            assert service in jobs[f"causeway-{runs(service)}"]
            assert "watch" in definition["networks"]


def test_prometheus_has_the_projects_own_rules() -> None:
    rules = [volume for volume in SERVICES["prometheus"]["volumes"] if "rules" in volume]
    assert rules == ["./deploy/monitoring/rules.yaml:/etc/causeway/rules.yaml:ro"]
