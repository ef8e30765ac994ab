"""What `make images` says of an image's packages, from what pip-audit found."""

from __future__ import annotations

from typing import Any

from deploy.images.examine import unexamined, vulnerabilities


def found(**package: object) -> dict[str, Any]:
    return {"dependencies": [{"name": "redis", "version": "4.5.2", "vulns": []} | package], "fixes": []}


def advisory(*fixed_in: str) -> dict[str, Any]:
    return {"id": "PYSEC-2023-45", "aliases": ["CVE-2023-28858"], "fix_versions": list(fixed_in), "description": "…"}


def test_a_vulnerability_is_reported_with_its_names_and_fix() -> None:
    assert list(vulnerabilities(found(vulns=[advisory("4.5.3")]))) == [
        "redis 4.5.2 has PYSEC-2023-45, CVE-2023-28858, fixed in 4.5.3: `make lock`, `make test`, and again"
    ]


def test_a_vulnerability_without_a_fix_is_reported_with_how_to_ignore_it() -> None:
    [line] = vulnerabilities(found(vulns=[advisory()]))
    assert line.endswith("without a fix: do without it, or overlook it: AUDIT='--ignore-vuln PYSEC-2023-45'")


def test_packages_without_vulnerability_are_not_reported() -> None:
    assert list(vulnerabilities(found())) == []
    assert unexamined(found()) == []


def test_a_package_that_the_service_knows_nothing_of_is_not_in_order() -> None:
    silent = {"name": "redis", "skip_reason": "Dependency not found"}
    own = {"name": "causeway", "skip_reason": "Dependency not found"}
    assert unexamined({"dependencies": [silent, own], "fixes": []}) == ["redis"]
