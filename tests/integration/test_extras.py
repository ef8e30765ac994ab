"""An installation without the extra of a service says so at once: a real environment that lacks its libraries."""

from __future__ import annotations

import re
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NAME = re.compile(r"[A-Za-z0-9._-]+")


def requirements(name: str, extra: str = "") -> Iterator[str]:
    """Yield the distributions that one needs, itself included, as they are installed here."""
    try:
        found = distribution(name)
    except PackageNotFoundError:  # for another platform
        return
    yield name
    for requirement in found.requires or ():
        needed, _, marker = requirement.partition(";")
        match = NAME.match(needed)
        extras = re.search(r"\[(.*?)\]", needed)
        if match and ("extra ==" not in marker or (extra and extra in marker)):
            yield from requirements(match[0], extras[1] if extras else "")


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the Python of an environment that has what `pip install .` installs, and nothing of any extra."""
    folder = tmp_path_factory.mktemp("bare")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True, timeout=120)
    packages = Path(sysconfig.get_path("purelib", vars={"base": str(folder), "platbase": str(folder)}))
    for name in set(requirements("causeway")):
        for file in distribution(name).files or ():
            top = file.parts[0]
            origin = Path(str(distribution(name).locate_file(top)))
            if top not in ("..", "__pycache__") and not (packages / top).exists() and origin.exists():
                (packages / top).symlink_to(origin)
    (packages / "here.pth").write_text(f"{ROOT}\n")
    return folder / "bin" / "python"


def said_by(python: Path, tmp_path: Path, *arguments: str) -> str:
    config = tmp_path / "causeway.yaml"
    config.write_text(
        "redis: {url: embedded}\nhttp: {listen: null}\nsystems: [{name: a, kind: domino, smart_hosts: [{host: x}]}]\n"
    )
    done = subprocess.run(
        [python, *arguments, "--config", config], capture_output=True, text=True, timeout=60, check=False, cwd=tmp_path
    )
    assert done.returncode == 1, done.stderr
    (line,) = done.stderr.splitlines()
    return line


@pytest.mark.parametrize("service", ["ingress", "transform", "egress"])
@pytest.mark.parametrize("several", [(), ("--processes", "2")], ids=["alone", "several"])
def test_a_service_without_its_extra_says_so_at_once(
    bare: Path, tmp_path: Path, service: str, several: tuple[str, ...]
) -> None:
    for command in (["-m", "services.cli.main", service], ["-m", f"services.{service}"]):
        line = said_by(bare, tmp_path, *command, *several)
        assert line.startswith(f"this installation cannot run {service} (no module ")
        assert line.endswith(f": pip install 'causeway[{service}]'")


def test_up_without_an_extra_says_so_and_starts_nothing(bare: Path, tmp_path: Path) -> None:
    line = said_by(bare, tmp_path, "-m", "services.cli.main", "up")
    assert line == "this installation cannot run ingress (no module uvloop): pip install 'causeway[ingress]'"


def test_what_needs_no_extra_works_without_one(bare: Path, tmp_path: Path) -> None:
    done = subprocess.run([bare, "-m", "services.cli.main", "--version"], capture_output=True, timeout=60, check=False)
    assert done.returncode == 0
