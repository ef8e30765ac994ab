"""TLS contexts, as a server and as a client: TLS 1.2 or later by default, read again when their files change.

A `Tls` hands out the context to use for the next handshake. New files that cannot be used (half written, not to be
read yet, key of another certificate) leave the old context in use, are told once, as the event `certificate.rejected`,
and are tried again at every handshake.
"""

from __future__ import annotations

import ssl
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

from shared.configuration.ingress import IngressTls
from shared.configuration.smart_hosts import SmartHost
from shared.errors import ConfigurationError
from shared.history.configuration import CertificateRejected, CertificateReloaded
from shared.operations.asking_context import AskingContext
from shared.operations.log import emit
from shared.operations.pem import certificate_problem, pair_problem

DEFAULT_CIPHERS = "@SECLEVEL=2:ECDH+AESGCM:ECDH+CHACHA20:ECDH+AES:DHE+AES:!aNULL:!eNULL:!aDSS:!SHA1:!AESCCM"
"""Of TLS 1.2, without `ciphers`: forward secrecy and no SHA-1, as Python has them. TLS 1.3 has ciphers of its own."""
OLD_CIPHERS = "DEFAULT:!aNULL:!eNULL:@SECLEVEL=0"
"""Without `ciphers`, where `tls_minimum` admits TLS 1.0 or 1.1: both use SHA-1, which OpenSSL has at level 0 only."""
_VERSIONS = {
    "TLSv1": ssl.TLSVersion.TLSv1,
    "TLSv1.1": ssl.TLSVersion.TLSv1_1,
    "TLSv1.2": ssl.TLSVersion.TLSv1_2,
    "TLSv1.3": ssl.TLSVersion.TLSv1_3,
}

Signature = tuple[tuple[int, int, int] | None, ...]


def server_context(tls: IngressTls) -> ssl.SSLContext:
    """Return a context with our certificate; with `client_ca` it asks for client certificates, and demands none.

    A client certificate that does not verify proves nothing, and the handshake goes on. Raises ConfigurationError where
    files are missing or do not fit each other, or OpenSSL knows none of the ciphers.
    """
    if tls.certificate is None or tls.key is None:
        raise ConfigurationError("ingress.tls: certificate and key are both needed: name both, or set mode to none")
    context = AskingContext() if tls.client_ca else ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _restrict(context, tls, "ingress.tls.")
    _load_chain(context, tls.certificate, tls.key, "ingress.tls")
    if tls.client_ca:
        _load_ca(context, tls.client_ca, "ingress.tls.client_ca")
        assert isinstance(context, AskingContext)
        context.ask(tls.certificate, tls.key, tls.client_ca, _cipher_list(tls))
    return context


def client_context(host: SmartHost) -> ssl.SSLContext:
    """Return the context for one smart host: `verify` checks CA and name, `required` and `opportunistic` check nothing.

    The name to check is `server_hostname` of the handshake: `host.name`, or the host's own. Raises ConfigurationError
    where files are missing or do not fit each other, ValueError for a host with `tls: none`, which never has a
    handshake.
    """
    if host.tls == "none":
        raise ValueError("a smart host with `tls: none` has no TLS context")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    _restrict(context, host, "")
    if host.tls != "verify":
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif host.ca:
        _load_ca(context, host.ca, "ca")
    else:
        context.load_default_certs(ssl.Purpose.SERVER_AUTH)
    if host.certificate and host.key:
        _load_chain(context, host.certificate, host.key, "certificate")
    return context


def _restrict(context: ssl.SSLContext, settings: IngressTls | SmartHost, section: str) -> None:
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of versions before 1.2, for those who ask for them
        context.minimum_version = _VERSIONS[settings.tls_minimum]
    try:
        context.set_ciphers(_cipher_list(settings))
    except ssl.SSLError:
        raise ConfigurationError(
            f"{section}ciphers: OpenSSL finds no cipher in {settings.ciphers}: write a cipher list such as DEFAULT"
        ) from None


def _cipher_list(settings: IngressTls | SmartHost) -> str:
    if settings.ciphers:
        return settings.ciphers
    return DEFAULT_CIPHERS if settings.tls_minimum in ("TLSv1.2", "TLSv1.3") else OLD_CIPHERS


class Tls:
    """The TLS context in force. `context()` is cheap: it reads the files again only when one of them has changed."""

    def __init__(self, use: str, build: Callable[[], ssl.SSLContext], files: Sequence[Path | None]) -> None:
        self.use = use
        self._build = build
        self._files = [file for file in files if file]
        self._signature = self._told = self._sign()
        self._context = build()

    @classmethod
    def server(cls, tls: IngressTls) -> Tls:
        """Return the TLS of a listener. Raises as `server_context`."""
        return cls("ingress", lambda: server_context(tls), [tls.certificate, tls.key, tls.client_ca])

    @classmethod
    def client(cls, host: SmartHost) -> Tls:
        """Return the TLS towards a smart host. Raises as `client_context`."""
        use = host.host or host.mx or ""
        return cls(use, lambda: client_context(host), [host.ca, host.certificate, host.key])

    def context(self) -> ssl.SSLContext:
        """Return the context for the next handshake."""
        signature = self._sign()
        if signature != self._signature:
            try:
                self._context = self._build()
            except ConfigurationError as error:
                if signature != self._told:
                    emit(CertificateRejected(self.use, str(error)))
            else:
                self._signature = signature
                emit(CertificateReloaded(self.use))
            self._told = signature
        return self._context

    def _sign(self) -> Signature:
        return tuple(_signature(file) for file in self._files)


def _signature(file: Path) -> tuple[int, int, int] | None:
    try:
        status = file.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_ino, status.st_size


def _load_chain(context: ssl.SSLContext, certificate: Path, key: Path, section: str) -> None:
    try:
        # An empty password, so that an encrypted key is an error and never a question on the terminal.
        context.load_cert_chain(certificate, key, password="")
    except ssl.SSLError:
        raise ConfigurationError(
            f"{section}: {certificate} with {key} cannot be used: {pair_problem(certificate, key)}"
        ) from None
    except OSError as error:
        missing = next((file for file in (certificate, key) if not file.is_file()), certificate)
        raise ConfigurationError(
            f"{section}: {missing} cannot be read ({error.strerror}): check path and permissions"
        ) from None


def _load_ca(context: ssl.SSLContext, file: Path, section: str) -> None:
    try:
        context.load_verify_locations(file)
    except ssl.SSLError:
        raise ConfigurationError(f"{section}: {certificate_problem(file)}") from None
    except OSError as error:
        raise ConfigurationError(
            f"{section}: {file} cannot be read ({error.strerror}): check path and permissions"
        ) from None
