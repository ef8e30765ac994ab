"""The manifests of deploy/k8s as data: as they stand, or rendered by kubectl or kustomize where one is installed."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2] / "deploy" / "k8s"
OVERLAYS = ["dev", "production"]
WORKLOADS = ("Deployment", "StatefulSet")

Object = dict[str, Any]


def renderer() -> list[str] | None:
    """Return the command that renders a folder, or None where neither kubectl nor kustomize is installed."""
    if shutil.which("kubectl"):
        return ["kubectl", "kustomize"]
    return ["kustomize", "build"] if shutil.which("kustomize") else None


def render(folder: Path) -> list[Object]:
    """Return the objects that a kustomization stands for. Raises CalledProcessError where it does not build."""
    command = renderer()
    assert command, "needs kubectl 1.27 or kustomize 5, or later"
    done = subprocess.run([*command, str(folder)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [made for made in yaml.load_all(done.stdout, Loader=yaml.CSafeLoader) if made]  # ten times as fast


def render_with(components: Iterable[str], folder: Path, *, onto: str = "base") -> list[Object]:
    """Return `base`, configured as overlays/production is, or an overlay, with more components; written to `folder`."""
    kustomization: Object = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "namespace": "causeway",
        "resources": [os.path.relpath(ROOT / onto, folder)],
        "components": [os.path.relpath(ROOT / "components" / name, folder) for name in components],
    }
    if onto == "base":
        for name in ("causeway.yaml", "addresses.csv"):
            shutil.copy(ROOT / "overlays" / "production" / name, folder)
        kustomization["configMapGenerator"] = [
            {"name": "causeway", "files": ["causeway.yaml"]},
            {"name": "addresses", "files": ["addresses.csv"], "options": {"disableNameSuffixHash": True}},
        ]
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(kustomization))
    return render(folder)


def files() -> list[Path]:
    """Return every YAML file of the manifests."""
    return sorted(ROOT.rglob("*.yaml"))


def written() -> Iterator[tuple[str, Object]]:
    """Yield the objects that stand in the files as Kubernetes takes them, with the name of their file."""
    for file in files():
        for document in yaml.safe_load_all(file.read_text()):
            if isinstance(document, dict) and "apiVersion" in document and "metadata" in document:
                yield str(file.relative_to(ROOT)), document


def title(one: Object) -> str:
    """Return the kind and name of an object, as kubectl writes them."""
    return f"{one['kind']}/{one['metadata']['name']}"


def of_kind(objects: list[Object], *kinds: str) -> dict[str, Object]:
    """Return the objects of some kinds by their names."""
    return {manifest["metadata"]["name"]: manifest for manifest in objects if manifest["kind"] in kinds}


def pod_of(workload: Object) -> Object:
    """Return the pod template's spec."""
    spec: Object = workload["spec"]["template"]["spec"]
    return spec


def labels_of(workload: Object) -> dict[str, str]:
    """Return the labels of a workload's pods."""
    labels: dict[str, str] = workload["spec"]["template"]["metadata"]["labels"]
    return labels


def selects(selector: Object, labels: dict[str, str]) -> bool:
    """Return whether a selector, written as labels or as matchLabels, matches pods with these labels."""
    wanted: dict[str, str] = selector.get("matchLabels", selector)
    return wanted.items() <= labels.items()


def environment(workload: Object) -> dict[str, str]:
    """Return what the manifest itself sets in the first container's environment."""
    return {entry["name"]: entry["value"] for entry in pod_of(workload)["containers"][0].get("env", [])}


def octets(quantity: str) -> int:
    """Read a quantity of memory, such as 64Mi."""
    units = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30}
    return int(quantity[:-2]) * units[quantity[-2:]]
