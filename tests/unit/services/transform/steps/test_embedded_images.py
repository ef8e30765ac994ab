"""Images in HTML, as another reader finds them."""

from __future__ import annotations

import email
import email.policy
import re
from base64 import encodebytes
from collections.abc import Callable
from dataclasses import replace
from email.message import Message
from quopri import encodestring
from urllib.parse import unquote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.transform.pipeline import Context, convert
from services.transform.steps import embedded_images
from shared.mail.edits import apply

MakeContext = Callable[[str, str], Context]
ENCODERS: dict[str, Callable[[bytes], bytes]] = {
    "7bit": lambda octets: octets,
    "quoted-printable": lambda octets: encodestring(octets).replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"),
    "base64": lambda octets: encodebytes(octets).replace(b"\n", b"\r\n"),
}


def converted(content: bytes, context: Context, hostname: str = "gw.example.com") -> bytes:
    conversion = convert(content, replace(context, hostname=hostname), [embedded_images.STEP])
    assert not [report.failure for report in conversion.reports if report.failure]
    return apply(content, conversion.edits)


def memo(html: bytes, ids: list[bytes], encoding: str = "7bit", text: bytes = b"Hello") -> bytes:
    parts = [
        b"Content-Type: text/plain; charset=us-ascii\r\n\r\n" + text,
        b"Content-Type: text/html; charset=us-ascii\r\nContent-Transfer-Encoding: "
        + encoding.encode()
        + b"\r\n\r\n"
        + ENCODERS[encoding](html),
        *(
            b'Content-Type: image/gif; name="%d.gif"\r\nContent-ID: <%s>\r\n\r\nGIF' % (number, identifier)
            for number, identifier in enumerate(ids)
        ),
    ]
    head = (
        b'From: a@example.com\r\nMIME-Version: 1.0\r\nContent-Type: multipart/related; boundary="=_related x_="\r\n\r\n'
    )
    return head + b"".join(b"--=_related x_=\r\n" + part + b"\r\n" for part in parts) + b"--=_related x_=--\r\n"


def read(content: bytes) -> Message:
    message: Message = email.message_from_bytes(content, policy=email.policy.compat32)
    return message


def html_of(message: Message) -> bytes:
    part = next(part for part in message.walk() if part.get_content_type() == "text/html")
    payload = part.get_payload(decode=True)
    assert isinstance(payload, bytes)
    return payload


def ids_of(message: Message) -> list[str]:
    return [str(part["Content-ID"]).strip("<>") for part in message.walk() if part["Content-ID"]]


_ID = st.from_regex(rb"[0-9]__=[0-9A-F]{1,60}@(example\.com)?", fullmatch=True)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(_ID, min_size=1, max_size=4, unique=True),
    st.sampled_from(sorted(ENCODERS)),
    st.text("ab <>=\"'\n", max_size=90),
    st.from_regex(r"[a-z]{1,30}(\.[a-z]{1,30}){0,6}", fullmatch=True),
)
def test_every_mentioned_image_is_found_and_nothing_else_changes(
    make_context: MakeContext, ids: list[bytes], encoding: str, filler: str, hostname: str
) -> None:
    filling = filler.replace("\n", "\r\n").encode()
    html = b"<p>" + b"".join(filling + b'<img src="cid:%s" alt="">' % identifier for identifier in ids) + b"</p>\r\n"
    before = read(memo(html, ids, encoding))
    result = converted(memo(html, ids, encoding), make_context("domino", "exchange"), hostname)
    after = read(result)
    urls = [unquote(one.decode()) for one in re.findall(rb"cid:([^\"]+)\"", html_of(after))]
    assert urls == ids_of(after)
    assert all(url.rpartition("@")[2] for url in urls), "no id is left without a domain"
    assert html_of(after).replace(b"@" + hostname.encode() + b'"', b'@"') == html_of(before).replace(
        b"@" + hostname.encode() + b'"', b'@"'
    )
    if encoding == "quoted-printable":
        assert max(map(len, result.split(b"\r\n"))) <= 76 + len(max(ids, key=len)) + 200
        quoted = result.partition(b"quoted-printable\r\n\r\n")[2].partition(b"\r\n--=_related")[0]
        assert max(map(len, quoted.split(b"\r\n"))) <= 76


def test_an_id_that_no_html_mentions_stays(make_context: MakeContext) -> None:
    content = memo(b'<img src="cid:b@">', [b"a@"])
    assert converted(content, make_context("domino", "exchange")) == content


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"(Embedded image moved to file: 0.gif)", b"[image: 0.gif]"),
        (b"(EMBEDDED IMAGE MOVED TO FILE:0.GIF )", b"[image: 0.GIF]"),
        (b"a (See attached file: 0.gif) b", b"a [image: 0.gif] b"),
        (b"(Embedded\r\nimage moved to file:\r\n0.gif)", b"[image: 0.gif]"),
        (b"(See attached file: 1.gif)", b"(See attached file: 1.gif)"),
        (b"(See attached file: 0.gif.exe)", b"(See attached file: 0.gif.exe)"),
        (b"(Embedded image moved to file: 0.gif", b"(Embedded image moved to file: 0.gif"),
    ],
)
def test_a_stand_in_is_restated_where_the_html_shows_the_image(
    text: bytes, expected: bytes, make_context: MakeContext
) -> None:
    """The second image is there, but no HTML mentions it: it is a file."""
    html, ids = b'<img src="cid:a@example.com">', [b"a@example.com", b"b@example.com"]
    context = make_context("domino", "exchange")
    assert converted(memo(html, ids, text=text), context) == memo(html, ids, text=expected)


def test_images_that_only_decorate_leave_no_words(make_context: MakeContext) -> None:
    html, ids = b'<img src="cid:a@example.com">', [b"a@example.com"]
    text = b"(Embedded image moved to file: graycol.gif)John Doe"
    before = memo(html, ids, text=text).replace(b"0.gif", b"graycol.gif")
    after = memo(html, ids, text=b"John Doe").replace(b"0.gif", b"graycol.gif")
    assert converted(before, make_context("domino", "exchange")) == after


def test_a_stand_in_is_found_by_a_name_that_holds_parentheses(make_context: MakeContext) -> None:
    text = b"(See attached file: a) (See attached file: Plan (1).gif ) (Embedded image moved to file: b (2).gif)"
    content = memo(b'<img src="cid:a@">', [b"a@"], text=text).replace(b'name="0.gif"', b'name="plan (1).gif"')
    assert b"(See attached file: a) [image: Plan (1).gif] (Embedded image moved to file: b (2).gif)" in converted(
        content, make_context("domino", "exchange")
    )
