"""queue, trace and dead of the command line, over a real Redis with real dead letters in it."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from services.cli.main import main
from shared.configuration.redis import RedisSettings
from shared.history.attempt import attempted
from shared.history.reasons import ParkReason
from shared.mail.delivery import Delivery, DeliveryRecipient
from shared.mail.edits import Edit, apply
from shared.mail.envelope import Message, new_message_id
from shared.mail.reply import Reply
from shared.spool.accept import accept
from shared.spool.connect import open_spool
from shared.spool.lease import lease_deliveries, lease_messages
from shared.spool.operation import Spool
from shared.spool.settlement import NewDelivery, Parked, Retry, Transformed
from shared.spool.upkeep import promote
from shared.spool.write_settlements import write_settlements
from tests.support.mail import CONTENT, delivery, message

EDITS = (Edit(CONTENT.index(b"Subject"), CONTENT.index(b"Hello"), b"Subject: y\x1b[2J\r\n\r\n"),)


class Gateway:
    """A configuration over the test's Redis, and ways to fill it."""

    def __init__(self, folder: Path, settings: RedisSettings, capsys: pytest.CaptureFixture[str]) -> None:
        self.config = folder / "causeway.yaml"
        systems = "[{name: notes, kind: domino}, {name: exchange, kind: exchange}]"
        self.config.write_text(f"redis: {{url: '{settings.url}'}}\nsystems: {systems}\n")
        self.spool: Spool = open_spool(settings)
        self._capsys = capsys

    def run(self, *arguments: str, code: int = 0) -> str:
        """Run a command; return what it printed on standard output, or on standard error where it has to fail."""
        self._capsys.readouterr()
        assert main([*arguments, "--config", str(self.config)]) == code
        output = self._capsys.readouterr()
        return output.out or output.err

    def json(self, *arguments: str, code: int = 0) -> Any:
        return json.loads(self.run(*arguments, "--json", code=code))

    def accept(self, *recipients: str) -> Message:
        made = message(*recipients)
        self.spool.run(accept(made))
        return made

    def dead_message(self, reason: ParkReason = "crash") -> Message:
        made = self.accept()
        (leased,) = self.spool.run(lease_messages("test", max_jobs=1, max_bytes=10**6, seconds=60))
        self.spool.run(write_settlements([Parked(leased.lease, reason, "ValueError: no")]))
        return made

    def dead_delivery(self, reason: ParkReason = "refused", *more: DeliveryRecipient) -> Delivery:
        """Park a delivery to one refused recipient, and more whose state is given."""
        made = delivery(self.accept().envelope)
        made = replace(
            made, recipients=tuple(replace(recipient, public="public@example.com") for recipient in made.recipients)
        )
        (leased,) = self.spool.run(lease_messages("test", max_jobs=1, max_bytes=10**6, seconds=60))
        self.spool.run(write_settlements([Transformed(leased.lease, (NewDelivery(made, EDITS),))]))
        (taken,) = self.spool.run(lease_deliveries("exchange", "test", max_jobs=1, max_bytes=10**6, seconds=60))
        (one,) = made.recipients
        tried = replace(one, state="refused", host="mx.example.com:25", reply=Reply(550, "no such user", "5.1.1"))
        after = replace(made, recipients=(tried, *more), attempts=1)
        outcomes = attempted(replace(made, recipients=(one, *more)), after, time.time())
        parked = Parked(taken.lease, reason, "550 5.1.1 no such user", after, outcomes=outcomes)
        self.spool.run(write_settlements([parked]))
        return after


@pytest.fixture
def gateway(tmp_path: Path, redis_settings: RedisSettings, capsys: pytest.CaptureFixture[str]) -> Any:
    made = Gateway(tmp_path, redis_settings, capsys)
    yield made
    made.spool.close()


def test_queue_counts_each_stage_and_system(gateway: Gateway) -> None:
    gateway.dead_delivery()
    gateway.accept()
    output = {one["queue"]: one for one in gateway.json("queue")}
    assert list(output) == ["transform", "egress.notes", "egress.exchange"]
    assert (output["transform"]["depth"], output["egress.exchange"]["dead"]) == (1, 1)
    lines = gateway.run("queue").splitlines()
    assert lines[0].split() == ["QUEUE", "DEPTH", "OLDEST", "LEASED", "SCHEDULED", "OLDEST", "SCHEDULED", "DEAD"]
    assert lines[1].split() == ["transform", "1", "0s", "0", "0", "0s", "0"]


def test_queue_shows_the_age_of_the_oldest_scheduled_message(gateway: Gateway) -> None:
    for age_seconds in (3600, 7200):
        made = message()
        old = replace(made.envelope, id=new_message_id(time.time() - age_seconds))
        gateway.spool.run(accept(replace(made, envelope=old)))
        (leased,) = gateway.spool.run(lease_messages("test", max_jobs=1, max_bytes=10**6, seconds=60))
        gateway.spool.run(write_settlements([Retry(leased.lease, 86_400 - age_seconds)]))
    output = gateway.json("queue")[0]
    assert (output["depth"], output["scheduled"]) == (0, 2)
    assert output["oldest_scheduled_seconds"] == pytest.approx(7200, abs=120)
    assert gateway.run("queue").splitlines()[1].split()[4] == "2"


def deferred(gateway: Gateway, *, seconds: float = 600, system: str = "exchange") -> Delivery:
    """Have a delivery wait for its retry after a host's 4xx."""
    gateway.accept("b@example.com", "c@example.com")
    (leased,) = gateway.spool.run(lease_messages("test", max_jobs=1, max_bytes=10**6, seconds=60))
    made = delivery(leased.envelope, system)
    gateway.spool.run(write_settlements([Transformed(leased.lease, (NewDelivery(made, ()),))]))
    (taken,) = gateway.spool.run(lease_deliveries(system, "test", max_jobs=1, max_bytes=10**6, seconds=60))
    output = replace(made.recipients[0], host="mx.example.com:25", reply=Reply(452, "try \x1b[2Jlater", "4.3.1"))
    tried = replace(made, recipients=(output, made.recipients[1]), attempts=3)
    gateway.spool.run(write_settlements([Retry(taken.lease, seconds, tried)]))
    return tried


def test_queue_retries_shows_the_last_reply_and_the_next_attempt(gateway: Gateway) -> None:
    later, sooner = deferred(gateway, seconds=3600), deferred(gateway, seconds=600)
    other = deferred(gateway, seconds=300, system="notes")
    output = gateway.run("queue", "--retries", "exchange").splitlines()
    assert [line.split()[0] for line in output] == ["ID", sooner.id, later.id]
    assert "in 9m" in output[1]
    assert output[1].endswith("a@example.com  b@example.com +1  mx.example.com:25  452 4.3.1 try �[2Jlater")
    assert [line.split()[0] for line in gateway.run("queue", "--retries").splitlines()[1:]] == [
        other.id,
        sooner.id,
        later.id,
    ]
    (one,) = gateway.json("queue", "--retries", "--limit", "1")
    assert one["delivery"]["id"] == other.id
    assert datetime.fromisoformat(one["due_at"]).timestamp() > time.time()
    assert gateway.run("queue", "--retries", "--config", str(gateway.config))


def test_queue_flush_tries_again_now(gateway: Gateway) -> None:
    assert gateway.run("queue", "--retries") == "no retries are scheduled\n"
    waiting, other = deferred(gateway), deferred(gateway, system="notes")
    assert gateway.run("queue", "--flush", "exchange") == "1 delivery to exchange: retried from now on\n"
    assert gateway.spool.run(promote("egress.exchange")) == 1
    assert gateway.spool.run(promote("egress.notes")) == 0
    (again,) = gateway.spool.run(lease_deliveries("exchange", "test", max_jobs=1, max_bytes=10**6, seconds=60))
    assert again.delivery == waiting
    assert gateway.json("queue", "--flush", "notes", "--rate", "1") == {"system": "notes", "flushed": 1}
    assert gateway.run("queue", "--flush", "exchange") == "no delivery to exchange can be retried sooner\n"
    assert other.id in gateway.run("queue", "--retries", "notes")


@pytest.mark.parametrize(
    "options",
    [
        ("--flush", "nobody"),
        ("--retries", "nobody"),
        ("--limit", "3"),
        ("--rate", "3"),
        ("--retries", "exchange", "--rate", "3"),
    ],
)
def test_queue_says_what_options_it_cannot_take(gateway: Gateway, options: tuple[str, ...]) -> None:
    assert gateway.run("queue", *options, code=2)


def test_trace_shows_the_history_by_the_id_of_message_or_delivery(gateway: Gateway) -> None:
    made = gateway.dead_delivery()
    output = gateway.json("trace", made.message_id)
    assert [event["event"] for event in output] == [
        "message.accepted",
        "message.converted",
        "delivery.refused",
        "delivery.parked",
    ]
    assert gateway.json("trace", made.id) == output
    assert all(datetime.fromisoformat(event["at"]).tzinfo for event in output)


def test_trace_is_for_people(gateway: Gateway) -> None:
    """Lines that fit, no Python in them."""
    made = gateway.dead_delivery()
    lines = gateway.run("trace", made.id).splitlines()
    assert max(map(len, lines)) <= 120
    assert not [line for line in lines if "{" in line or "[" in line]
    assert [line.split("  ")[1] for line in lines if not line.startswith(" ")] == [
        "message.accepted",
        "message.converted",
        "delivery.refused",
        "delivery.parked",
    ]
    assert any("host mx.example.com:25" in line for line in lines)


def test_trace_of_an_unknown_id_says_so(gateway: Gateway) -> None:
    assert "nothing: unknown" in gateway.run("trace", "nothing", code=1)


def ids(listed: Sequence[dict[str, Any]]) -> list[str]:
    return [entry["id"] for entry in listed]


def test_dead_list_filters(gateway: Gateway) -> None:
    crashed, refused = gateway.dead_message(), gateway.dead_delivery()
    assert ids(gateway.json("dead", "list")) == [crashed.envelope.id, refused.id]
    assert ids(gateway.json("dead", "list", "--limit", "1")) == [crashed.envelope.id]
    for filters, expected in (
        (["--stage", "egress"], [refused.id]),
        (["--system", "exchange"], [refused.id]),
        (["--reason", "crash"], [crashed.envelope.id]),
        (["--since", "1h"], [crashed.envelope.id, refused.id]),
        (["--since", "2099-01-01"], []),
        (["--reason", "crash", "--stage", "egress"], []),
    ):
        assert ids(gateway.json("dead", "list", *filters)) == expected
    assert "550 5.1.1 no such user" in gateway.run("dead", "list")
    assert "public@example.com" in gateway.run("dead", "list"), "not as the destination calls the recipient"


def test_dead_list_says_what_there_is_where_it_shows_nothing(gateway: Gateway) -> None:
    assert gateway.run("dead", "list") == "no dead letters\n"
    gateway.dead_message()
    gateway.dead_delivery()
    said = gateway.run("dead", "list", "--reason", "refusd")
    assert said == "no dead letters match; existing: 1 crash, 1 refused\n"
    said = gateway.run("dead", "list", "--system", "nosuch", code=2)
    assert said == '--system: unknown system "nosuch": use one of notes, exchange\n'


@pytest.mark.parametrize("limit", ["0", "-1", "x"])
def test_a_limit_is_a_number_above_zero(limit: str) -> None:
    with pytest.raises(SystemExit) as exited:
        main(["dead", "list", "--limit", limit])
    assert exited.value.code == 2


@pytest.mark.parametrize("command", [["show"], ["replay"], ["discard"], ["export", "--out", "out"]])
def test_dead_commands_take_the_id_of_the_250(
    gateway: Gateway, command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    made = gateway.dead_delivery()
    assert made.id != made.message_id
    assert made.id in gateway.run("dead", *command, made.message_id)


def test_dead_show_shows_reason_attempts_and_changes(gateway: Gateway) -> None:
    made = gateway.dead_delivery()
    output = gateway.run("dead", "show", made.id)
    for text in ("refused in egress", "attempts: 1", "550 5.1.1 no such user", "mx.example.com:25", "Subject: x"):
        assert text in output
    assert "- Subject: x" in output
    assert "+ Subject: y" in output
    assert "\x1b" not in output, "what a message says never reaches the terminal as a command"
    output = gateway.json("dead", "show", made.id)
    assert output["header"].startswith("From: a@example.com")
    assert output["delivery"]["recipients"][0]["reply"]["code"] == 550
    assert len(output["changes"]) == 1


def test_dead_show_of_a_message_that_was_never_converted(gateway: Gateway) -> None:
    made = gateway.dead_message()
    assert "ValueError: no" in gateway.run("dead", "show", made.envelope.id)
    assert "not a dead letter" in gateway.run("dead", "show", "nothing", code=1)


def test_dead_replay_puts_a_delivery_back(gateway: Gateway) -> None:
    made = gateway.dead_delivery()
    assert gateway.json("dead", "replay", made.id, "--dry-run") == [{"id": made.id, "done": "deliver", "dry_run": True}]
    assert len(gateway.json("dead", "list")) == 1
    assert "goes back to delivery" in gateway.run("dead", "replay", made.id)
    assert gateway.json("dead", "list") == []
    assert next(one["depth"] for one in gateway.json("queue") if one["queue"] == "egress.exchange") == 1
    assert "not a dead letter" in gateway.run("dead", "replay", made.id, code=1)


def test_dead_replay_from_the_start_converts_again(gateway: Gateway) -> None:
    made = gateway.dead_delivery()
    crashed = gateway.dead_message()
    done = gateway.json("dead", "replay", "--all", "--from", "start")
    assert done == [{"id": id, "done": "convert", "dry_run": False} for id in (made.id, crashed.envelope.id)]
    assert gateway.json("queue")[0]["depth"] == 2


def test_dead_replay_takes_what_the_filters_mean_and_nothing_without_a_choice(gateway: Gateway) -> None:
    crashed, refused = gateway.dead_message(), gateway.dead_delivery()
    assert gateway.run("dead", "replay", code=2).startswith("nothing selected: ")
    assert gateway.run("dead", "replay", "--reason", "poison") == "0 dead letters match\n"
    assert "use ids, or --all" in gateway.run("dead", "replay", refused.id, "--all", code=2)
    assert gateway.json("dead", "replay", "--reason", "poison") == []
    assert ids(gateway.json("dead", "replay", "--reason", "refused")) == [refused.id]
    assert ids(gateway.json("dead", "list")) == [crashed.envelope.id]


def test_dead_replay_says_who_has_it_and_who_may_have_it(gateway: Gateway) -> None:
    (one,) = gateway.dead_delivery().recipients
    gateway.run("dead", "discard", "--all")
    has = replace(one, address="has@example.com", state="delivered")
    may_have = replace(one, address="may@example.com", state="expired", ambiguous=True)
    made = gateway.dead_delivery("expired", has, may_have)
    output = gateway.run("dead", "replay", made.id, "--dry-run")
    assert "has@example.com has the message already and does not get it again\n" in output
    assert (
        "may@example.com may have the message already: the connection broke before mx.example.com:25 answered\n"
        in output
    )
    assert one.address not in output


def test_dead_replay_keeps_to_its_rate_and_prints_each_letter(gateway: Gateway) -> None:
    made = [gateway.dead_delivery().id for _ in range(4)]
    began = time.monotonic()
    output = gateway.run("dead", "replay", "--all", "--rate", "10")
    assert time.monotonic() - began >= 0.3
    assert [line.partition(":")[0] for line in output.splitlines()] == made


def test_dead_discard_removes_for_good(gateway: Gateway) -> None:
    made = gateway.dead_delivery()
    assert "is discarded (dry run" in gateway.run("dead", "discard", "--all", "--dry-run")
    assert len(gateway.json("dead", "list")) == 1
    assert gateway.json("dead", "discard", made.id)[0]["done"] == "discard"
    assert gateway.json("dead", "list") == []
    assert gateway.run("dead", "discard", code=2).startswith("nothing selected: ")


def test_dead_export_writes_the_original_what_became_of_it_and_all_that_is_known(
    gateway: Gateway, tmp_path: Path
) -> None:
    made = gateway.dead_delivery()
    out = tmp_path / "new" / "folder"
    assert gateway.json("dead", "export", "--all", "--out", str(out)) == [str(out / f"{made.id}.eml")]
    assert (out / f"{made.id}.eml").read_bytes() == CONTENT
    assert (out / f"{made.id}.converted.eml").read_bytes() == apply(CONTENT, EDITS)
    record = json.loads((out / f"{made.id}.json").read_text())
    assert record["reason"] == "refused"
    assert record["envelope"]["id"] == made.message_id
    assert datetime.fromisoformat(record["parked_at"]).timestamp() == pytest.approx(time.time(), abs=600)
    assert record["edits"][0]["start"] == EDITS[0].start
    for file in out.iterdir():
        assert file.stat().st_mode & 0o777 == 0o600, "it is somebody's mail"
    assert out.stat().st_mode & 0o777 == 0o700
    assert "exists already" in gateway.run("dead", "export", "--all", "--out", str(out), code=1)
    (tmp_path / "file").touch()
    assert "cannot be written" in gateway.run("dead", "export", "--all", "--out", str(tmp_path / "file"), code=1)


@pytest.mark.parametrize("command", [["queue"], ["trace", "x"], ["dead", "list"]])
def test_without_redis_one_line_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str], command: list[str]) -> None:
    file = tmp_path / "causeway.yaml"
    for url in (f"unix://{tmp_path}/none.sock", "embedded", "ftp://x"):
        embedded_in = f"no embedded Redis runs in {tmp_path}: name its folder with --data or $CAUSEWAY_DATA"
        file.write_text(f"redis: {{url: '{url}'}}\n")
        assert main([*command, "--config", str(file), "--data", str(tmp_path)]) == 1
        output = capsys.readouterr().err
        assert output.removeprefix(f"{file}: ").startswith("redis.url: ")
        assert output.count("\n") == 1
        assert (embedded_in in output) == (url == "embedded")
