"""What `causeway check --probe` says of real TLS faults: what the error means, and what to do."""

from __future__ import annotations

import json
import socket
import ssl
import threading
from contextlib import nullcontext, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import trustme

from services.cli.main import main
from shared.configuration.redis import RedisSettings
from shared.operations.certificates import SelfSigned, self_signed
from tests.support.smart_host import SmartHostServer

HERE = ["127.0.0.1"]


def server(made: SelfSigned, **limits: Any) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made.certificate, made.key)
    for name, value in limits.items():
        setattr(context, name, value)
    return context


class Blocking:
    """A smart host that answers a failed handshake with an alert, as mail servers do; asyncio's closes instead."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context

    def __enter__(self) -> Blocking:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.join(30)
        self._listener.close()
        assert not self._thread.is_alive()

    def _serve(self) -> None:
        connection, _ = self._listener.accept()
        with connection:
            for line in (b"220 ready\r\n", b"250-mail.example.com\r\n250 STARTTLS\r\n", b"220 go ahead\r\n"):
                connection.sendall(line)
                if line != b"220 go ahead\r\n":
                    connection.recv(1000)
            with suppress(OSError):
                self._context.wrap_socket(connection, server_side=True).close()


class Probe:
    def __init__(self, folder: Path, redis: RedisSettings, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self._redis, self._capsys = folder, redis, capsys

    def fault(self, host: SmartHostServer | Blocking | None, **entry: Any) -> str:
        """Return the fault of the second smart host of the second system."""
        with host or nullcontext(), SmartHostServer() as well:
            port = {"host": "127.0.0.1", "port": host.port} if host else {}
            fine = {"host": "127.0.0.1", "port": well.port, "tls": "none"}
            systems = [
                {"name": "notes", "kind": "domino", "public_domain": "example.com", "smart_hosts": [fine]},
                {"name": "exchange", "kind": "exchange", "smart_hosts": [fine, {**port, **entry}]},
            ]
            settings = {"hostname": "mx.example.com", "redis": {"url": self._redis.url}, "systems": systems}
            file = self.folder / "causeway.yaml"
            file.write_text(json.dumps({**settings, "ingress": {"listen": ["127.0.0.1:0"]}, "http": {"listen": None}}))
            assert main(["check", "--probe", "--config", str(file)]) == 1
        lines = [line for line in self._capsys.readouterr().err.splitlines() if not line.startswith("warning: ")]
        (fault,) = lines
        assert fault.startswith(f"{file}: systems[1].smart_hosts[1] (exchange, ")
        return fault


@pytest.fixture
def probe(tmp_path: Path, redis_settings: RedisSettings, capsys: pytest.CaptureFixture[str]) -> Probe:
    return Probe(tmp_path, redis_settings, capsys)


@pytest.fixture
def made(tmp_path: Path) -> SelfSigned:
    return self_signed(tmp_path / "tls", HERE)


def test_an_unknown_ca(probe: Probe, made: SelfSigned) -> None:
    assert "its CA is not known here" in probe.fault(SmartHostServer(context=server(made)), tls="verify")


def test_a_self_signed_certificate(probe: Probe, tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.private_key_pem.write_to_path(str(tmp_path / "own.key"))
    authority.cert_pem.write_to_path(str(tmp_path / "own.crt"))
    own = SelfSigned(tmp_path / "own.crt", tmp_path / "own.crt", tmp_path / "own.key")
    fault = probe.fault(SmartHostServer(context=server(own)), tls="verify")
    assert "self-signed certificate: it shows a certificate that no CA has signed" in fault


def test_a_certificate_for_another_name(probe: Probe, tmp_path: Path) -> None:
    other = self_signed(tmp_path / "other", ["mail.example.com"])
    fault = probe.fault(SmartHostServer(context=server(other)), tls="verify", ca=str(other.ca))
    assert "its certificate is for other names, or has a CN alone: set `name`" in fault


@pytest.mark.parametrize(
    ("begins", "ends", "said"),
    [(-20, -10, "have its owners renew it"), (10, 20, "its time has not begun: correct the clock")],
)
def test_a_certificate_out_of_its_time(probe: Probe, tmp_path: Path, begins: int, ends: int, said: str) -> None:
    authority, now = trustme.CA(), datetime.now(UTC)
    issued = authority.issue_cert(*HERE, not_before=now + timedelta(days=begins), not_after=now + timedelta(days=ends))
    authority.cert_pem.write_to_path(str(tmp_path / "ca.crt"))
    issued.private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "tls.pem"))
    made = SelfSigned(tmp_path / "ca.crt", tmp_path / "tls.pem", tmp_path / "tls.pem")
    fault = probe.fault(SmartHostServer(context=server(made)), tls="verify", ca=str(made.ca))
    assert said in fault


def test_no_common_cipher(probe: Probe, made: SelfSigned) -> None:
    context = server(made, maximum_version=ssl.TLSVersion.TLSv1_2)
    context.set_ciphers("AES256-GCM-SHA384:AES128-GCM-SHA256")  # RSA key exchange, which an EC certificate cannot do
    fault = probe.fault(Blocking(context), tls="required")
    assert "no cipher in common with the host" in fault


def test_an_old_version_of_tls(probe: Probe, made: SelfSigned) -> None:
    context = server(made)
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    assert "no TLS version in common with the host" in probe.fault(Blocking(context), tls="required")


def test_no_tls_on_the_port(probe: Probe) -> None:
    fault = probe.fault(SmartHostServer(), tls="required", implicit=True)
    assert "the host does not speak TLS: remove `implicit: true` for STARTTLS" in fault


def test_no_starttls(probe: Probe) -> None:
    assert "it offers no STARTTLS: have it switched on there" in probe.fault(SmartHostServer(), tls="required")


def test_a_client_certificate_that_the_host_demands(probe: Probe, made: SelfSigned) -> None:
    context = server(made, maximum_version=ssl.TLSVersion.TLSv1_2, verify_mode=ssl.CERT_REQUIRED)
    context.load_verify_locations(made.ca)
    fault = probe.fault(Blocking(context), tls="required")
    assert fault.endswith("or it wants a client certificate: set `certificate` and `key`")
