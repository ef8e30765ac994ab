"""Does a host show what its TLSA records demand? Pure (RFC 6698, RFC 7671, RFC 7672).

Usage 3, DANE-EE: the host's own certificate or key; neither name nor dates nor CA count. Usage 2, DANE-TA: a CA in the
chain that the host shows, which then has to verify, names and dates included. Usages 0 and 1 are unusable for SMTP
(RFC 7672 section 3.1.3), and so are unknown parameters. Where no record is usable, DANE does not apply.

Quirks: Python before 3.13 does not give out a chain that it did not verify; there usage 2 is unusable too.
"""

from __future__ import annotations

import hashlib
import ssl
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any, cast

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from OpenSSL import crypto

from shared.operations.certificates import shown

DANE_TA, DANE_EE = 2, 3
CERTIFICATE, KEY = 0, 1
"""Selectors: a whole certificate, or its SubjectPublicKeyInfo."""
_DIGESTS: dict[int, Callable[[bytes], bytes]] = {
    0: bytes,
    1: lambda data: hashlib.sha256(data).digest(),
    2: lambda data: hashlib.sha512(data).digest(),
}
_LENGTHS = {1: 32, 2: 64}

HAS_CHAIN = hasattr(ssl.SSLObject, "get_unverified_chain")


@dataclass(frozen=True, slots=True)
class Tlsa:
    """One record (RFC 6698 section 2.1)."""

    usage: int
    selector: int
    matching: int
    data: bytes

    def is_usable(self, *, has_chain: bool = HAS_CHAIN) -> bool:
        """Return whether a host can be held to it. has_chain: we see the certificates above that of the host."""
        if self.usage not in ((DANE_TA, DANE_EE) if has_chain else (DANE_EE,)):
            return False
        known = self.selector in (CERTIFICATE, KEY) and self.matching in _DIGESTS
        return known and 0 < len(self.data) == _LENGTHS.get(self.matching, len(self.data))

    def fits(self, certificate: x509.Certificate) -> bool:
        """Return whether the record is about this certificate."""
        selected = certificate.public_bytes(Encoding.DER) if self.selector == CERTIFICATE else _key(certificate)
        return _DIGESTS[self.matching](selected) == self.data


@dataclass(frozen=True, slots=True)
class TlsaSet:
    """The validated records at `_PORT._tcp.NAME`; none where DANE does not apply. name: for SNI (RFC 7672 8.1)."""

    name: str
    records: tuple[Tlsa, ...] = ()

    @property
    def is_usable(self) -> bool:
        """Whether a host can be held to one of them."""
        return any(record.is_usable() for record in self.records)


def mismatch(
    records: Collection[Tlsa], chain: Sequence[bytes], names: Collection[str], *, has_chain: bool = HAS_CHAIN
) -> str | None:
    """Return why no usable record fits what the host shows; None where one does.

    chain: as DER, the host's own certificate first. names: a certificate under DANE-TA must have one of them.
    """
    usable = [record for record in records if record.is_usable(has_chain=has_chain)]
    if not chain:
        return "host has no certificate"
    try:
        leaf = x509.load_der_x509_certificate(chain[0])
        if any(record.usage == DANE_EE and record.fits(leaf) for record in usable):
            return None
        of_anchors = [record for record in usable if record.usage == DANE_TA]
        others = [x509.load_der_x509_certificate(der) for der in chain[1:]] if of_anchors else []
        anchors = [other for other in others if any(record.fits(other) for record in of_anchors)]
        is_named = any(shown(chain[0]).covers(name) for name in names)
    except (ValueError, UnsupportedAlgorithm) as error:
        return f"certificate cannot be read: {error}"
    if not anchors:
        return "certificate does not match the TLSA records"
    if not is_named:
        return f"certificate is not for {' or '.join(sorted(names))}"
    reasons = [_untrusted(leaf, others, anchor) for anchor in anchors]
    return None if None in reasons else reasons[0]


def _key(certificate: x509.Certificate) -> bytes:
    return certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _untrusted(leaf: x509.Certificate, others: Sequence[x509.Certificate], anchor: x509.Certificate) -> str | None:
    """Return why the chain does not lead to the anchor; None where it does."""
    store = crypto.X509Store()
    store.add_cert(crypto.X509.from_cryptography(anchor))
    store.set_flags(crypto.X509StoreFlags.PARTIAL_CHAIN)  # the anchor need not be self-signed (RFC 7671 section 5.2)
    between = [crypto.X509.from_cryptography(other) for other in others]
    try:
        crypto.X509StoreContext(store, crypto.X509.from_cryptography(leaf), between).verify_certificate()
    except crypto.X509StoreContextError as error:
        return f"certificate not trusted by the TLSA records: {error}"
    return None


def chain_shown(tls: ssl.SSLObject) -> list[bytes]:
    """Return the certificates that a peer shows, as DER, its own first; its own alone where Python gives no more."""
    if HAS_CHAIN:
        return list(cast("Any", tls).get_unverified_chain())
    own = tls.getpeercert(binary_form=True)
    return [own] if own else []
