"""What is said in every alternative of a message's own text."""

from __future__ import annotations

import pytest

from services.transform.editing.alternatives import Block, add_block, bodies
from shared.mail.body import decode_text
from shared.mail.edits import apply
from shared.mail.mime import parse

BLOCK = Block.of("First <line>\nS\xe9cond")
ALTERNATIVE = (
    b"Subject: x\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=m\r\n\r\n"
    b"--m\r\nContent-Type: multipart/alternative; boundary=a\r\n\r\n"
    b"--a\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\nHello\r\n\r\n"
    b"--a\r\nContent-Type: multipart/related; boundary=r; start=root\r\n\r\n"
    b"--r\r\nContent-Type: image/png\r\n\r\n\r\n"
    b"--r\r\nContent-Type: text/html\r\nContent-ID: <root>\r\n\r\n"
    b'<html><BODY class="a>b"><p>Hello</p></BODY>\r\n</html>\r\n'
    b"--r--\r\n"
    b"--a--\r\n"
    b"--m\r\nContent-Type: text/plain\r\nContent-Disposition: attachment\r\n\r\nattached\r\n"
    b"--m\r\nContent-Type: message/rfc822\r\n\r\n\r\nforwarded\r\n"
    b"--m--\r\n"
)


def texts(content: bytes) -> list[str]:
    return [
        decode_text(content, part)
        for part in parse(content).walk()
        if not part.children and "text" in part.content_type
    ]


def with_block(content: bytes, at: str = "end") -> bytes:
    return apply(content, add_block(content, parse(content), BLOCK, "start" if at == "start" else "end"))


def test_both_alternatives_get_the_block_at_the_end() -> None:
    plain, html, *others = texts(with_block(ALTERNATIVE))
    assert plain == "Hello\r\n\r\nFirst <line>\r\nS\xe9cond\r\n"
    block = "<p>First &lt;line&gt;<br>\r\nS&#233;cond</p>\r\n"
    assert html == f'<html><BODY class="a>b"><p>Hello</p>{block}</BODY>\r\n</html>'
    assert others == ["attached", "forwarded"]


def test_both_alternatives_get_the_block_at_the_start() -> None:
    plain, html, *_ = texts(with_block(ALTERNATIVE, "start"))
    assert plain == "First <line>\r\nS\xe9cond\r\n\r\nHello\r\n"
    assert html.startswith('<html><BODY class="a>b">\r\n<p>First &lt;line&gt;<br>\r\nS&#233;cond</p><p>Hello</p>')


def test_html_without_end_tags_gets_it_last() -> None:
    assert texts(with_block(b"Content-Type: text/html\r\n\r\n<p>x"))[0].startswith("<p>x<p>First")


def test_a_multipart_without_text_gets_a_part_for_it() -> None:
    content = b"Content-Type: multipart/mixed; boundary=m\r\n\r\n--m\r\nContent-Type: image/png\r\n\r\n\r\n--m--\r\n"
    result = with_block(content)
    assert texts(result) == ["First <line>\r\nS\xe9cond"]
    assert [part.content_type for part in parse(result).children] == ["text/plain", "image/png"]


def test_a_file_alone_gets_a_multipart_around_it() -> None:
    content = (
        b'Subject: x\r\nContent-Type: application/pdf; name="a.pdf"\r\nContent-ID: <1>\r\nTo: a@example.com\r\n\r\n%PDF'
    )
    result = with_block(content)
    root = parse(result)
    text, file = root.children
    assert [field.name for field in root.fields] == ["subject", "mime-version", "content-type", "to"]
    assert decode_text(result, text) == "First <line>\r\nS\xe9cond"
    assert (file.filename, file.content_id, result[file.body_start : file.end]) == ("a.pdf", "1", b"%PDF")


@pytest.mark.parametrize(
    "content",
    [
        b"Content-Type: text/calendar\r\n\r\nBEGIN:VCALENDAR",
        b"Content-Type: multipart/signed; boundary=m\r\n\r\n--m\r\n\r\nsigned\r\n--m--\r\n",
        b"Content-Type: multipart/mixed; boundary=m\r\n\r\nno part at all\r\n",
        b"\r\n-----BEGIN PGP SIGNED MESSAGE-----\r\n",
    ],
)
def test_what_has_no_text_of_its_own_or_must_not_change_gets_none(content: bytes) -> None:
    assert bodies(content, parse(content)) == []
    assert add_block(content, parse(content), BLOCK) == []
