"""Runs the pods of a rendered overlay by `podman play kube`, each with an address of its own, on a network for them.

Quirks of podman 4.3, which this makes up for: it knows no StatefulSet, no Service and no fsGroup; it runs HTTP probes
by a curl inside the container, of which our images have none; it publishes every container port on the host; it leaves
the values of a Secret in base64; volumes of one name are one volume, whatever pod they belong to.
"""

from __future__ import annotations

import copy
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import yaml

from tests.support.manifests import Object, labels_of, of_kind, pod_of

NETWORK = "causeway-pods"
PASSWORD = "of-the-pods"
"""Of the Redis of the pods, for the Secret `redis`."""
PROBES = ("startupProbe", "readinessProbe", "livenessProbe")


def podman(*arguments: str) -> str:
    """Run podman and return what it prints. Raises AssertionError with what it complains about."""
    done = subprocess.run(["podman", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"podman {' '.join(arguments)}: {done.stderr}"
    return done.stdout.strip()


def until(condition: Callable[[], bool], what: str, seconds: float = 60) -> None:
    """Wait for a condition. Raises AssertionError after so many seconds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not within {seconds:.0f} s: {what}"
        time.sleep(0.1)


class Pods:
    """The pods of an overlay, on a network; all gone after the block.

    tls: a folder with tls.crt and tls.key, for the Secret ingress-tls.
    """

    def __init__(self, objects: list[Object], tls: Path, folder: Path) -> None:
        self._objects = copy.deepcopy(objects)
        self._workloads = of_kind(self._objects, "Deployment", "StatefulSet")
        self._folder = folder
        self._pods: list[str] = []
        self._volumes: set[str] = set()
        self._config = [manifest for manifest in self._objects if manifest["kind"] == "ConfigMap"]
        certificate = {name: (tls / name).read_text() for name in ("tls.crt", "tls.key")}
        self._config.append(_config_map("ingress-tls", certificate))
        self._config.append(_config_map("redis", {"password": PASSWORD}))

    def __enter__(self) -> Pods:
        podman("network", "create", NETWORK)
        return self

    def __exit__(self, *_: object) -> None:
        for name in list(self._pods):
            self.remove(name)
        for volume in podman("volume", "ls", "--quiet").split():
            if volume in self._volumes:
                podman("volume", "rm", "--force", volume)
        podman("network", "rm", NETWORK)

    def play(
        self, workload: str, name: str, *, arguments: Sequence[str] = (), environment: Mapping[str, str] | None = None
    ) -> None:
        """Start one pod of a workload, perhaps with more arguments or environment. Its name is its name in DNS, too."""
        spec = copy.deepcopy(pod_of(self._workloads[workload]))
        (container,) = spec["containers"]
        if arguments:
            container["args"] = [*container.get("args", []), *arguments]
        for variable, value in (environment or {}).items():
            container["env"].append({"name": variable, "value": value})
        for key in (*PROBES, "ports"):
            container.pop(key, None)
        claims = self._workloads[workload]["spec"].get("volumeClaimTemplates", [])
        spec["volumes"] = [*spec.get("volumes", []), *(_claimed(claim) for claim in claims)]
        own = [self._own(volume, name) for volume in spec["volumes"]]
        for mount in container["volumeMounts"]:
            mount["name"] = f"{name}-{mount['name']}"
        spec["volumes"] = own
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name, "labels": labels_of(self._workloads[workload])},
            "spec": spec,
        }
        file = self._folder / f"{name}.yaml"
        file.write_text(yaml.safe_dump_all([*self._config, pod]))
        self._pods.append(name)
        podman("play", "kube", "--network", NETWORK, str(file))

    def _own(self, volume: Object, pod: str) -> Object:
        """Return a pod's volume under a name that no other pod uses, of a kind that podman gets right."""
        name = f"{pod}-{volume['name']}"
        self._volumes |= {name, *(config["metadata"]["name"] for config in self._config)}
        if "persistentVolumeClaim" in volume:
            self._make_writable(name)
            return {"name": name, "persistentVolumeClaim": {"claimName": name}}
        if "secret" in volume:
            return {"name": name, "configMap": {"name": volume["secret"]["secretName"]}}
        return {**volume, "name": name}

    def _make_writable(self, volume: str) -> None:
        """Do what fsGroup does: give the volume to our group."""
        podman("volume", "create", volume)
        image = self._workloads["redis"]["spec"]["template"]["spec"]["containers"][0]["image"]
        podman("run", "--rm", "--user", "0", "--volume", f"{volume}:/data", image, "chown", "10001:10001", "/data")

    def address(self, name: str) -> str:
        """Return the pod's address, which is reached from here."""
        infra = podman("pod", "inspect", name, "--format", "{{.InfraContainerID}}")
        return podman("inspect", infra, "--format", f'{{{{(index .NetworkSettings.Networks "{NETWORK}").IPAddress}}}}')

    def is_ready(self, name: str) -> bool:
        """Ask the pod's readiness, as the kubelet does."""
        try:
            with urllib.request.urlopen(f"http://{self.address(name)}:9100/readyz", timeout=5):
                return True
        except (urllib.error.URLError, OSError):
            return False

    def start(self, workload: str, name: str, *, environment: Mapping[str, str] | None = None) -> None:
        """Play a pod of ours and wait until it is ready."""
        self.play(workload, name, environment=environment)
        try:
            until(lambda: self.is_ready(name), f"{name} is ready")
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.log(name)}") from None

    def stop(self, workload: str, name: str) -> float:
        """Stop a pod within its grace period; return how long it took. It must end without SIGKILL, with 0."""
        container = self._container(name)
        before = time.monotonic()
        grace = pod_of(self._workloads[workload])["terminationGracePeriodSeconds"]
        podman("stop", "--time", str(grace), container)
        took = time.monotonic() - before
        status = podman("inspect", container, "--format", "{{.State.ExitCode}}")
        assert status == "0", f"{name} ended with {status} after {took:.0f} s\n{self.log(name)}"
        self.remove(name)
        return took

    def remove(self, name: str) -> None:
        """Take a pod away, at once."""
        podman("pod", "rm", "--force", "--time", "0", name)
        self._pods.remove(name)

    def run(self, name: str, *command: str) -> str:
        """Run a command in a pod, as `kubectl exec` does; return what it prints."""
        return podman("exec", self._container(name), *command)

    def copy_from(self, name: str, path: str, folder: Path) -> Path:
        """Copy a folder out of a pod's container, once no file vanishes while that is done; return where it is."""
        source = f"{self._container(name)}:{path}"

        def copied() -> bool:
            done = subprocess.run(["podman", "cp", source, str(folder)], capture_output=True, text=True, check=False)
            assert done.returncode == 0 or "no such file" in done.stderr, done.stderr
            return done.returncode == 0

        until(copied, f"{path} of {name} keeps still")
        return folder / Path(path).name

    def log(self, name: str) -> str:
        """Return the last lines that a pod has said."""
        return podman("logs", "--tail", "20", self._container(name))

    def _container(self, name: str) -> str:
        """Return the pod's one container beside podman's own."""
        listed = podman("ps", "--all", "--filter", f"pod={name}", "--format", "{{.Names}} {{.IsInfra}}")
        return next(line.split()[0] for line in listed.splitlines() if line.endswith("false"))


def _claimed(claim: Object) -> Object:
    name = claim["metadata"]["name"]
    return {"name": name, "persistentVolumeClaim": {"claimName": name}}


def _config_map(name: str, data: dict[str, str]) -> Object:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}
