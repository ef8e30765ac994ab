"""The import rules of ARCHITECTURE.md: rooms do not know each other, and a floor imports only floors below it."""

from __future__ import annotations

import ast
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FLOORS = (
    ("shared.errors",),
    ("shared.mail", "shared.configuration"),
    ("shared.history",),
    ("shared.operations",),
    ("shared.spool", "shared.contents"),
    ("shared.routing", "shared.calendar"),
    ("shared.diagnosis",),
    ("shared.runtime",),
    ("shared.administration",),
    ("services",),
)
"""From the ground up. Rooms of one floor do not import each other."""

PATHS = sorted(path for room in ("services", "shared") for path in (ROOT / room).rglob("*.py"))


def name_of(path: Path) -> str:
    """Return the dotted name of a module; a package is called by its own name."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


MODULES = {name_of(path): path for path in PATHS}
SERVICES = sorted({name.split(".")[1] for name in MODULES if name.startswith("services.")} - {"all_services"})


@cache
def imports(name: str) -> frozenset[str]:
    """Return the full dotted names that a module imports, anywhere in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(MODULES[name].read_text())):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name}: imports are absolute"
            found.add(node.module or "")
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return frozenset(found)


def modules_imported(name: str) -> set[str]:
    """Return the project's modules that a module imports; not its own package, which Python loads first anyway."""
    return {found for found in imports(name) if found in MODULES and not is_within(name, found)}


def is_within(name: str, package: str) -> bool:
    return name == package or name.startswith(package + ".")


def floor_of(name: str) -> int | None:
    """Return the number of a module's floor, the ground is 0; None for the two outermost packages."""
    found = (number for number, rooms in enumerate(FLOORS) for room in rooms if is_within(name, room))
    return next(found, None)


def test_every_module_has_a_floor() -> None:
    assert [name for name in MODULES if floor_of(name) is None] == ["shared"]


@pytest.mark.parametrize("name", MODULES)
def test_no_module_imports_a_higher_floor_or_another_room_of_its_own(name: str) -> None:
    floor = floor_of(name)
    if floor is None or is_within(name, "services"):
        return
    own = next(room for room in FLOORS[floor] if is_within(name, room))
    others = [found for found in modules_imported(name) if not is_within(found, own)]
    assert not [found for found in others if (floor_of(found) or 0) >= floor], f"{name} is on floor {floor}"


def test_no_modules_import_each_other_in_a_circle() -> None:
    try:
        TopologicalSorter({name: modules_imported(name) for name in MODULES}).prepare()
    except CycleError as error:
        pytest.fail(" → ".join(error.args[1]))


@pytest.mark.parametrize("name", MODULES)
def test_a_service_imports_no_other_service(name: str) -> None:
    """The command line alone may import a service, and only its `app`; `all_services` knows the value of each."""
    if name.count(".") == 0 or not is_within(name, "services"):
        return
    if name == "services.all_services":
        values = {f"services.{service}.service" for service in SERVICES} & MODULES.keys()
        assert modules_imported(name) == values, "every service is in the list"
        return
    own = name.split(".")[1]
    for other in SERVICES:
        if other == own:
            continue
        used = [found for found in modules_imported(name) if is_within(found, f"services.{other}")]
        if own == "cli":
            used = [found for found in used if found not in (f"services.{other}", f"services.{other}.app")]
            used = [found for found in used if other != "demo" or found != "services.demo.demonstration"]
        assert not used, f"{name} imports {used}"


@pytest.mark.parametrize(
    ("library", "rooms"),
    [
        ("aiosmtplib", {"services.egress.protocol"}),
        ("aiosmtpd", {"services.ingress", "services.demo.catcher"}),
        ("dns", {"services.egress.dns_client", "services.egress.mx", "services.egress.tlsa"}),
        ("icalendar", {"shared.calendar", "services.transform"}),
        ("rq", {"services.transform.job", "services.egress.job", "shared.spool.stock_worker"}),
        ("redis", {"shared.spool"}),
    ],
)
def test_a_library_is_known_in_few_places(library: str, rooms: set[str]) -> None:
    users = {name for name in MODULES if any(is_within(found, library) for found in imports(name))}
    assert not {user for user in users if not any(is_within(user, room) for room in rooms)}


@pytest.mark.parametrize("name", MODULES)
def test_only_an_app_builds_connections_to_the_spool(name: str) -> None:
    """`open_spool` and its like are called by the apps, the stock-worker jobs, and what an administrator runs."""
    if name.endswith((".app", ".job")):
        return
    may = ("services.cli", "shared.spool", "shared.diagnosis", "shared.runtime", "shared.administration")
    if any(is_within(name, room) for room in may):
        return
    assert not [found for found in imports(name) if is_within(found, "shared.spool.connect")]
