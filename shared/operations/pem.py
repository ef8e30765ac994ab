"""What a file that should hold a certificate or a key holds instead, by its first bytes."""

from __future__ import annotations

import re
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import pkcs12

_BEGIN = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----")
MAX_BYTES = 1_048_576


def labels(content: bytes) -> list[str]:
    """Return the labels of the PEM blocks in a file (RFC 7468), such as CERTIFICATE and EC PRIVATE KEY."""
    return [label.decode() for label in _BEGIN.findall(content)]


def pair_problem(certificate: Path, key: Path) -> str:
    """Return why a certificate and its key cannot be used, with the remedy, in one line.

    For files that can be read, and that TLS refused.
    """
    shown, kept = _read(certificate), _read(key)
    has_certificate = "CERTIFICATE" in labels(shown) or "TRUSTED CERTIFICATE" in labels(shown)
    if not has_certificate and _has_key(shown) and "CERTIFICATE" in labels(kept):
        return "certificate and key are swapped: exchange the two files"
    if problem := (not has_certificate and certificate_problem(certificate)) or (not _has_key(kept) and _no_key(key)):
        return problem
    if "ENCRYPTED PRIVATE KEY" in labels(kept) or b"Proc-Type: 4,ENCRYPTED" in kept:
        return f"{key} has a password: remove it: openssl pkey -in {key.name} -out new.key"
    return "the key belongs to another certificate: give a matching pair"


def certificate_problem(file: Path) -> str:
    """Return what a file is that holds no certificate in PEM form, with the remedy, in one line."""
    content = _read(file)
    if _is_pkcs12(content):
        return (
            f"{file} is PKCS #12 (.pfx, .p12), not PEM: convert it: "
            f"openssl pkcs12 -in {file.name} -nokeys -out tls.crt, "
            f"and openssl pkcs12 -in {file.name} -nocerts -nodes -out tls.key"
        )
    if "CERTIFICATE REQUEST" in labels(content) or "NEW CERTIFICATE REQUEST" in labels(content):
        return f"{file} is a certificate request: give the certificate that the CA issued for it"
    if "PKCS7" in labels(content):
        return f"{file} is PKCS #7 (.p7b): convert it: openssl pkcs7 -in {file.name} -print_certs -out tls.crt"
    if _has_key(content):
        return f"{file} is a private key: give the certificate that belongs to it"
    if _is_der(content):
        return f"{file} is DER, not PEM: convert it: openssl x509 -inform der -in {file.name} -out tls.crt"
    return f"{file} holds no certificate in PEM form: give one that begins with BEGIN CERTIFICATE"


def _no_key(file: Path) -> str:
    content = _read(file)
    if _is_pkcs12(content):
        return certificate_problem(file)
    if "CERTIFICATE" in labels(content):
        return f"{file} is a certificate: give the private key that belongs to it"
    return f"{file} holds no private key in PEM form: give one that begins with BEGIN PRIVATE KEY"


def _has_key(content: bytes) -> bool:
    return any(label.endswith("PRIVATE KEY") for label in labels(content))


def _is_der(content: bytes) -> bool:
    try:
        x509.load_der_x509_certificate(content)
    except ValueError:
        return False
    return True


def _is_pkcs12(content: bytes) -> bool:
    """Whether it is PKCS #12, which begins with a sequence and the version 3 (RFC 7292 section 4)."""
    if b"\x02\x01\x03\x30" not in content[:16]:
        return False
    try:
        pkcs12.load_key_and_certificates(content, None)
    except ValueError as error:
        return "password" in str(error).lower() or "mac" in str(error).lower()
    return True


def _read(file: Path) -> bytes:
    with file.open("rb") as opened:
        return opened.read(MAX_BYTES)
