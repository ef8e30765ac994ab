from __future__ import annotations

from pathlib import Path

import pytest

from bench import load, messages


@pytest.mark.parametrize("sessions", [1, 2, 5, 20, 33, 200])
def test_sessions_are_shared_out_as_the_messages_are(sessions: int) -> None:
    shares = load.shared_out(["notes"] * 19 + ["exchange"], sessions)
    assert min(shares.values()) >= 1
    assert sum(shares.values()) == max(sessions, 2)
    assert abs(shares["exchange"] - sessions / 20) <= 1


def test_a_message_in_pieces_is_the_numbered_message_and_its_end(tmp_path: Path) -> None:
    messages.write(tmp_path / "messages", 5_000)
    for number, prepared in enumerate(load.prepare(tmp_path / "messages")):
        content = (tmp_path / "messages" / f"{number:03d}.eml").read_bytes()
        assert b"".join(prepared.pieces(number)) == messages.numbered(content, number) + b".\r\n"


def test_lines_that_begin_with_a_dot_are_sent_with_two(tmp_path: Path) -> None:
    messages.write(tmp_path / "messages", 5_000)
    path = tmp_path / "messages" / "000.eml"
    path.write_bytes(path.read_bytes() + b".hidden\r\n")
    assert b"\r\n..hidden\r\n.\r\n" in b"".join(load.prepare(tmp_path / "messages")[0].pieces(0))
