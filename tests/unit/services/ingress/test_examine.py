"""What ingress refuses because nothing behind it could read it."""

from __future__ import annotations

from services.ingress import replies
from services.ingress.accept import MAX_HEADER_BYTES, examine
from shared.configuration.ingress import IngressSettings
from shared.mail.mime import parse

TRACE = (
    b"Received: from a ([192.0.2.1])\r\n\tby gateway.example.com (Causeway) with ESMTP id 1;\r\n\tFri, 2 Jan 2026\r\n"
)
FIELD = b"X-Field: text\r\n"


def examined(content: bytes) -> bytes | replies.Refusal:
    return examine(content, "gateway.example.com", IngressSettings())


def header(octets: int) -> bytes:
    """Return fields of so many bytes, the first as long as it takes."""
    rest = FIELD * ((octets - 100) // len(FIELD))
    return b"To: ".ljust(octets - len(rest) - 2, b"x") + b"\r\n" + rest


def test_a_header_that_transform_could_not_read_is_refused_wherever_the_limit_cuts_it() -> None:
    for more in range(1, 2 * len(FIELD)):
        content = header(MAX_HEADER_BYTES + more) + b"\r\nbody\r\n"
        assert examined(content) is replies.HEADER_TOO_LARGE


def test_the_longest_header_that_is_taken_can_be_read_with_our_own_field() -> None:
    content = header(MAX_HEADER_BYTES - 4) + b"\r\nbody\r\n"
    assert examined(content) == content
    assert parse(TRACE + content).body_start == len(TRACE + content) - len(b"body\r\n")
