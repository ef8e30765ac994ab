"""The Service values, and what every service does before it begins."""

from __future__ import annotations

import resource
import subprocess
import sys
from datetime import timedelta

import pytest

from services.all_services import SERVICES
from shared.configuration.endpoint import Endpoint
from shared.configuration.settings import Settings
from shared.configuration.transform import TransformSettings
from shared.diagnosis.ports import http_endpoints
from shared.runtime.service import Service
from shared.runtime.start import allow_many_files

LIBRARIES = ("aiosmtpd", "aiosmtplib", "icalendar", "dns", "rq", "uvloop")


def test_the_list_of_services_loads_no_library_of_a_service() -> None:
    program = f"import sys, services.all_services; print([name for name in {LIBRARIES} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.name)
def test_a_service_loads_what_runs_it(service: Service) -> None:
    assert service.load().__module__ == f"services.{service.name}.app"


def test_transform_may_be_silent_and_drain_for_as_long_as_one_message_takes() -> None:
    settings = Settings(transform=TransformSettings(message_timeout=timedelta(seconds=300)))
    by_name = {service.name: service for service in SERVICES}
    assert {name: service.live_seconds(settings) for name, service in by_name.items()} == {
        "ingress": 60,
        "transform": 360,
        "egress": 60,
    }
    assert {name: service.drain_seconds(settings) for name, service in by_name.items()} == {
        "ingress": 70,
        "transform": 310,
        "egress": 70,
    }


def test_each_service_of_a_list_has_the_port_after_the_one_before_it() -> None:
    settings = Settings.model_validate({"http": {"listen": "127.0.0.1:9100"}})
    names = [service.name for service in SERVICES]
    assert http_endpoints(settings, [*names, "console"]) == {
        name: Endpoint("127.0.0.1", 9100 + offset) for offset, name in enumerate([*names, "console"])
    }
    assert http_endpoints(Settings.model_validate({"http": {"listen": None}}), names) == {}


def test_a_service_may_open_as_many_files_as_the_system_lets_it() -> None:
    """Idle sessions must not take the last descriptor from the connections to Redis."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(256, hard), hard))
    try:
        allow_many_files()
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == hard
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
