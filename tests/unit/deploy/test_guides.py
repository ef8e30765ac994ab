"""The guides say nothing that is not so: links lead somewhere, configurations are valid, commands exist."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from services.cli.main import _parser
from shared.configuration.settings import Settings
from shared.routing.topology_faults import faults

ROOT = Path(__file__).parents[3]
PAGES = sorted((ROOT / "docs").rglob("*.md"))
LINK = re.compile(r"\]\(([^)\s]+)\)")
BLOCK = re.compile(r"^```(.*)\n([\s\S]*?)^```$", re.MULTILINE)
COMMAND = re.compile(r"^(?:\$ |kubectl .* -- )?causeway ([^…\n]*)$", re.MULTILINE)


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def anchors(page: Path) -> set[str]:
    """Return the anchors that a forge makes of the headings."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def configurations() -> Iterator[object]:
    for page in PAGES:
        for kind, text in BLOCK.findall(page.read_text()):
            if kind == "yaml" and "systems:" in text:
                yield pytest.param(text, id=f"{page.stem}-{text.count('smart_hosts')}")


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in LINK.findall(page.read_text()):
        if target.startswith(("http:", "https:")):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), target
        assert not anchor or anchor in anchors(file), target


@pytest.mark.parametrize("text", list(configurations()))
def test_every_configuration_is_valid(text: str) -> None:
    settings = Settings.model_validate(yaml.safe_load(text))
    assert list(faults(settings.systems)) == []


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_command_exists_with_its_options(page: Path) -> None:
    for _, text in BLOCK.findall(page.read_text()):
        for line in COMMAND.findall(text):
            _parser().parse_args(shlex.split(line, comments=True))  # exits where it is wrong
