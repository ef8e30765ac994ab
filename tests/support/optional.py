"""What some tests need and not every machine has, and what to install for it."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True)
class Tool:
    """A program or library outside the lock file. remedy: how to get it, as a person would type or do it."""

    name: str
    remedy: str
    is_here: Callable[[], bool]


def _program(*names: str, remedy: str) -> Tool:
    """Return a tool of which any of these programs is on PATH."""
    return Tool(" or ".join(names), remedy, lambda: any(map(shutil.which, names)))


def _has_tls() -> bool:
    """Return whether Perl has the library that swaks needs for TLS."""
    return subprocess.run(["perl", "-MNet::SSLeay", "-e", "1"], capture_output=True, check=False).returncode == 0


FAKETIME_LIBRARIES = "*/faketime/libfaketime.so.1"
ROOT = Tool("root", "run as root", lambda: os.geteuid() == 0)
PROMTOOL = _program("promtool", remedy="apt install prometheus")
PROMETHEUS = _program("prometheus", remedy="apt install prometheus")
RENDERER = _program("kubectl", "kustomize", remedy="install kubectl 1.27 or kustomize 5, or later")
POSTFIX = _program("postfix", remedy="apt install postfix")
SWAKS = Tool(
    "swaks with TLS", "apt install swaks libnet-ssleay-perl", lambda: bool(shutil.which("swaks")) and _has_tls()
)
FAKETIME = Tool("libfaketime", "apt install faketime", lambda: any(Path("/usr/lib").glob(FAKETIME_LIBRARIES)))

TARGETS = {
    "make test-clock": "clock steps under Redis too (apt install faketime)",
    "make test-compose": "the compose stack and the images (apt install docker.io docker-compose)",
    "make test-loss": "packets lost on every line (as root; apt install iproute2 nftables util-linux)",
    "make test-manifests": "every combination of the manifests' components (install kubectl 1.27 or kustomize 5)",
    "make test-pods": "the manifests' pods (as root; apt install podman runc netavark aardvark-dns catatonit)",
}
"""What `make test` never runs, by the command that does: what it proves and what it needs."""


def needs(*tools: Tool) -> pytest.MarkDecorator:
    """Return a mark that skips tests where a tool is missing; its reason names the tool and the remedy."""
    missing = [tool for tool in tools if not tool.is_here()]
    reason = ", ".join(f"needs {tool.name}: {tool.remedy}" for tool in missing)
    return pytest.mark.skipif(bool(missing), reason=reason)


def not_run(reasons: Iterable[str]) -> list[str]:
    """Return a line for each thing that a run of everything left out. reasons: of each skipped test."""
    counts = Counter(reasons)
    lines = [f"{count} test{'s' if count > 1 else ''}: {reason}" for reason, count in sorted(counts.items())]
    return lines + [f"{command}: {what}" for command, what in sorted(TARGETS.items())]
