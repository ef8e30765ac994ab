"""A TLS server that asks for a client certificate and goes on whatever it gets.

`ssl` cannot: with CERT_OPTIONAL OpenSSL ends the handshake for a certificate that does not verify, and `ssl` exposes no
verify callback. But Exchange shows its self-signed certificate to every server that asks. pyOpenSSL has the callback;
the context here makes its connections look like those of `ssl`, so that asyncio and uvloop take them.

No session is resumed: in a resumed one OpenSSL does not verify again, and what the first one proved would be unknown.
"""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from OpenSSL import SSL, crypto

MAX_READ_BYTES = 256 * 1024
_RECORD_HEADER_BYTES = 5


class AskingContext(ssl.SSLContext):
    """A server's context. Its own settings are those of `ssl`, which checks the files; `ask` applies them."""

    def __new__(cls) -> AskingContext:
        """Return a context for servers."""
        return super().__new__(cls, ssl.PROTOCOL_TLS_SERVER)

    def ask(self, certificate: Path, key: Path, client_ca: Path, ciphers: str) -> None:
        """Take over versions and options as they are now; ask for certificates of `client_ca`."""
        context = SSL.Context(SSL.TLS_SERVER_METHOD)
        context.set_min_proto_version(int(self.minimum_version))
        context.set_options(int(self.options) | SSL.OP_NO_TICKET)
        context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
        context.set_session_id(b"causeway")  # else a client that offers a session is refused
        context.set_cipher_list(ciphers.encode())
        context.use_certificate_chain_file(str(certificate))
        context.use_privatekey_file(str(key))
        context.load_verify_locations(str(client_ca))
        context.set_verify(SSL.VERIFY_PEER, _note)
        self._asking = context

    def wrap_bio(self, incoming: Any, outgoing: Any, *_: Any, **__: Any) -> Any:
        """Return a server's end between two memory BIOs."""
        return AskingObject(self._asking, incoming, outgoing)


def _note(connection: SSL.Connection, _: crypto.X509, __: int, ___: int, is_good: int) -> bool:
    """Note whether each certificate of the chain is good, and go on."""
    found: list[bool] = connection.get_app_data()
    found.append(bool(is_good))
    return True


class AskingObject:
    """What asyncio and uvloop use of `ssl.SSLObject`, with its exceptions. `getpeercert` has only what was verified."""

    def __init__(self, context: SSL.Context, incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO) -> None:
        self._incoming, self._outgoing = incoming, outgoing
        self._verified: list[bool] = []
        self._tls = SSL.Connection(context, None)
        self._tls.set_app_data(self._verified)
        self._tls.set_accept_state()
        self._header = bytearray()  # of the record that is coming in (RFC 8446 section 5.1)
        self._record_left = 0

    def do_handshake(self) -> None:
        """Go on with the handshake."""
        self._run(self._tls.do_handshake)

    def read(self, size: int = MAX_READ_BYTES, buffer: Any = None) -> Any:
        """Return decrypted bytes, or how many of them are in `buffer`; nothing once the client has closed."""
        try:
            if buffer is None:
                return self._run(self._tls.recv, size)
            return self._run(self._tls.recv_into, buffer, min(size, len(buffer)))
        except ssl.SSLZeroReturnError:
            return b"" if buffer is None else 0

    def write(self, data: Any) -> int:
        """Encrypt data; return how many bytes of it."""
        return int(self._run(self._tls.send, bytes(data)))

    def unwrap(self) -> None:
        """Say that nothing follows, and wait until the client says so."""
        if not self._run(self._tls.shutdown):
            raise ssl.SSLWantReadError(ssl.SSL_ERROR_WANT_READ, "the peer has not closed yet")

    def pending(self) -> int:
        """Return how many decrypted bytes can be read."""
        return self._tls.pending()

    def version(self) -> str:
        """Return the TLS version, such as TLSv1.3."""
        return self._tls.get_protocol_version_name()

    def cipher(self) -> tuple[str, str, int] | None:
        """Return name, version and bits of the cipher."""
        name = self._tls.get_cipher_name()
        return (name, self.version(), self._tls.get_cipher_bits() or 0) if name else None

    def compression(self) -> None:
        """Return None: it is off."""
        return

    def getpeercert(self, binary_form: bool = False) -> Any:
        """Return the client's certificate if it verified, as DER or as a dictionary of its DNS names; else None."""
        certificate = self._tls.get_peer_certificate(as_cryptography=True)
        if certificate is None or not self._verified or not all(self._verified):
            return None
        if binary_form:
            return certificate.public_bytes(serialization.Encoding.DER)
        return {"subjectAltName": tuple(("DNS", name) for name in _dns_names(certificate))}

    def _run(self, operation: Any, *arguments: Any) -> Any:
        """Run an operation on what has come, and pass on what is to be sent, also after a failure."""
        try:
            while True:
                try:
                    return operation(*arguments)
                except SSL.WantReadError:
                    if not self._feed():
                        raise
        except SSL.WantReadError:
            if self._incoming.eof:
                raise ssl.SSLEOFError(ssl.SSL_ERROR_EOF, "connection closed without close_notify") from None
            raise ssl.SSLWantReadError(ssl.SSL_ERROR_WANT_READ, "more to read") from None
        except SSL.ZeroReturnError:
            raise ssl.SSLZeroReturnError(ssl.SSL_ERROR_ZERO_RETURN, "closed by the peer") from None
        except SSL.Error as error:
            raise _as_ssl_error(error) from None
        finally:
            self._send()

    def _feed(self) -> bool:
        """Hand OpenSSL the next piece of a record, never more than one: uvloop goes by what is left in `incoming`."""
        piece = self._incoming.read(self._record_left or _RECORD_HEADER_BYTES - len(self._header))
        if not piece:
            return False
        self._tls.bio_write(piece)
        if self._record_left:
            self._record_left -= len(piece)
        else:
            self._header += piece
            if len(self._header) == _RECORD_HEADER_BYTES:
                self._record_left = int.from_bytes(self._header[3:], "big")
                self._header.clear()
        return True

    def _send(self) -> None:
        try:
            while data := self._tls.bio_read(65536):
                self._outgoing.write(data)
        except SSL.WantReadError:
            return


def _dns_names(certificate: x509.Certificate) -> list[str]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        return []
    return names.get_values_for_type(x509.DNSName)


def _as_ssl_error(error: SSL.Error) -> ssl.SSLError:
    """Return the error as `ssl` raises it, its reason in the same spelling."""
    queue = error.args[0] if error.args and isinstance(error.args[0], list) else []
    text = str(queue[-1][-1]) if queue else "TLS failed"
    converted = ssl.SSLError(ssl.SSL_ERROR_SSL, text)
    converted.reason = text.upper().replace(" ", "_").replace("/", "_")
    return converted
