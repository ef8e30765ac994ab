"""TLS contexts in real handshakes: versions, what is verified, what happens when files change."""

from __future__ import annotations

import json
import logging
import resource
import shutil
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from shared.configuration.ingress import IngressTls
from shared.configuration.smart_hosts import SmartHost
from shared.errors import ConfigurationError
from shared.operations.certificates import SelfSigned, self_signed
from shared.operations.tls import Tls, client_context, server_context
from tests.conftest import Certificates


def handshake(
    server: ssl.SSLContext, client: ssl.SSLContext, name: str = "localhost"
) -> tuple[ssl.SSLObject, ssl.SSLObject]:
    """Shake hands in memory; return both ends. Raises SSLError as either end would."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    near = client.wrap_bio(to_client, to_server, server_hostname=name)
    far = server.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(10):
        waiting = 0
        for end in (near, far):
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                waiting += 1
        if not waiting:
            break
    return near, far


def server_tls(made: Certificates | SelfSigned, client_ca: Path | None = None) -> IngressTls:
    return IngressTls(certificate=made.certificate, key=made.key, client_ca=client_ca)


def serial(end: ssl.SSLObject) -> str:
    return ssl.DER_cert_to_PEM_cert(end.getpeercert(binary_form=True) or b"")


def blind(**more: Any) -> ssl.SSLContext:
    return client_context(SmartHost(host="localhost", tls="required", **more))


@pytest.mark.parametrize("level", ["opportunistic", "required"])
def test_without_verify_any_certificate_is_taken(certificates: Certificates, level: Any) -> None:
    host = SmartHost(host="localhost", tls=level)
    near, _ = handshake(server_context(server_tls(certificates)), client_context(host), "other.example.com")
    assert near.version() == "TLSv1.3"


def test_verify_takes_a_certificate_of_the_ca_with_the_name(certificates: Certificates) -> None:
    host = SmartHost(host="localhost", tls="verify", ca=certificates.ca)
    near, _ = handshake(server_context(server_tls(certificates)), client_context(host), "mail.example.com")
    assert near.getpeercert()


def test_verify_refuses_another_name(certificates: Certificates) -> None:
    host = SmartHost(host="localhost", tls="verify", ca=certificates.ca)
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        handshake(server_context(server_tls(certificates)), client_context(host), "other.example.com")


def test_verify_refuses_another_ca(certificates: Certificates, tmp_path: Path) -> None:
    for ca in (self_signed(tmp_path, ["localhost"]).ca, None):
        host = SmartHost(host="localhost", tls="verify", ca=ca)
        with pytest.raises(ssl.SSLCertVerificationError):
            handshake(server_context(server_tls(certificates)), client_context(host))


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_nothing_older_than_tls_1_2_is_spoken(certificates: Certificates) -> None:
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
    old.set_ciphers("ALL:@SECLEVEL=0")
    old.minimum_version, old.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    with pytest.raises(ssl.SSLError):
        handshake(server_context(server_tls(certificates)), old)
    assert blind().minimum_version == ssl.TLSVersion.TLSv1_2


def test_a_client_certificate_is_asked_for_and_not_demanded(certificates: Certificates) -> None:
    certificate, key = certificates.issue("client.example.com")
    server = server_context(server_tls(certificates, client_ca=certificates.ca))
    _, far = handshake(server, blind(certificate=certificate, key=key))
    assert (far.getpeercert() or {})["subjectAltName"] == (("DNS", "client.example.com"),)
    _, far = handshake(server, blind())
    assert not far.getpeercert()


def test_a_host_without_tls_has_no_context() -> None:
    with pytest.raises(ValueError, match="no TLS context"):
        client_context(SmartHost(host="localhost", tls="none"))


def rsa_key() -> bytes:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())


def test_files_that_do_not_fit_are_told_in_one_line(certificates: Certificates, tmp_path: Path) -> None:
    other = self_signed(tmp_path, ["localhost"])
    of_another_kind = tmp_path / "rsa.key"
    of_another_kind.write_bytes(rsa_key())
    nothing = tmp_path / "empty.crt"
    nothing.touch()
    for tls, said in (
        (IngressTls(certificate=certificates.certificate, key=other.key), "another certificate"),
        (IngressTls(certificate=other.certificate, key=of_another_kind), "another certificate"),
        (IngressTls(certificate=tmp_path / "none.crt", key=other.key), "none.crt cannot be read (No such file"),
        (IngressTls(certificate=other.certificate, key=tmp_path / "none.key"), "none.key cannot be read (No such file"),
        (IngressTls(certificate=nothing, key=other.key), "no certificate in PEM form"),
        (IngressTls(certificate=other.certificate), "both needed"),
        (server_tls(other, client_ca=nothing), "no certificate in PEM form"),
        (server_tls(other, client_ca=tmp_path / "none.crt"), "ingress.tls.client_ca: "),
    ):
        with pytest.raises(ConfigurationError) as caught:
            server_context(tls)
        assert said in str(caught.value)
        assert "\n" not in str(caught.value)


@pytest.fixture
def events(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    with caplog.at_level(logging.INFO, "causeway"):
        yield caplog


def names(events: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in events.records]


def replace(target: SelfSigned, source: SelfSigned, key: bool = True) -> None:
    shutil.copy(source.certificate, target.certificate)
    if key:
        shutil.copy(source.key, target.key)


def test_a_new_certificate_is_used_from_the_next_handshake(tmp_path: Path, events: pytest.LogCaptureFixture) -> None:
    made, newer = self_signed(tmp_path / "a", ["localhost"]), self_signed(tmp_path / "b", ["localhost"])
    tls = Tls.server(server_tls(made))
    replace(made, newer)
    near, _ = handshake(tls.context(), blind())
    assert serial(near) == newer.certificate.read_text()
    assert names(events) == ["certificate.reloaded"]


def test_a_broken_certificate_leaves_the_old_one_in_use(tmp_path: Path, events: pytest.LogCaptureFixture) -> None:
    """A half done renewal, certificate without its key, is told once, and mended by the key."""
    made, newer = self_signed(tmp_path / "a", ["localhost"]), self_signed(tmp_path / "b", ["localhost"])
    old = made.certificate.read_text()
    tls = Tls.server(server_tls(made))
    replace(made, newer, key=False)
    for _ in range(2):
        assert serial(handshake(tls.context(), blind())[0]) == old
    assert names(events) == ["certificate.rejected"]
    assert "another certificate" in json.dumps(events.records[0].__dict__["event_fields"])
    replace(made, newer)
    assert serial(handshake(tls.context(), blind())[0]) == newer.certificate.read_text()


def test_a_certificate_that_vanishes_stays_in_use(tmp_path: Path, events: pytest.LogCaptureFixture) -> None:
    made = self_signed(tmp_path, ["localhost"])
    tls = Tls.server(server_tls(made))
    before = tls.context()
    made.certificate.unlink()
    assert tls.context() is before
    assert names(events) == ["certificate.rejected"]


def test_a_new_certificate_that_can_be_read_only_later_is_used_then(
    tmp_path: Path, events: pytest.LogCaptureFixture
) -> None:
    """Its permissions may be set last, or no file descriptor may be left: neither changes the file."""
    made, newer = self_signed(tmp_path / "a", ["localhost"]), self_signed(tmp_path / "b", ["localhost"])
    tls = Tls.server(server_tls(made))
    replace(made, newer)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
    try:
        tls.context()
        tls.context()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert serial(handshake(tls.context(), blind())[0]) == newer.certificate.read_text()
    assert names(events) == ["certificate.rejected", "certificate.reloaded"]


def test_unchanged_files_are_not_read_again(tmp_path: Path) -> None:
    made = self_signed(tmp_path, ["localhost"])
    tls = Tls.client(SmartHost(host="localhost", tls="verify", ca=made.ca))
    assert tls.context() is tls.context()


def test_a_new_client_ca_counts_from_the_next_handshake(certificates: Certificates, tmp_path: Path) -> None:
    other = self_signed(tmp_path / "a", ["localhost"])
    ca = tmp_path / "clients.crt"
    shutil.copy(other.ca, ca)
    certificate, key = certificates.issue("client.example.com")
    tls = Tls.server(server_tls(certificates, client_ca=ca))
    shutil.copy(certificates.ca, ca)
    _, far = handshake(tls.context(), blind(certificate=certificate, key=key))
    assert far.getpeercert()
