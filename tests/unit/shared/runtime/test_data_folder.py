"""The folder of an embedded Redis: its socket, and that only one gateway has it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from shared.errors import ConfigurationError
from shared.runtime.data_folder import DataFolder, default_folder


def test_the_socket_is_in_the_folder(tmp_path: Path) -> None:
    short = Path("/tmp/x")
    assert DataFolder(short).socket == short / "redis.sock"
    assert DataFolder(short).url == "unix:///tmp/x/redis.sock"


def test_a_long_folder_has_a_short_socket_and_always_the_same(tmp_path: Path) -> None:
    long = tmp_path / ("d" * 120)
    assert len(os.fsencode(DataFolder(long).socket)) <= 100
    assert DataFolder(long).socket == DataFolder(long).socket
    assert DataFolder(long).socket != DataFolder(tmp_path / ("e" * 120)).socket
    with DataFolder(long).locked():
        assert DataFolder(long).socket.parent.stat().st_mode & 0o777 == 0o700
    assert not DataFolder(long).socket.parent.exists()


def test_a_socket_that_is_too_long_everywhere_is_one_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    long = tmp_path / ("d" * 120)
    long.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(long))
    data = DataFolder(long / "data")
    with pytest.raises(ConfigurationError, match=r"the limit is 10[37]: set TMPDIR to a shorter folder"), data.locked():
        pass
    assert list(long.iterdir()) == [], "nothing is left behind"


def test_two_gateways_never_share_a_folder(tmp_path: Path) -> None:
    data = DataFolder(tmp_path / "data")
    with data.locked():
        data.socket.touch()
        with pytest.raises(ConfigurationError, match="another `causeway up`"), DataFolder(data.path).locked(0):
            pass
        assert data.socket.exists(), "who was refused touches nothing"
    with data.locked():
        pass


def test_a_folder_that_others_could_read_is_closed_to_them(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    with DataFolder(tmp_path).locked():
        assert tmp_path.stat().st_mode & 0o777 == 0o700


def test_a_folder_that_cannot_be_created_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match="--data"), DataFolder(tmp_path / "file").locked():
        pass


def test_the_default_folder_follows_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", "/somewhere")
    monkeypatch.setenv("CAUSEWAY_DATA", "/elsewhere")
    assert DataFolder().path == Path("/elsewhere")
    assert DataFolder(Path("/argument")).path == Path("/argument")
    monkeypatch.delenv("CAUSEWAY_DATA")
    assert default_folder() == Path("/somewhere/causeway")
    monkeypatch.delenv("XDG_DATA_HOME")
    monkeypatch.setenv("HOME", "/home/x")
    assert default_folder() == Path("/home/x/.local/share/causeway")
