"""`causeway check --probe` against real smart hosts: TLS, certificates and extensions as they are, or why not."""

from __future__ import annotations

import json
import ssl
from pathlib import Path
from typing import Any

import pytest

from services.cli.main import main
from shared.configuration.redis import RedisSettings
from shared.operations.certificates import SelfSigned, self_signed
from tests.support.smart_host import SmartHostServer


@pytest.fixture
def made(tmp_path: Path) -> SelfSigned:
    return self_signed(tmp_path / "tls", ["mail.example.com", "127.0.0.1"], days=10)


@pytest.fixture
def encrypted(made: SelfSigned) -> SmartHostServer:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made.certificate, made.key)
    return SmartHostServer(extensions=["PIPELINING", "SIZE 1000000", "8BITMIME"], context=context)


class Console:
    """`causeway check --probe` for one system with the given smart hosts."""

    def __init__(self, folder: Path, redis: RedisSettings, capsys: pytest.CaptureFixture[str]) -> None:
        self.config = folder / "causeway.yaml"
        self._redis = redis.url
        self._capsys = capsys

    def probe(self, *hosts: dict[str, Any], code: int = 0, options: tuple[str, ...] = ()) -> tuple[str, str]:
        system = {"name": "notes", "kind": "domino", "public_domain": "example.com", "smart_hosts": list(hosts)}
        settings = {
            "hostname": "localhost",
            "redis": {"url": self._redis},
            "ingress": {"listen": ["127.0.0.1:0"]},
            "systems": [system],
            "http": {"listen": None},
        }
        self.config.write_text(json.dumps(settings))
        assert main(["check", "--probe", "--config", str(self.config), *options]) == code
        output = self._capsys.readouterr()
        return output.out, output.err


@pytest.fixture
def console(tmp_path: Path, redis_settings: RedisSettings, capsys: pytest.CaptureFixture[str]) -> Console:
    return Console(tmp_path, redis_settings, capsys)


def at(server: SmartHostServer, **more: Any) -> dict[str, Any]:
    return {"host": "127.0.0.1", "port": server.port, **more}


def test_a_host_that_answers_is_listed_with_tls_certificate_and_extensions(
    console: Console, made: SelfSigned, encrypted: SmartHostServer
) -> None:
    with encrypted:
        out, err = console.probe(at(encrypted, tls="verify", ca=str(made.ca)))
    assert "Redis: durability " in out
    row = next(line for line in out.splitlines() if line.startswith("notes"))
    for said in (f"127.0.0.1:{encrypted.port}", "TLSv1.3", "mail.example.com, 127.0.0.1", "PIPELINING", "SIZE 1000000"):
        assert said in row
    assert "its certificate expires on " in err
    assert "accepts at most 1000000 bytes, ingress 52428800" in err
    assert not [line for line in encrypted.lines if line[0].startswith(("MAIL", "RCPT", "DATA"))]


def test_what_a_program_reads_has_the_same(console: Console, encrypted: SmartHostServer) -> None:
    with encrypted:
        out, _ = console.probe(at(encrypted, tls="required"), options=("--json",))
    [host] = json.loads(out)["probe"]["hosts"]
    assert host["fault"] is None
    assert host["certificate"]["names"] == ["mail.example.com", "127.0.0.1"]
    assert ["size", "1000000"] in host["extensions"]


def test_an_unusable_host_is_a_fault_and_the_others_are_listed(
    console: Console, made: SelfSigned, encrypted: SmartHostServer
) -> None:
    other = self_signed(made.ca.parent / "other", ["mail.example.com"])
    with encrypted, SmartHostServer() as stripped, SmartHostServer(answers={"CONNECT": "554 5.7.1 not you"}) as closed:
        out, err = console.probe(
            at(encrypted, tls="verify", ca=str(other.ca)), at(stripped, tls="required"), at(closed, tls="none"), code=1
        )
    faults = [line for line in err.splitlines() if not line.startswith("warning: ")]
    assert [fault.partition(", 127.0.0.1:")[0] for fault in faults] == [
        f"{console.config}: systems[0].smart_hosts[{number}] (notes" for number in range(3)
    ]
    for fault, said in zip(
        faults, ("certificate not trusted", "454 4.7.4 TLS is required", "554 5.7.1 not you"), strict=True
    ):
        assert said in fault
    assert len([line for line in out.splitlines() if line.startswith("notes")]) == 3


def test_a_host_without_tls_is_a_warning(console: Console) -> None:
    with SmartHostServer() as plain:
        _, err = console.probe(at(plain, tls="none"))
    assert "mail is sent in the clear: set tls to required or verify" in err


def test_without_redis_the_smart_hosts_are_asked_all_the_same(tmp_path: Path, console: Console) -> None:
    console._redis = f"unix://{tmp_path}/none.sock"
    with SmartHostServer() as plain:
        out, err = console.probe(at(plain, tls="none"), code=1)
    assert "redis.url: " in err
    assert "PIPELINING" in out
