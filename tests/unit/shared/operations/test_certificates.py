"""Self-made certificates and what certificates say."""

from __future__ import annotations

import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from shared.errors import ConfigurationError
from shared.operations.certificates import inspect, key_matches, self_signed
from tests.conftest import Certificates


def test_a_self_signed_certificate_says_what_was_asked_for(tmp_path: Path) -> None:
    now = datetime(2030, 1, 1, 12, tzinfo=UTC)
    made = self_signed(tmp_path / "new", ["mx.example.com", "127.0.0.1", "::1"], days=10, now=now)
    found = inspect(made.certificate)
    assert found.names == ("mx.example.com", "127.0.0.1", "::1")
    assert found.days_left(now) == 9
    assert found.days_left(now + timedelta(days=11)) == -2
    assert found.issuer == inspect(made.ca).subject
    assert key_matches(found, made.key)


def test_only_the_owner_can_read_the_key(tmp_path: Path) -> None:
    assert stat.S_IMODE(self_signed(tmp_path, ["localhost"]).key.stat().st_mode) == 0o600


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "tls.key").write_text("precious")
    with pytest.raises(ConfigurationError, match=r"tls\.key: exists already"):
        self_signed(tmp_path, ["localhost"])
    assert [file.name for file in tmp_path.iterdir()] == ["tls.key"]


@pytest.mark.parametrize(
    ("name", "covered"),
    [
        ("a.example.com", True),
        ("A.Example.COM.", True),
        ("b.other.example", True),
        ("c.b.other.example", False),
        ("other.example", False),
        ("example.com", False),
    ],
)
def test_a_wildcard_matches_one_label(tmp_path: Path, name: str, covered: bool) -> None:
    made = self_signed(tmp_path, ["a.example.com", "*.other.example"])
    assert inspect(made.certificate).covers(name) is covered


def test_another_key_does_not_match(certificates: Certificates, tmp_path: Path) -> None:
    assert not key_matches(inspect(certificates.certificate), self_signed(tmp_path, ["localhost"]).key)


def test_files_without_a_certificate_are_reported(tmp_path: Path, certificates: Certificates) -> None:
    empty = tmp_path / "empty"
    empty.touch()
    for file in (empty, tmp_path / "none", certificates.key):
        with pytest.raises(ConfigurationError):
            inspect(file)
    for key in (empty, tmp_path / "none", certificates.ca):
        with pytest.raises(ConfigurationError):
            key_matches(inspect(certificates.certificate), key)
