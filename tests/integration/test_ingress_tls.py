"""TLS at ingress: STARTTLS, implicit TLS, what is demanded, client certificates, and certificates that change."""

from __future__ import annotations

import shutil
import smtplib
import socket
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import redis
import trustme

from shared.configuration.redis import RedisSettings
from shared.errors import ConfigurationError
from shared.operations.certificates import self_signed
from shared.spool import keys
from tests.conftest import Certificates
from tests.support.ingress import RECIPIENT, SENDER, SYSTEMS, RawClient, Running, running, settings, spooled

CONTENT = b"From: a@notes.example.com\r\nSubject: x\r\n\r\nHello\r\n"


@pytest.fixture
def tls(certificates: Certificates) -> dict[str, Any]:
    return {"certificate": certificates.certificate, "key": certificates.key, "client_ca": certificates.ca}


@pytest.fixture
def ingress(redis_settings: RedisSettings, tls: dict[str, Any]) -> Iterator[Running]:
    with running(settings(redis_settings, tls=tls, listen_tls=["127.0.0.1:0"])) as started:
        yield started


@pytest.fixture
def context(certificates: Certificates) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(certificates.ca))


def test_starttls_encrypts_and_the_received_field_says_so(
    ingress: Running, context: ssl.SSLContext, redis_client: redis.Redis
) -> None:
    with RawClient(ingress.port) as client:
        client.reply()
        assert "250-STARTTLS" in client.ask("EHLO client.example.com").split("\r\n")
        assert client.ask("STARTTLS") == "220 2.0.0 Ready to start TLS"
        client.start_tls(context)
        assert "STARTTLS" not in client.ask("EHLO client.example.com")
        assert client.ask("STARTTLS") == "503 5.5.1 TLS already active"
        client.begin().open_data()
        identifier = client.ask(CONTENT + b".").rpartition(" ")[2]
        version, cipher = client.socket.version(), client.socket.cipher()[0]  # type: ignore[attr-defined]
        assert client.ask("QUIT") == "221 2.0.0 Bye"
        assert client.is_closed
    content = redis_client.get(keys.content(identifier))
    assert isinstance(content, bytes)
    assert f"with ESMTPS ({version} cipher {cipher}) id {identifier}\r\n".encode() in content
    assert spooled(redis_client)[0][0].client.tls == f"{version} {cipher}"


def test_implicit_tls_encrypts_from_the_first_octet(
    ingress: Running, context: ssl.SSLContext, redis_client: redis.Redis
) -> None:
    with smtplib.SMTP_SSL("localhost", ingress.addresses[1][1], context=context) as client:
        assert client.ehlo()[0] == 250
        assert "starttls" not in client.esmtp_features
        client.sendmail(SENDER, [RECIPIENT], CONTENT)
    assert spooled(redis_client)[0][0].client.tls is not None


def test_a_large_message_comes_in_over_tls(
    ingress: Running, context: ssl.SSLContext, redis_client: redis.Redis
) -> None:
    content = CONTENT + b"x" * 76 + b"\r\n" + (b"y" * 76 + b"\r\n") * 100_000
    with smtplib.SMTP("localhost", ingress.port) as client:
        client.starttls(context=context)
        client.sendmail(SENDER, [RECIPIENT], content)
    assert spooled(redis_client)[0][1] == content


def test_mail_in_the_clear_is_refused_where_tls_is_required(
    redis_settings: RedisSettings, tls: dict[str, Any], context: ssl.SSLContext
) -> None:
    with running(settings(redis_settings, tls={**tls, "mode": "required"})) as ingress:
        with RawClient(ingress.port) as client:
            client.greet()
            assert client.ask(f"MAIL FROM:<{SENDER}>") == "530 5.7.0 Must issue a STARTTLS command first"
            assert client.ask("NOOP") == "250 2.0.0 OK"
            assert client.ask("STARTTLS") == "220 2.0.0 Ready to start TLS"
            client.start_tls(context)
            assert client.ask("EHLO client.example.com").startswith("250")
            client.begin()


def test_starttls_is_neither_announced_nor_accepted_with_tls_off(
    redis_settings: RedisSettings, tls: dict[str, Any]
) -> None:
    with running(settings(redis_settings, tls={**tls, "mode": "none"})) as ingress, RawClient(ingress.port) as client:
        client.reply()
        assert "STARTTLS" not in client.ask("EHLO client.example.com")
        assert client.ask("STARTTLS") == "502 5.5.1 Command not implemented"


def test_tls_before_1_2_is_refused(ingress: Running, context: ssl.SSLContext) -> None:
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    with RawClient(ingress.port) as client:
        client.greet()
        assert client.ask("STARTTLS").startswith("220 ")
        with pytest.raises((ssl.SSLError, ConnectionError)):
            client.start_tls(context)


def test_a_failed_handshake_leaves_the_server_up(ingress: Running, context: ssl.SSLContext) -> None:
    for _ in range(3):
        with socket.create_connection(("127.0.0.1", ingress.addresses[1][1]), timeout=10) as connection:
            connection.sendall(b"EHLO client.example.com\r\n")
            while connection.recv(4096):
                pass
    with smtplib.SMTP_SSL("localhost", ingress.addresses[1][1], context=context) as client:
        assert client.noop()[0] == 250


@pytest.mark.parametrize(
    "sent", [b"", b"\x16\x03\x01\x02\x00", b"EHLO in the clear\r\n"], ids=["nothing", "half", "text"]
)
def test_a_connection_lost_during_starttls_leaves_no_session_behind(
    redis_settings: RedisSettings, tls: dict[str, Any], sent: bytes
) -> None:
    """Else each would stay in memory for ever, and a stop would wait for it in vain."""
    ingress = Running(settings(redis_settings, tls=tls))
    with RawClient(ingress.port) as client:
        client.greet()
        assert client.ask("STARTTLS").startswith("220 ")
        client.send(sent)
    ingress.stop(seconds=10)


def test_a_session_that_times_out_during_starttls_leaves_nothing_behind(
    redis_settings: RedisSettings, tls: dict[str, Any]
) -> None:
    ingress = Running(settings(redis_settings, tls=tls, session_timeout=0.3))
    with RawClient(ingress.port) as client:
        client.greet()
        assert client.ask("STARTTLS").startswith("220 ")
        assert client.reply() in ("421 4.4.2 Timeout exceeded", "")
        assert client.is_closed
        ingress.stop(seconds=10)


def test_a_stop_during_starttls_does_not_wait_for_the_handshake(
    redis_settings: RedisSettings, tls: dict[str, Any]
) -> None:
    ingress = Running(settings(redis_settings, tls=tls, shutdown_timeout=0.2))
    with RawClient(ingress.port) as client:
        client.greet()
        assert client.ask("STARTTLS").startswith("220 ")
        ingress.stop(seconds=10)


def test_a_client_may_not_leave_more_handshakes_open_than_its_share_of_sessions(
    redis_settings: RedisSettings, tls: dict[str, Any], context: ssl.SSLContext
) -> None:
    given = settings(redis_settings, listen=[], listen_tls=["127.0.0.1:0"], tls=tls, max_sessions_per_client=1)
    with running(given) as ingress:
        with RawClient(ingress.port) as slow:
            with RawClient(ingress.port) as second:
                assert second.is_closed
            slow.start_tls(context).greet()


def test_a_certificate_name_makes_the_client_a_system(
    ingress: Running, certificates: Certificates, context: ssl.SSLContext, redis_client: redis.Redis
) -> None:
    """It goes before the network, which says `notes` here."""
    context.load_cert_chain(*certificates.issue("mail1.exchange.example.com"))
    with smtplib.SMTP("localhost", ingress.port) as client:
        client.starttls(context=context)
        client.sendmail("a@exchange.example.com", ["b@notes.example.com"], CONTENT)
    [(envelope, _)] = spooled(redis_client)
    assert envelope.source == "exchange"
    assert envelope.client.certificate_name == "mail1.exchange.example.com"


@pytest.mark.parametrize("name", ["exchange.example.com", "a.b.exchange.example.com", "mail.example.org"])
def test_a_certificate_of_another_name_proves_nothing(
    redis_settings: RedisSettings,
    tls: dict[str, Any],
    certificates: Certificates,
    context: ssl.SSLContext,
    name: str,
) -> None:
    systems = [{**system, "networks": []} for system in SYSTEMS]
    context.load_cert_chain(*certificates.issue(name))
    with running(settings(redis_settings, systems, tls=tls)) as ingress:
        with smtplib.SMTP("localhost", ingress.port) as client:
            client.starttls(context=context)
            client.ehlo()
            assert client.mail(SENDER) == (550, b"5.7.1 Client not authorized")


def _self_signed(folder: Path, name: str) -> Path:
    """Return a file with key and certificate, as Exchange makes them for itself."""
    made = self_signed(folder, [name])
    file = folder / "pair.pem"
    file.write_bytes(made.key.read_bytes() + made.certificate.read_bytes())
    return file


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("kind", ["another CA", "self-signed", "expired"])
def test_a_certificate_that_does_not_verify_proves_nothing_and_the_session_goes_on(
    redis_settings: RedisSettings,
    tls: dict[str, Any],
    certificates: Certificates,
    context: ssl.SSLContext,
    tmp_path: Path,
    *,
    kind: str,
    version: ssl.TLSVersion,
) -> None:
    """Exchange shows its self-signed certificate to whoever asks (case 05)."""
    name = "mail1.exchange.example.com"
    file = tmp_path / "client.pem"
    if kind == "self-signed":
        file = _self_signed(tmp_path / "own", name)
    else:
        authority = certificates.authority if kind == "expired" else type(certificates.authority)()
        past = datetime.now(UTC) - timedelta(days=1) if kind == "expired" else None
        authority.issue_cert(name, not_after=past).private_key_and_cert_chain_pem.write_to_path(str(file))
    context.load_cert_chain(file)
    context.minimum_version = context.maximum_version = version
    with running(settings(redis_settings, tls=tls)) as ingress, smtplib.SMTP("localhost", ingress.port) as client:
        client.starttls(context=context)
        client.sendmail(SENDER, [RECIPIENT], CONTENT)  # its network identifies it
    systems = [{**system, "networks": []} for system in SYSTEMS]
    with running(settings(redis_settings, systems, tls=tls)) as ingress:
        with smtplib.SMTP("localhost", ingress.port) as client:
            client.starttls(context=context)
            client.ehlo()
            assert client.mail(SENDER) == (550, b"5.7.1 Client not authorized")


@pytest.mark.parametrize("implicit", [False, True], ids=["STARTTLS", "listen_tls"])
def test_a_failed_handshake_is_answered_with_an_alert_and_explained(
    redis_settings: RedisSettings,
    tls: dict[str, Any],
    context: ssl.SSLContext,
    caplog: pytest.LogCaptureFixture,
    *,
    implicit: bool,
) -> None:
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("AES128-GCM-SHA256")
    with running(settings(redis_settings, tls=tls, listen_tls=["127.0.0.1:0"])) as ingress:
        port = ingress.addresses[1][1] if implicit else ingress.port
        with socket.create_connection(("localhost", port), 10) as wire:
            if not implicit:
                with wire.makefile("rb") as replies:
                    replies.readline()
                    wire.sendall(b"EHLO client.example.com\r\n")
                    while not replies.readline().startswith(b"250 "):
                        pass
                    wire.sendall(b"STARTTLS\r\n")
                    replies.readline()
            with pytest.raises(ssl.SSLError) as caught:
                context.wrap_socket(wire, server_hostname="localhost")
    assert caught.value.reason == "SSLV3_ALERT_HANDSHAKE_FAILURE"
    [event] = [record for record in caplog.records if record.getMessage() == "session.refused"]
    cause = event.__dict__["event_fields"]["cause"]
    assert "NO_SHARED_CIPHER" in cause
    assert "TLSv1.2, AES128-GCM-SHA256" in cause
    assert "ingress.tls" in cause


def test_a_client_with_rsa_key_exchange_alone_is_served_by_setting(
    redis_settings: RedisSettings, certificates: Certificates, context: ssl.SSLContext, tmp_path: Path
) -> None:
    """Domino 9.0.1 FP3 (case 07)."""
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("AES128-GCM-SHA256")
    leaf = certificates.authority.issue_cert("localhost", key_type=trustme.KeyType.RSA)
    certificate, key = tmp_path / "rsa.crt", tmp_path / "rsa.key"
    leaf.cert_chain_pems[0].write_to_path(str(certificate))
    leaf.private_key_pem.write_to_path(str(key))
    given = settings(redis_settings, tls={"certificate": certificate, "key": key, "ciphers": "DEFAULT"})
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with running(given) as ingress, smtplib.SMTP("localhost", ingress.port) as client:
        client.starttls(context=context)
        assert isinstance(client.sock, ssl.SSLSocket)
        assert client.sock.cipher() == ("AES128-GCM-SHA256", "TLSv1.2", 128)


def test_a_new_certificate_is_used_from_the_next_handshake_on(
    redis_settings: RedisSettings, certificates: Certificates, context: ssl.SSLContext, tmp_path: Path
) -> None:
    certificate, key = tmp_path / "tls.crt", tmp_path / "tls.key"
    given = settings(redis_settings, listen_tls=["127.0.0.1:0"], tls={"certificate": certificate, "key": key})

    def serial(port: int) -> object:
        with smtplib.SMTP_SSL("localhost", port, context=context) as client:
            assert isinstance(client.sock, ssl.SSLSocket)
            shown = client.sock.getpeercert()
            assert shown
            return shown["serialNumber"]

    shutil.copy(certificates.certificate, certificate)
    shutil.copy(certificates.key, key)
    with running(given) as ingress:
        before = serial(ingress.addresses[1][1])
        for source, target in zip(certificates.issue("localhost"), (certificate, key), strict=True):
            shutil.copy(source, target)
        assert serial(ingress.addresses[1][1]) != before


def test_tls_that_is_required_without_a_certificate_is_a_fault(redis_settings: RedisSettings) -> None:
    with pytest.raises(ConfigurationError, match="certificate"):
        with running(settings(redis_settings, tls={"mode": "required"})):
            pass
