from __future__ import annotations

from pathlib import Path

from bench import messages, systems
from bench.latency import arrivals
from bench.runs import carry
from shared.operations import certificates


def test_every_message_that_is_sent_is_counted_timed_and_kept(tmp_path: Path) -> None:
    made = certificates.self_signed(tmp_path / "tls", ["localhost", "127.0.0.1"])
    messages.write(tmp_path / "messages", 2_000)
    (tmp_path / "kept").mkdir()
    watched = ("--arrivals", str(tmp_path / "arrivals"), "--keep", str(tmp_path / "kept"))
    with systems.sink(tmp_path, made, *watched) as (port, count):
        carry(port, count, tmp_path / "messages", 45, 3, "--first", "100", "--rate", "2000")
        assert int(count.read_text()) == 45
        assert sorted(arrivals(tmp_path / "arrivals")) == list(range(100, 145))
    for position in range(45):
        original = (tmp_path / "messages" / f"{position % messages.SHARES:03d}.eml").read_bytes()
        kept = (tmp_path / "kept" / f"{100 + position}.eml").read_bytes()
        assert kept == messages.numbered(original, 100 + position)
