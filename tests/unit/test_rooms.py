"""The import rules of ARCHITECTURE.md: rooms do not know each other."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MODULES = sorted(path for room in ("services", "shared") for path in (ROOT / room).rglob("*.py"))
SERVICES = ("ingress", "transform", "egress", "console")


def imports(path: Path) -> set[str]:
    """Return the full dotted names that a module imports, anywhere in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            found.add(node.module or "")
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return found


def room(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


def is_within(name: str, package: str) -> bool:
    return name == package or name.startswith(package + ".")


@pytest.mark.parametrize("path", MODULES, ids=room)
def test_shared_code_knows_no_service(path: Path) -> None:
    if is_within(room(path), "shared"):
        assert not [name for name in imports(path) if is_within(name, "services")]


@pytest.mark.parametrize("path", MODULES, ids=room)
def test_a_service_imports_no_other_service(path: Path) -> None:
    """The console alone may import a service, and only what its `app` offers."""
    name = room(path)
    if not is_within(name, "services") or name == "services.__init__":
        return
    own = name.split(".")[1]
    for other in SERVICES:
        if other == own:
            continue
        used = [found for found in imports(path) if is_within(found, f"services.{other}")]
        if own == "console":
            used = [
                found
                for found in used
                if not is_within(found, f"services.{other}.app") and found != f"services.{other}"
            ]
        assert not used, f"{name} imports {used}"


@pytest.mark.parametrize(
    ("library", "rooms"),
    [
        ("aiosmtplib", {"services.egress.session"}),
        ("aiosmtpd", {"services.ingress", "services.console.catcher"}),
        ("dns", {"services.egress.mx"}),
        ("rq", {"services.transform.job", "services.egress.job", "shared.spool.stock_worker"}),
        ("redis", {"shared.spool"}),
    ],
)
def test_a_library_is_known_in_few_places(library: str, rooms: set[str]) -> None:
    users = {room(path) for path in MODULES if any(is_within(name, library) for name in imports(path))}
    assert not {user for user in users if not any(is_within(user, place) for place in rooms)}


@pytest.mark.parametrize("path", MODULES, ids=room)
def test_only_an_app_builds_connections_to_the_spool(path: Path) -> None:
    """`open_spool` and its like are called by the apps, the stock-worker jobs, and what an administrator runs."""
    builders = {"shared.spool.connect"}
    may = ("services.console", "shared.operations", "shared.spool")
    name = room(path)
    if name.endswith((".app", ".job")) or any(is_within(name, place) for place in may):
        return
    assert not [found for found in imports(path) if any(is_within(found, builder) for builder in builders)]
