"""What OpenSSL's reasons for a failed handshake mean for an administrator: one line, with the setting that helps."""

from __future__ import annotations

import ssl

_NO_CIPHER = frozenset(
    {"NO_SHARED_CIPHER", "SSLV3_ALERT_HANDSHAKE_FAILURE", "SSL_TLS_ALERT_HANDSHAKE_FAILURE", "NO_CIPHERS_AVAILABLE"}
)
_NO_VERSION = frozenset(
    {"UNSUPPORTED_PROTOCOL", "TLSV1_ALERT_PROTOCOL_VERSION", "VERSION_TOO_LOW", "NO_PROTOCOLS_AVAILABLE"}
)
_NOT_TLS = frozenset({"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "HTTPS_PROXY_REQUEST", "PACKET_LENGTH_TOO_LONG"})
_TOO_WEAK = frozenset(
    {
        "DH_KEY_TOO_SMALL",
        "EE_KEY_TOO_SMALL",
        "CA_KEY_TOO_SMALL",
        "CA_MD_TOO_WEAK",
        "BAD_DH_VALUE",
        "TLSV1_ALERT_INSUFFICIENT_SECURITY",
    }
)


def meaning(error: BaseException, peer: str, settings: str) -> str:
    """Return what a failed handshake means. peer: "host" or "client". settings: where tls_minimum and ciphers are."""
    reason = str(getattr(error, "reason", None) or error)
    if reason in _NO_CIPHER:
        return f"{reason}: no cipher in common with the {peer}: set ciphers of {settings} to one that it has"
    if reason in _NO_VERSION:
        return f"{reason}: no TLS version in common with the {peer}: lower tls_minimum of {settings}"
    if reason in _NOT_TLS:
        return f"{reason}: the {peer} does not speak TLS"
    if reason in _TOO_WEAK:
        return f"{reason}: a key or signature of the {peer} is too weak: add @SECLEVEL=1 or 0 to ciphers of {settings}"
    return reason


def explain_server(error: ssl.SSLError, offer: str | None) -> ssl.SSLError:
    """Return the error of a handshake as a server with its meaning; offer: what the client offered, if it is known."""
    text = meaning(error, "client", "ingress.tls")
    if offer and text != error.reason:
        text = f"{text} (it offers {offer})"
    explained = ssl.SSLError(error.errno, text)
    explained.reason = error.reason
    return explained
