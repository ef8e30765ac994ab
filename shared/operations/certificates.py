"""Certificates: reading them, and creating certificates for development."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from shared.configuration.settings import Settings
from shared.errors import ConfigurationError
from shared.operations.pem import certificate_problem


@dataclass(frozen=True, slots=True)
class Certificate:
    """The properties of a certificate: the first in a PEM file, or a peer's (file is None).

    names: its DNS names and IP addresses. Times are in UTC.
    """

    file: Path | None
    subject: str
    issuer: str
    names: tuple[str, ...]
    valid_from: datetime
    expires_at: datetime
    public_key: bytes

    def days_left(self, now: datetime) -> int:
        """Return the whole days until it expires; negative once it has."""
        return (self.expires_at - now).days

    def covers(self, name: str) -> bool:
        """Return whether it is valid for this host; `*.` matches exactly one label (RFC 9525 section 6.3)."""
        wanted = name.lower().rstrip(".")
        parent = wanted.partition(".")[2]
        return any(known.lower() in (wanted, f"*.{parent}" if parent else wanted) for known in self.names)


def configured(settings: Settings) -> Iterator[tuple[str, Path, Path | None]]:
    """Yield use, file and key of each certificate of the gateway, and use and file of each CA."""
    tls = settings.ingress.tls
    if tls.certificate and (tls.mode != "none" or settings.ingress.listen_tls):
        yield "ingress", tls.certificate, tls.key
        if tls.client_ca:
            yield "ingress.client_ca", tls.client_ca, None
    for system in settings.systems:
        for host in system.smart_hosts:
            use = f"egress.{system.name}.{host.host or host.mx}"
            if host.certificate:
                yield use, host.certificate, host.key
            if host.ca and host.tls == "verify":
                yield f"{use}.ca", host.ca, None


def inspect(file: Path) -> Certificate:
    """Read a certificate. Raises ConfigurationError if the file cannot be read or contains no certificate."""
    try:
        loaded = x509.load_pem_x509_certificate(file.read_bytes())
    except OSError as error:
        raise ConfigurationError(f"{file}: cannot be read ({error.strerror}): check path and permissions") from None
    except ValueError:
        raise ConfigurationError(certificate_problem(file)) from None
    return _properties(loaded, file)


def shown(der: bytes) -> Certificate:
    """Return the properties of a peer's certificate from a handshake. Raises ValueError if it is not a certificate."""
    return _properties(x509.load_der_x509_certificate(der), None)


def _properties(loaded: x509.Certificate, file: Path | None) -> Certificate:
    return Certificate(
        file,
        loaded.subject.rfc4514_string(),
        loaded.issuer.rfc4514_string(),
        _names(loaded),
        loaded.not_valid_before_utc,
        loaded.not_valid_after_utc,
        _public_bytes(loaded.public_key()),
    )


def key_matches(certificate: Certificate, key: Path) -> bool:
    """Return whether the private key belongs to the certificate. Raises ConfigurationError if it cannot be read."""
    try:
        private = serialization.load_pem_private_key(key.read_bytes(), password=None)
    except OSError as error:
        raise ConfigurationError(f"{key}: cannot be read ({error.strerror}): check path and permissions") from None
    except (ValueError, TypeError):
        raise ConfigurationError(
            f"{key}: holds no private key in PEM form without a password: remove the password"
        ) from None
    return _public_bytes(private.public_key()) == certificate.public_key


def _public_bytes(key: PublicKeyTypes) -> bytes:
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def _names(certificate: x509.Certificate) -> tuple[str, ...]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    addresses = (str(address) for address in names.get_values_for_type(x509.IPAddress))
    return (*names.get_values_for_type(x509.DNSName), *addresses)


@dataclass(frozen=True, slots=True)
class SelfSigned:
    """The files of a development certificate: trust `ca`, serve `certificate` with `key`. The CA's key is not kept."""

    ca: Path
    certificate: Path
    key: Path


def self_signed(folder: Path, names: Sequence[str], days: int = 825, now: datetime | None = None) -> SelfSigned:
    """Create a CA and a certificate for DNS names and IP addresses: ca.crt, tls.crt, tls.key in `folder`.

    For development: trusting ca.crt means trusting only this certificate, because the CA's key is discarded. Raises
    ConfigurationError if a file already exists.
    """
    files = SelfSigned(folder / "ca.crt", folder / "tls.crt", folder / "tls.key")
    for file in (files.ca, files.certificate, files.key):
        if file.exists():
            raise ConfigurationError(f"{file}: exists already: name another folder with --out, or remove it")
    begin = (now or datetime.now(UTC)) - timedelta(hours=1)  # clocks differ
    end = begin + timedelta(days=days)
    authority_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    authority_name = _name("Causeway development CA")
    authority_id = x509.SubjectKeyIdentifier.from_public_key(authority_key.public_key())
    authority = (
        _builder(authority_name, authority_name, authority_key.public_key(), begin, end)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(signs_certificates=True), critical=True)
        .add_extension(authority_id, critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    leaf = (
        _builder(_name(names[0]), authority_name, key.public_key(), begin, end)
        .add_extension(x509.SubjectAlternativeName([_general_name(name) for name in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(signs_certificates=False), critical=True)
        .add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False
        )
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(authority_id), critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    folder.mkdir(parents=True, exist_ok=True)
    files.ca.write_bytes(authority.public_bytes(serialization.Encoding.PEM))
    files.certificate.write_bytes(leaf.public_bytes(serialization.Encoding.PEM))
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    with os.fdopen(os.open(files.key, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as private:
        private.write(pem)
    return files


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common[:64])])  # RFC 5280 appendix A: ub-common-name


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, begin: datetime, end: datetime
) -> x509.CertificateBuilder:
    builder = x509.CertificateBuilder(issuer, subject, key, x509.random_serial_number())
    return builder.not_valid_before(begin).not_valid_after(end)


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
