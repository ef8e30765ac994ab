"""check, explain, convert and certificate of the command line, and how each answers bad input."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from services.cli.main import main
from shared.configuration.redis import RedisSettings
from shared.operations.certificates import self_signed

EXAMPLE = Path(__file__).parents[2] / "causeway.example.yaml"
NOTES = b"From: a@notes.example.com\r\nTo: b@exchange.example.com\r\nSubject: x\r\n\r\nHello\r\n"


class Console:
    """Runs commands in this process."""

    def __init__(self, folder: Path, redis_url: str, capsys: pytest.CaptureFixture[str]) -> None:
        self.config = folder / "causeway.yaml"
        text = EXAMPLE.read_text().replace("url: embedded", f"url: '{redis_url}'")
        self.config.write_text(text.replace("hostname: causeway.example.com", "hostname: localhost"))
        self._capsys = capsys

    def edit(self, old: str, new: str) -> None:
        text = self.config.read_text()
        assert old in text
        self.config.write_text(text.replace(old, new, 1))

    def run(self, *arguments: str, code: int = 0) -> tuple[str, str]:
        self._capsys.readouterr()
        assert main([*arguments, "--config", str(self.config)]) == code
        output = self._capsys.readouterr()
        assert "Traceback" not in output.err
        return output.out, output.err


@pytest.fixture
def console(tmp_path: Path, redis_settings: RedisSettings, capsys: pytest.CaptureFixture[str]) -> Console:
    return Console(tmp_path, redis_settings.url, capsys)


def test_the_example_configuration_is_valid() -> None:
    command = [sys.executable, "-m", "services.cli.main", "check", "--config", str(EXAMPLE)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, "ok\n"), done.stderr


def test_check_says_ok(console: Console) -> None:
    out, err = console.run("check")
    assert out == "ok\n"
    assert err.startswith("warning: ")


@pytest.mark.parametrize(
    ("old", "new", "key", "said"),
    [
        ("mode: opportunistic", "moed: none", "ingress.tls.moed", 'did you mean "mode"?'),
        ("# certificate: tls.crt", "certificate: none.crt\n    key: none.key", "ingress.tls", "cannot be read"),
        ("# addresses:\n#   map:", "addresses:\n  map:", "addresses.map", "addresses.csv"),
        ("default_route: exchange", "default_route: exchang", "systems[0].default_route", "exchang"),
        ("default_route: exchange", "default_route: notes", "systems[0].default_route", "notes"),
        ("[10.2.0.0/16]", "[10.1.2.0/24]", "systems[1].networks", "overlaps"),
        ("redis.sock", "none.sock", "redis.url", "start Redis there"),
    ],
    ids=["unknown key", "missing certificate", "unreadable map", "unknown route", "self route", "overlap", "no Redis"],
)
def test_check_names_file_key_and_remedy(console: Console, old: str, new: str, key: str, said: str) -> None:
    console.edit(old, new)
    _, err = console.run("check", code=1)
    faults = [line for line in err.splitlines() if not line.startswith("warning: ")]
    assert len(faults) == 1
    assert faults[0].startswith(f"{console.config}: {key}: ")
    assert said in faults[0]
    out, _ = console.run("check", "--json", code=1)
    assert json.loads(out)["faults"] == faults


@pytest.mark.parametrize("service", ["ingress", "transform", "egress"])
def test_a_service_does_not_start_with_a_fault(console: Console, service: str) -> None:
    console.edit("default_route: exchange", "default_route: nowhere")
    command = [sys.executable, "-m", f"services.{service}", "--config", str(console.config)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith(f"{console.config}: systems[0].default_route: ")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("arguments", [[], ["nothing"], ["explain", "a@b"], ["ingress", "--processes", "0"], ["dead"]])
def test_wrong_usage_exits_with_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exited:
        main(arguments)
    assert exited.value.code == 2


def test_explain_shows_destination_and_next_hops_of_an_address(console: Console) -> None:
    console.edit(
        "smart_hosts:\n      - {host: exchange1",
        "smart_hosts:\n      - {host: 127.0.0.1, weight: 3, max_connections: 5, messages_per_minute: 90}\n"
        "      - {host: exchange1",
    )
    out, _ = console.run("explain", "b@exchange.example.com", "--from", "notes", "--json")
    output: dict[str, Any] = json.loads(out)
    assert (output["public"], output["system"], output["delivered_to"]) == (
        "b@example.com",
        "exchange",
        "b@exchange.example.com",
    )
    assert {(hop["host"], hop["share"], hop["tls"]) for hop in output["hosts"]} == {
        ("127.0.0.1", 0.75, "required"),
        ("exchange1.example.com", 0.25, "required"),
    }
    out, _ = console.run("explain", "b@exchange.example.com", "--from", "notes")
    assert [hop["messages_per_minute"] for hop in output["hosts"]] == [90, None]
    for text in ("b@example.com", "destination", "exchange1.example.com:25", "75%", "5 connections, 90 messages/min"):
        assert text in out


def test_explain_of_an_address_without_a_route_fails(console: Console) -> None:
    console.edit("default_route: exchange ", "default_route: null ")
    out, _ = console.run("explain", "b@elsewhere.example", "--from", "notes", code=1)
    assert "refused" in out
    _, err = console.run("explain", "b@example.com", "--from", "nobody", code=2)
    assert err == '--from: unknown system "nobody": use one of notes, exchange\n'


def test_explain_takes_an_address_as_smtp_writes_it(console: Console) -> None:
    out, _ = console.run("explain", "<b@exchange.example.com>", "--from", "notes")
    assert out.startswith("b@exchange.example.com, in mail from notes\n")
    assert console.run("explain", "<>", "--from", "notes", code=2)[1].startswith("ADDRESS: must not be empty")


def test_explain_reports_that_garbage_is_not_an_address(console: Console) -> None:
    out, _ = console.run("explain", "not an address", "--from", "notes", code=1)
    assert "refused" in out
    assert "no @" in out
    assert "default route" not in out


def test_convert_reports_each_file_and_writes_what_would_leave(console: Console, tmp_path: Path) -> None:
    (tmp_path / "in" / "deep").mkdir(parents=True)
    (tmp_path / "in" / "a.eml").write_bytes(NOTES)
    (tmp_path / "in" / "deep" / "b.eml").write_bytes(b"Subject: y\r\n\r\nNothing to do\r\n")
    folders = [str(tmp_path / "in"), "--from", "notes", "--to", "exchange", "--out", str(tmp_path / "out")]
    out, _ = console.run("convert", *folders, "--report")
    first, second = (json.loads(line) for line in out.splitlines())
    assert set(first) == {"file", "bytes", "changed", "steps", "error"}
    assert (first["file"], first["bytes"], first["changed"]) == (str(tmp_path / "in" / "a.eml"), len(NOTES), True)
    assert all(set(step) == {"name", "edits"} for step in first["steps"])
    assert second["changed"] is False
    assert b"From: a@example.com" in (tmp_path / "out" / "a.eml").read_bytes()
    assert (tmp_path / "out" / "deep" / "b.eml").read_bytes() == b"Subject: y\r\n\r\nNothing to do\r\n"
    assert (tmp_path / "in" / "a.eml").read_bytes() == NOTES
    assert (tmp_path / "out" / "a.eml").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "out").stat().st_mode & 0o777 == 0o700
    assert "a.eml exists already" in console.run("convert", *folders, code=1)[1]
    assert console.run("convert", *folders[:5], "--json")[0] == console.run("convert", *folders[:5], "--report")[0]
    folders[-1] = str(tmp_path / "other")
    out, _ = console.run("convert", *folders)
    assert f"written: {tmp_path / 'other' / 'a.eml'}" in out


def test_convert_says_that_there_are_no_files(console: Console, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    _, err = console.run("convert", str(tmp_path / "in"), "--from", "notes", "--to", "exchange", code=1)
    assert err == f"{tmp_path / 'in'}: no files\n"


def test_convert_never_overwrites_an_input(console: Console, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.eml").write_bytes(NOTES)
    arguments = ["convert", str(tmp_path / "in" / "a.eml"), "--from", "notes", "--to", "exchange", "--out"]
    _, err = console.run(*arguments, str(tmp_path / "in"), code=1)
    assert "is one of the inputs" in err
    (tmp_path / "link").symlink_to(tmp_path / "in")
    assert "is one of the inputs" in console.run(*arguments, str(tmp_path / "link"), code=1)[1]
    assert (tmp_path / "in" / "a.eml").read_bytes() == NOTES


def test_convert_goes_on_after_a_file_that_cannot_be_read_and_fails(console: Console, tmp_path: Path) -> None:
    (tmp_path / "a.eml").write_bytes(NOTES)
    paths = [str(tmp_path / "none.eml"), str(tmp_path / "a.eml")]
    out, _ = console.run("convert", *paths, "--from", "notes", "--to", "exchange", "--report", code=1)
    first, second = (json.loads(line) for line in out.splitlines())
    assert "No such file" in first["error"]
    assert second["error"] is None
    row = console.run("convert", *paths, "--from", "notes", "--to", "exchange", code=1)[0].splitlines()[1]
    assert row.split()[:4] == [paths[0], "-", "-", f"{paths[0]}:"]
    _, err = console.run("convert", *paths, "--from", "nobody", "--to", "exchange", code=2)
    assert err.startswith('--from: unknown system "nobody": use one of domino, exchange, notes')


def test_certificates_are_made_and_inspected(console: Console, tmp_path: Path) -> None:
    out, _ = console.run("certificate", "self-signed", "--out", str(tmp_path / "tls"))
    assert "localhost" in out
    assert "exists already" in console.run("certificate", "self-signed", "--out", str(tmp_path / "tls"), code=1)[1]
    console.edit("# certificate: tls.crt", "certificate: tls/tls.crt\n    key: tls/tls.key")
    output = json.loads(console.run("certificate", "inspect", "--json")[0])
    assert [(entry["use"], entry["key_matches"], entry["days_left"]) for entry in output] == [("ingress", True, 824)]
    assert "localhost" in console.run("certificate", "inspect")[0]
    out, err = console.run("check")
    assert out == "ok\n"
    expected = (
        " has no address: ",
        "hostname: localhost ",
    )  # of the example's hosts, where DNS says so; of the hostname
    assert [line for line in err.splitlines() if not any(words in line for words in expected)] == []
    console.edit(
        "{host: exchange1.example.com, port: 25, tls: required}", "{host: localhost, tls: verify, ca: tls/ca.crt}"
    )
    uses = [entry["use"] for entry in json.loads(console.run("certificate", "inspect", "--json")[0])]
    assert uses == ["ingress", "egress.exchange.localhost.ca"]


def test_a_certificate_that_is_not_yet_valid_fails_its_inspection(console: Console, tmp_path: Path) -> None:
    made = self_signed(tmp_path, ["localhost"], now=datetime.now(UTC) + timedelta(days=2))
    out, _ = console.run("certificate", "inspect", str(made.certificate), code=1)
    assert f"{datetime.now(UTC) + timedelta(days=2, hours=-1):%Y-%m-%d}" in out


def test_check_reports_a_port_in_use(console: Console) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        console.edit("0.0.0.0:2525", listen)
        _, err = console.run("check")
    assert f"warning: {console.config}: ingress.listen: {listen} is in use, " in err


def test_check_reports_an_address_of_another_machine(console: Console) -> None:
    console.edit("0.0.0.0:2525", "192.0.2.1:2525")
    assert "ingress.listen: 192.0.2.1:2525 is not an address of this machine" in console.run("check")[1]


def test_the_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exited:
        main(["--version"])
    assert exited.value.code == 0
    assert capsys.readouterr().out == f"causeway {version('causeway')}\n"


def test_inspecting_what_is_no_certificate_fails(console: Console, tmp_path: Path) -> None:
    assert "no certificate is configured" in console.run("certificate", "inspect", code=1)[1]
    assert "cannot be read" in console.run("certificate", "inspect", str(tmp_path / "none.crt"), code=1)[1]
    assert "no certificate in PEM form" in console.run("certificate", "inspect", str(console.config), code=1)[1]
    assert "--days" in console.run("certificate", "self-signed", "--days", "0", code=1)[1]
