"""What is said of files that are no certificate or no key: what they are, and what to do, in one line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import NameOID

from shared.configuration.ingress import IngressTls
from shared.errors import ConfigurationError
from shared.operations.certificates import SelfSigned, self_signed
from shared.operations.tls import server_context

PEM, DER = serialization.Encoding.PEM, serialization.Encoding.DER
KEY = ec.generate_private_key(ec.SECP256R1())
NAME = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mx.example.com")])


def bundle(made: SelfSigned, password: bytes | None) -> bytes:
    key = serialization.load_pem_private_key(made.key.read_bytes(), None)
    certificate = x509.load_pem_x509_certificate(made.certificate.read_bytes())
    encryption = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    return pkcs12.serialize_key_and_certificates(b"x", key, certificate, None, encryption)  # type: ignore[arg-type]


def request(_made: SelfSigned) -> bytes:
    return x509.CertificateSigningRequestBuilder(NAME).sign(KEY, hashes.SHA256()).public_bytes(PEM)


def der(made: SelfSigned) -> bytes:
    return x509.load_pem_x509_certificate(made.certificate.read_bytes()).public_bytes(DER)


def with_password(made: SelfSigned) -> bytes:
    key = serialization.load_pem_private_key(made.key.read_bytes(), None)
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(PEM, form, serialization.BestAvailableEncryption(b"secret"))


def other_key(_made: SelfSigned) -> bytes:
    return KEY.private_bytes(PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def problem(certificate: Path, key: Path) -> str:
    with pytest.raises(ConfigurationError) as raised:
        server_context(IngressTls(certificate=certificate, key=key))
    (line,) = raised.value.faults
    assert "\n" not in line
    return line


@pytest.fixture
def made(tmp_path: Path) -> SelfSigned:
    return self_signed(tmp_path, ["mx.example.com"])


def test_certificate_and_key_that_are_swapped_are_recognized(made: SelfSigned) -> None:
    assert problem(made.key, made.certificate).endswith("are swapped: exchange the two files")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (lambda made: bundle(made, None), "is PKCS #12 (.pfx, .p12), not PEM: convert it: openssl pkcs12 -in x.file"),
        (
            lambda made: bundle(made, b"secret"),
            "is PKCS #12 (.pfx, .p12), not PEM: convert it: openssl pkcs12 -in x.file",
        ),
        (request, "is a certificate request: give the certificate that the CA issued for it"),
        (der, "is DER, not PEM: convert it: openssl x509 -inform der -in x.file"),
        (lambda made: made.key.read_bytes(), "is a private key: give the certificate that belongs to it"),
        (lambda _: b"", "holds no certificate in PEM form: give one that begins with BEGIN CERTIFICATE"),
        (lambda _: b"\x30\x82\x02\x01\x03\x30rubbish", "holds no certificate in PEM form"),
    ],
)
def test_a_file_that_is_no_certificate_is_named_for_what_it_is(
    made: SelfSigned, tmp_path: Path, content: Callable[[SelfSigned], bytes], said: str
) -> None:
    file = tmp_path / "x.file"
    file.write_bytes(content(made))
    assert f"{file} {said}" in problem(file, made.key)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (with_password, "has a password: remove it: openssl pkey -in x.file"),
        (lambda made: made.certificate.read_bytes(), "is a certificate: give the private key that belongs to it"),
        (lambda made: bundle(made, b"secret"), "is PKCS #12"),
        (lambda _: b"x", "holds no private key in PEM form"),
    ],
)
def test_a_file_that_is_no_usable_key_is_named_for_what_it_is(
    made: SelfSigned, tmp_path: Path, content: Callable[[SelfSigned], bytes], said: str
) -> None:
    file = tmp_path / "x.file"
    file.write_bytes(content(made))
    assert f"{file} {said}" in problem(made.certificate, file)


def test_a_key_of_another_certificate_is_recognized(made: SelfSigned, tmp_path: Path) -> None:
    file = tmp_path / "x.file"
    file.write_bytes(other_key(made))
    assert "the key belongs to another certificate" in problem(made.certificate, file)
