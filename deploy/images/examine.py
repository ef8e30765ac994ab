"""Examines images: writes a bill of materials for each (CycloneDX), and says which known vulnerabilities it has.

What is read is what is in the image: the metadata of the packages installed in /opt/causeway. Run by `make images`:

    python deploy/images/examine.py --out build/images causeway/ingress causeway/transform causeway/egress

Exit code 1 where there is a vulnerability, and if that could not be determined.
"""

from __future__ import annotations

import argparse
import json
import shlex
import subprocess
import sys
import tempfile
import venv
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

PACKAGES = "/opt/causeway/lib"
OURS = "causeway"
PYPROJECT = Path(__file__).parents[2] / "pyproject.toml"


def copy_out(engine: str, image: str, folder: Path) -> Path:
    """Make a virtual environment of what an image has installed; return where its packages are."""
    venv.create(folder / "environment", with_pip=False)
    [place] = (folder / "environment" / "lib").glob("python*/site-packages")
    place.rmdir()
    container = subprocess.run([engine, "create", image], check=True, capture_output=True, text=True).stdout.strip()
    try:
        subprocess.run([engine, "cp", f"{container}:{PACKAGES}", str(folder / "copied")], check=True)
    finally:
        subprocess.run([engine, "rm", container], check=True, stdout=subprocess.DEVNULL)
    [found] = (folder / "copied").glob("python*/site-packages")
    return found.rename(place)


def write_bill(environment: Path, out: Path) -> None:
    """Write what is installed: name, version, licence and source of each package, and which needs which."""
    tool = [sys.executable, "-m", "cyclonedx_py", "environment", "--output-reproducible"]
    subprocess.run([*tool, "--pyproject", str(PYPROJECT), "--output-file", str(out), str(environment)], check=True)


def audit(packages: Path, options: Sequence[str]) -> tuple[dict[str, Any] | None, str]:
    """Return what pip-audit found, None where the advisory service failed it; and the last line of what it said."""
    tool = [sys.executable, "-m", "pip_audit", "--path", str(packages), "--format", "json", "--progress-spinner", "off"]
    done = subprocess.run([*tool, *options], check=False, capture_output=True, text=True)
    said = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
    return (json.loads(done.stdout) if done.stdout.startswith("{") else None), said


def vulnerabilities(found: dict[str, Any]) -> Iterator[str]:
    """Yield a line for each known vulnerability: in what it is, and what to do."""
    for package in found["dependencies"]:
        for entry in package.get("vulns", []):
            names = ", ".join([entry["id"], *entry["aliases"]])
            if entry["fix_versions"]:
                todo = f"fixed in {', '.join(entry['fix_versions'])}: `make lock`, `make test`, and again"
            else:
                todo = f"without a fix: do without it, or overlook it: AUDIT='--ignore-vuln {entry['id']}'"
            yield f"{package['name']} {package['version']} has {names}, {todo}"


def unexamined(found: dict[str, Any]) -> list[str]:
    """Return the packages without an answer of the advisory service, except this project."""
    skipped = [package["name"] for package in found["dependencies"] if "skip_reason" in package]
    return [name for name in skipped if name != OURS]


def unchecked(reason: str) -> str:
    """Return the line for an image of which it is not known whether it is vulnerable."""
    return f"not checked for vulnerabilities, {reason}: try again, or elsewhere: AUDIT='--vulnerability-service osv'"


def examine(engine: str, image: str, out: Path, options: Sequence[str]) -> Iterator[str]:
    """Write an image's bill of materials; yield a line for each reason not to trust the image."""
    bill = out / f"{image.rpartition('/')[2].partition(':')[0]}.cdx.json"
    with tempfile.TemporaryDirectory() as folder:
        packages = copy_out(engine, image, Path(folder))
        write_bill(Path(folder) / "environment", bill)
        found, said = audit(packages, options)
    print(f"{image}: what it is made of is in {bill}", flush=True)  # noqa: T201 (for a terminal)
    if found is None:
        yield unchecked(f"the advisory service cannot be reached ({said})")
        return
    yield from vulnerabilities(found)
    if names := unexamined(found):
        yield unchecked(f"the advisory service returned no result for {', '.join(names)}")


def main() -> int:
    """Examine every image named; return the exit code."""
    parser = argparse.ArgumentParser(prog="examine")
    parser.add_argument("--engine", default="docker", help="docker or podman")
    parser.add_argument("--out", type=Path, required=True, help="the folder for the bills of materials")
    parser.add_argument("--audit", default="", help="more options of pip-audit, in one word")
    parser.add_argument("images", nargs="+")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    faults = [
        f"{image}: {fault}"
        for image in options.images
        for fault in examine(options.engine, image, options.out, shlex.split(options.audit))
    ]
    print("\n".join(faults or ["no known vulnerability"]), file=sys.stderr if faults else sys.stdout)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
