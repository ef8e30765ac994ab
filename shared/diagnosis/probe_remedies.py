"""What to do about a TLS fault that `causeway check --probe` meets; the fault says already what went wrong.

`shared.operations.tls_errors` has the meanings that depend on our own `tls_minimum` and `ciphers`.
"""

from __future__ import annotations

import re

_MEANINGS = (
    (
        r"DANE: certificate",
        "it does not show what its TLSA records in DNS promise: have its owners publish records of its certificate",
    ),
    (
        r"cannot look up the TLSA records",
        "DNS gave no valid answer about its certificate: see the log of the resolver, or have the zone corrected",
    ),
    (r"self-signed certificate in certificate chain", "its CA is not known here: name that CA's certificate with `ca`"),
    (
        r"self-signed certificate",
        "it shows a certificate that no CA has signed: verify it with the owners of the host, then name it with `ca`",
    ),
    (
        r"unable to get (local )?issuer certificate|unable to verify the first certificate|UNKNOWN_CA\b(?!.*ALERT)",
        "its CA is not known here, or the host does not send the intermediate certificates: "
        "name the CA's certificate with `ca`, or have the host send its whole chain",
    ),
    (
        r"Hostname mismatch|IP address mismatch",
        "its certificate is for other names, or has a CN alone: "
        "set `name` to a DNS name of the certificate, or have it issued for this one",
    ),
    (r"certificate has expired", "the host, or a CA above it, has not been renewed: have its owners renew it"),
    (r"certificate is not yet valid", "its time has not begun: correct the clock of this machine, or wait"),
    (r"certificate revoked", "its CA has revoked it: ask the owners of the host"),
    (
        r"WRONG_VERSION_NUMBER|HTTP_REQUEST|RECORD_LAYER_FAILURE|PACKET_LENGTH_TOO_LONG|NOT_SSL",
        "remove `implicit: true` for STARTTLS, or correct `port`",
    ),
    (
        r"CERTIFICATE_REQUIRED|ALERT_BAD_CERTIFICATE|ALERT_UNKNOWN_CA|ALERT_CERTIFICATE_\w+|ALERT_ACCESS_DENIED",
        "it wants a client certificate that it trusts: set `certificate` and `key`, or have its owners accept ours",
    ),
    (r"HANDSHAKE_FAILURE", "or it wants a client certificate: set `certificate` and `key`"),
    (
        r"TLS handshake failed.*(EOF|closed|reset)|lost connection after STARTTLS",
        "it ended the connection during the handshake: see the log of the host, or a firewall between",
    ),
    (r"TLS is required, but was not offered", "it offers no STARTTLS: have it switched on there, or correct `port`"),
)


def explained(fault: str) -> str:
    """Return the fault of a smart host, with its meaning and the remedy where it is one of TLS."""
    for pattern, meaning in _MEANINGS:
        if re.search(pattern, fault):
            return f"{fault}: {meaning}"
    return fault
