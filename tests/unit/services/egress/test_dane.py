"""What TLSA records demand of a certificate, against certificates of a real CA."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from services.egress.dane import Tlsa, mismatch

NAMES = {"mail.example.com"}
DIGESTS: dict[int, Callable[[bytes], bytes]] = {
    0: bytes,
    1: lambda data: hashlib.sha256(data).digest(),
    2: lambda data: hashlib.sha512(data).digest(),
}


def der_of(blob: trustme.Blob) -> bytes:
    return x509.load_pem_x509_certificate(blob.bytes()).public_bytes(Encoding.DER)


@dataclass(frozen=True)
class Chain:
    """A certificate for mail.example.com under an intermediate CA under a root."""

    leaf: bytes
    intermediate: bytes
    root: bytes

    @property
    def shown(self) -> list[bytes]:
        return [self.leaf, self.intermediate]


def make_chain(name: str = "mail.example.com") -> Chain:
    root = trustme.CA()
    child = root.create_child_ca()
    return Chain(der_of(child.issue_cert(name).cert_chain_pems[0]), der_of(child.cert_pem), der_of(root.cert_pem))


@pytest.fixture(scope="module")
def chain() -> Chain:
    return make_chain()


def record(usage: int, selector: int, matching: int, certificate: bytes) -> Tlsa:
    """Return the record that an administrator publishes for a certificate."""
    key = x509.load_der_x509_certificate(certificate).public_key()
    data = certificate if selector == 0 else key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return Tlsa(usage, selector, matching, DIGESTS[matching](data))


@pytest.mark.parametrize("matching", [0, 1, 2])
@pytest.mark.parametrize("selector", [0, 1])
def test_dane_ee_fits_the_hosts_own_certificate_and_no_other(chain: Chain, selector: int, matching: int) -> None:
    fitting = record(3, selector, matching, chain.leaf)
    other = record(3, selector, matching, make_chain().leaf)
    for has_chain in (False, True):
        assert mismatch([other, fitting], [chain.leaf], set(), has_chain=has_chain) is None
        assert mismatch([other], chain.shown, NAMES, has_chain=has_chain) is not None


def test_dane_ee_does_not_fit_a_ca(chain: Chain) -> None:
    assert mismatch([record(3, 1, 1, chain.intermediate)], chain.shown, NAMES, has_chain=True) is not None


@pytest.mark.parametrize("matching", [0, 1, 2])
@pytest.mark.parametrize("selector", [0, 1])
def test_dane_ta_fits_a_ca_that_the_host_shows(chain: Chain, selector: int, matching: int) -> None:
    anchored = [record(2, selector, matching, chain.intermediate)]
    assert mismatch(anchored, chain.shown, NAMES, has_chain=True) is None
    of_root = [record(2, selector, matching, chain.root)]
    assert mismatch(of_root, [*chain.shown, chain.root], NAMES, has_chain=True) is None
    assert mismatch(of_root, chain.shown, NAMES, has_chain=True) is not None, "RFC 7671 section 5.2.2"


def test_dane_ta_checks_the_name(chain: Chain) -> None:
    anchored = [record(2, 0, 1, chain.intermediate)]
    assert mismatch(anchored, chain.shown, {"else.example.com"}, has_chain=True) is not None
    assert mismatch(anchored, chain.shown, {"else.example.com", "mail.example.com"}, has_chain=True) is None


def test_dane_ta_needs_signatures_from_the_anchor_to_the_host(chain: Chain) -> None:
    """A host can show any public CA behind a certificate of its own making."""
    forged = make_chain()
    anchored = [record(2, 1, 1, chain.intermediate)]
    assert mismatch(anchored, [forged.leaf, chain.intermediate], NAMES, has_chain=True) is not None
    assert mismatch(anchored, [*forged.shown, chain.intermediate], NAMES, has_chain=True) is not None


def test_without_the_chain_dane_ta_is_unusable_and_fits_nothing(chain: Chain) -> None:
    anchored = record(2, 0, 1, chain.intermediate)
    assert not anchored.is_usable(has_chain=False)
    assert mismatch([anchored], chain.shown, NAMES, has_chain=False) is not None


@pytest.mark.parametrize("usage", [0, 1, 4, 255])
def test_the_usages_of_the_web_are_unusable(chain: Chain, usage: int) -> None:
    """RFC 7672 section 3.1.3."""
    of_web = record(usage, 0, 1, chain.leaf)
    assert not of_web.is_usable(has_chain=True)
    assert mismatch([of_web], chain.shown, NAMES, has_chain=True) is not None


@pytest.mark.parametrize(
    "unknown", [Tlsa(3, 2, 1, bytes(32)), Tlsa(3, 1, 3, bytes(32)), Tlsa(3, 1, 1, bytes(31)), Tlsa(3, 0, 0, b"")]
)
def test_unknown_parameters_are_unusable(unknown: Tlsa) -> None:
    assert not unknown.is_usable(has_chain=True)


@given(st.integers(0, 255), st.integers(0, 255), st.integers(0, 255), st.binary(max_size=80))
def test_no_other_record_ever_fits(usage: int, selector: int, matching: int, data: bytes) -> None:
    assert mismatch([Tlsa(usage, selector, matching, data)], _CHAIN.shown, NAMES, has_chain=True) is not None


@pytest.mark.parametrize("shown", [[], [b""], [b"no certificate"]])
def test_what_is_no_certificate_fits_nothing(chain: Chain, shown: list[bytes]) -> None:
    assert mismatch([record(3, 1, 1, chain.leaf)], shown, NAMES) is not None


_CHAIN = make_chain()
