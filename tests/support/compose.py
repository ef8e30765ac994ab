"""The stack of docker-compose.yml, run for real under a name of its own.

Its subnets are fixed, so there is one stack a machine. Its ports on this machine are whichever are free.
"""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from tests.support.processes import eventually

ROOT = Path(__file__).parents[2]
PROJECT = "causeway-test"
ANYWHERE = {"MX10_PORT": "", "MX20_PORT": "", "PROMETHEUS_PORT": ""}
SECONDS = 120
"""To wait at most for a container to get where it should."""
MESSAGES = """
import json, pathlib
files = sorted(pathlib.Path("/caught").glob("*.json"))
print(json.dumps([json.loads(one.read_text()) | {"text": one.with_suffix(".eml").read_text()} for one in files]))
"""


def docker(*arguments: str) -> str:
    """Run docker and return what it prints. Raises AssertionError with what it complains about."""
    return _run(["docker", *arguments])


@cache
def compose_command() -> tuple[str, ...]:
    """Return Docker's own compose where it is installed, else the older program."""
    own = subprocess.run(["docker", "compose", "version"], capture_output=True, check=False)
    return ("docker", "compose") if own.returncode == 0 else ("docker-compose",)


def _run(command: list[str]) -> str:
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=os.environ | ANYWHERE,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{' '.join(command)}: {done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    return done.stdout.strip()


@dataclass(frozen=True, slots=True)
class Caught:
    """A message in a catcher. encrypted: whether it came over TLS."""

    sender: str
    recipients: list[str]
    encrypted: bool
    text: str


class Stack:
    """The stack, up and healthy; gone after the block, with its volumes."""

    def __enter__(self) -> Stack:
        try:
            self.compose("up", "--build", "--detach")
            eventually(lambda: self.unhealthy() == {}, SECONDS)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.compose("down", "--volumes", "--remove-orphans", "--timeout", "10")

    def compose(self, *arguments: str) -> str:
        """Run docker compose for the stack and return what it prints."""
        return _run([*compose_command(), "--project-name", PROJECT, *arguments])

    def states(self) -> dict[str, dict[str, Any]]:
        """Return the state of each service's container, as Docker has it."""
        containers = json.loads(docker("inspect", *_containers()))
        return {
            container["Config"]["Labels"]["com.docker.compose.service"]: container["State"] for container in containers
        }

    def unhealthy(self) -> dict[str, str]:
        """Return the services that are not, or not yet, as they should be, and what they are."""
        found = {}
        for name, state in self.states().items():
            health = state.get("Health", {}).get("Status", "healthy")
            done = name == "certificates" and state["Status"] == "exited" and state["ExitCode"] == 0
            if not done and (state["Status"], health) != ("running", "healthy"):
                found[name] = f"{state['Status']}, {health}"
        return found

    def send(self, service: str, *arguments: str) -> list[str]:
        """Have a sender send one message; return what each host answered it, the last of which took it."""
        return self.compose("run", "--rm", "-T", service, *arguments).splitlines()

    def caught(self, catcher: str) -> list[Caught]:
        """Return the messages that a catcher has."""
        found = json.loads(self.execute(catcher, "python", "-c", MESSAGES))
        return [Caught(match["sender"], match["recipients"], match["tls"], match["text"]) for match in found]

    def address(self, service: str, port: int) -> str:
        """Return where a published port is on this machine, as host:port."""
        return docker("port", _container(service), str(port))

    def execute(self, service: str, *command: str) -> str:
        """Run a command in a service's container and return what it prints."""
        return docker("exec", _container(service), *command)


def _containers(*filters: str) -> list[str]:
    labels = [f"label=com.docker.compose.{one}" for one in (f"project={PROJECT}", *filters)]
    return docker("ps", "--all", "--quiet", *(f"--filter={label}" for label in labels)).split()


def _container(service: str) -> str:
    [found] = _containers(f"service={service}")
    return found
