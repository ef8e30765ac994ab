"""The images as `make images` makes them: what they say of themselves, what is in them, what is known against them.

Run by `make test-compose`, which says what it needs.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from services.all_services import SERVICES as ALL_SERVICES
from services.demo.ports import free_ports
from tests.support.advisories import Advisories
from tests.support.compose import ROOT, docker

SERVICES = tuple(service.name for service in ALL_SERVICES)
REGISTRY = "causeway-test"
BILLS = ROOT / "build" / "images"
INSTALLED = """
import importlib.metadata as metadata, json
print(json.dumps({one.name: one.version for one in metadata.distributions()}))
"""
TOOLS = "import importlib.util, shutil; print(importlib.util.find_spec('pip'), shutil.which('gcc'), shutil.which('cc'))"


def run(*command: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"NO_PROXY": "127.0.0.1"}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def examine(image: str, audit: str, out: Path) -> subprocess.CompletedProcess[str]:
    """Examine an image as `make images` does."""
    return run("build/tools/bin/python", "deploy/images/examine.py", f"--out={out}", f"--audit={audit}", image)


def asking(url: str) -> str:
    return f"--vulnerability-service osv --osv-url {url}"


@pytest.fixture
def advisories() -> Iterator[Advisories]:
    with Advisories() as service:
        yield service


@pytest.fixture(scope="module", autouse=True)
def images() -> Iterator[None]:
    with Advisories() as service:
        done = run("make", "--no-print-directory", "images", f"REGISTRY={REGISTRY}", f"AUDIT={asking(service.url)}")
    assert {"aiosmtpd", "aiosmtplib", "icalendar", "redis"} <= service.asked
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("no known vulnerability\n")
    yield
    for tags in {docker("images", "--quiet", f"{REGISTRY}/{service}") for service in SERVICES}:
        docker("rmi", "--force", *set(tags.split()))


def run_python(service: str, script: str) -> str:
    return docker(
        "run", "--rm", "--network=none", "--read-only", "--entrypoint=python", f"{REGISTRY}/{service}", "-c", script
    )


def canonical(packages: dict[str, str]) -> dict[str, str]:
    return {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in packages.items()}


@pytest.fixture(params=SERVICES)
def service(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def installed(service: str) -> dict[str, str]:
    """Return what is installed in a service's image, beside Causeway: names and versions."""
    found = canonical(json.loads(run_python(service, INSTALLED)))
    assert found.pop("causeway")
    return found


def test_an_image_says_what_it_is_and_how_it_runs(service: str) -> None:
    config: dict[str, Any] = json.loads(docker("inspect", f"{REGISTRY}/{service}"))[0]["Config"]
    labels = {key.removeprefix("org.opencontainers.image."): value for key, value in config["Labels"].items()}
    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True)
    version = re.findall(r'^version = "(.+)"$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert labels["title"] == f"Causeway {service}"
    assert [labels["version"]] == version
    assert labels["revision"].removesuffix("-modified") == commit.stdout.strip()
    assert {"description", "licenses", "source"} <= labels.keys()
    assert config["User"] == "10001:10001"
    assert config["StopSignal"] == "SIGTERM"
    assert config["Entrypoint"] == ["python", "-m", f"services.{service}"]
    assert config["Healthcheck"]["Test"][0] == "CMD"  # no shell


def test_an_image_holds_nothing_to_install_or_build_with(service: str) -> None:
    assert run_python(service, TOOLS) == "None None None"


def test_what_is_installed_is_what_is_locked(service: str, installed: dict[str, str]) -> None:
    lock = (ROOT / "requirements" / f"{service}.txt").read_text()
    assert installed.items() <= canonical(dict(re.findall(r"^([\w.-]+)==(\S+)", lock, re.MULTILINE))).items()


def test_the_bill_of_materials_names_what_is_installed(service: str, installed: dict[str, str]) -> None:
    bill = json.loads((BILLS / f"{service}.cdx.json").read_text())
    assert bill["bomFormat"] == "CycloneDX"
    assert bill["metadata"]["component"]["name"] == "causeway"
    assert canonical({one["name"]: one["version"] for one in bill["components"]}) == installed


def locked(package: str) -> str:
    lock = (ROOT / "requirements" / "development.txt").read_text()
    [version] = re.findall(rf"^{package}==(\S+)", lock, re.MULTILINE)
    return str(version)


def test_a_known_vulnerability_fails_with_what_to_do(advisories: Advisories, tmp_path: Path) -> None:
    advisories.fixed_in["dnspython"] = "99.1"
    done = examine(f"{REGISTRY}/egress", asking(advisories.url), tmp_path)
    assert done.returncode == 1
    assert done.stderr == (
        f"causeway-test/egress: dnspython {locked('dnspython')} has CVE-2026-1, OSV-2026-1, "
        "fixed in 99.1: `make lock`, `make test`, and again\n"
    )


def test_an_unreachable_advisory_service_is_reported(tmp_path: Path) -> None:
    [port] = free_ports(1)
    done = examine(f"{REGISTRY}/ingress", asking(f"http://127.0.0.1:{port}/v1/query"), tmp_path)
    assert done.returncode == 1
    start = "causeway-test/ingress: not checked for vulnerabilities, the advisory service cannot be reached ("
    assert done.stderr.startswith(start)
    assert (tmp_path / "ingress.cdx.json").exists()
