"""What becomes an attachment, and what stays in the text."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from services.transform.pipeline import Context, convert
from services.transform.steps import dispositions
from shared.mail.edits import apply

MakeContext = Callable[[str, str], Context]


def mixed(kind: bytes, disposition: bytes = b" inline", more: bytes = b"", sub: bytes = b"mixed") -> bytes:
    return (
        b"From: a@example.com\r\nContent-Type: multipart/" + sub + b"; boundary=b\r\n\r\n"
        b"--b\r\nContent-Type: text/html\r\n\r\ninline <object data='cid:shown@x'></object>\r\n"
        b"--b\r\nContent-Type: "
        + kind
        + b"\r\n"
        + more
        + b"Content-Disposition:"
        + disposition
        + b"\r\n\r\nx\r\n--b--\r\n"
    )


@pytest.mark.parametrize("kinds", [("domino", "exchange"), ("domino", "internet"), ("exchange", "domino")])
@pytest.mark.parametrize("kind", [b"application/pdf", b"application/octet-stream", b"video/mp4", b"chemical/x-pdb"])
@pytest.mark.parametrize("word", [b" inline", b"INLINE", b"\r\n Inline"])
@pytest.mark.parametrize("rest", [b"", b"; filename=inline.pdf", b" ;\r\n\tfilename=x"])
def test_a_document_becomes_an_attachment_both_ways(
    kinds: tuple[str, str], kind: bytes, word: bytes, rest: bytes, make_context: MakeContext
) -> None:
    content = mixed(kind, word + rest)
    start = content.index(b"Content-Disposition:" + word) + len(b"Content-Disposition:" + word) - len(b"inline")
    result = apply(content, convert(content, make_context(*kinds), [dispositions.STEP]).edits)
    assert result == content[:start] + b"attachment" + content[start + len(b"inline") :]


@pytest.mark.parametrize(
    "content",
    [
        mixed(b"image/png"),
        mixed(b"text/plain"),
        mixed(b"text/calendar"),
        mixed(b"message/rfc822"),
        mixed(b"application/ms-tnef"),
        mixed(b"application/pkcs7-mime"),
        mixed(b"application/pgp-keys"),
        mixed(b"application/x-lotus-encap2"),
        mixed(b"application/pdf", b" attachment"),
        mixed(b"application/pdf", b" inlined"),
        mixed(b"application/pdf", b" (inline)"),
        mixed(b"application/pdf", more=b"Content-ID: <shown@x>\r\n"),
        mixed(b"application/pdf", more=b"Content-Location: a.pdf\r\n"),
        mixed(b"application/pdf", sub=b"alternative"),
        mixed(b"application/pdf", sub=b"signed"),
        mixed(b"application/pdf", sub=b"report"),
    ],
)
def test_what_is_shown_or_made_for_programs_stays(content: bytes, make_context: MakeContext) -> None:
    assert convert(content, make_context("domino", "exchange"), [dispositions.STEP]).edits == ()
