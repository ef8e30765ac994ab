"""Document links of Notes, as what people outside Notes can follow."""

from __future__ import annotations

import dataclasses
import email
import email.policy
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.transform.pipeline import Context, convert
from services.transform.steps import doclinks
from shared.configuration.transform import TransformSettings
from shared.mail.body import decode_text
from shared.mail.edits import apply
from shared.mail.mime import parse

CORPUS = Path(__file__).parents[4] / "corpus" / "doclinks"
PAIRS = sorted(path for path in CORPUS.glob("*.eml") if not path.name.endswith(".expected.eml"))

MakeContext = Callable[[str, str], Context]


def with_links(context: Context, links: list[str], **others: object) -> Context:
    web_links = {"camdb07": {"host": "notes.example.com"}, "*": {"host": "web.example.com:8443"}}
    chosen = TransformSettings.model_validate({"links": links, "web_links": web_links, **others})
    return dataclasses.replace(context, settings=chosen)


def converted(content: bytes, context: Context) -> bytes:
    conversion = convert(content, context, [doclinks.STEP])
    assert not [report.failure for report in conversion.reports if report.failure]
    return apply(content, conversion.edits)


@pytest.mark.parametrize("pair", PAIRS, ids=lambda path: path.stem)
def test_corpus_pair(pair: Path, make_context: MakeContext) -> None:
    """The file's name has the setting: `notes_url+web_url.what.eml`."""
    context = with_links(make_context("domino", "exchange"), pair.name.partition(".")[0].split("+"))
    result = converted(pair.read_bytes(), context)
    assert result == pair.with_name(f"{pair.stem}.expected.eml").read_bytes()
    assert converted(result, context) == result


@pytest.mark.parametrize("pair", PAIRS, ids=lambda path: path.stem)
@pytest.mark.parametrize("direction", [("exchange", "domino"), ("domino", "domino"), ("exchange", "exchange")])
def test_only_mail_that_leaves_notes_is_changed(
    pair: Path, direction: tuple[str, str], make_context: MakeContext
) -> None:
    context = with_links(make_context(*direction), ["notes_url", "web_url"])
    assert convert(pair.read_bytes(), context, [doclinks.STEP]).reports == ()


@pytest.mark.parametrize("pair", PAIRS, ids=lambda path: path.stem)
def test_another_reader_finds_no_defect_in_what_is_left(pair: Path) -> None:
    result = pair.with_name(f"{pair.stem}.expected.eml").read_bytes()
    for part in email.message_from_bytes(result, policy=email.policy.compat32).walk():
        assert part.defects == []
        if part.get_content_maintype() == "multipart":
            assert part.get_payload()


class Links(HTMLParser):
    """Collects the tags and the targets of a text."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.targets: list[str] = []
        self.attributes: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.targets += [value or "" for name, value in attrs if name == "href"]


HOSTILE = st.text(alphabet="ab<>\"'&;/\\\r\n\x00\u202e\xe9 =#?@%:()", max_size=40)
UNTOUCHED = (
    b"Content-Type: multipart/mixed; boundary=m\r\n\r\n"
    b"--m\r\nContent-Type: text/%s; charset=utf-8\r\n\r\nHi.\r\n--m\r\n"
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(HOSTILE, HOSTILE, HOSTILE)
def test_hostile_names_and_servers_stay_text(make_context: MakeContext, rem: str, hint: str, title: str) -> None:
    """Whatever the sender writes into the link, the text gains links to the server and the set host, and no more."""
    link = f"{title}\r\n<NDL>\r\n<REPLICA 852574AD:0071F940>\r\n<HINT>CN={hint}</HINT><REM>{rem}</REM></NDL>".encode()
    part = b"Content-Type: application/octet-stream; name=a.ndl\r\nContent-Transfer-Encoding: 8bit\r\n\r\n" + link
    content = UNTOUCHED % b"html" + part + b"\r\n--m--\r\n"
    result = converted(content, with_links(make_context("domino", "exchange"), ["notes_url", "web_url"]))
    root = parse(result)
    seen = Links()
    seen.feed(decode_text(result, root.children[0]))
    assert seen.targets
    assert seen.tags <= {"p", "font", "a"}
    assert seen.attributes <= {"href", "size", "face"}
    for target in seen.targets:
        split = urlsplit(target)
        assert target.isascii()
        assert (split.scheme, split.path.lstrip("/_")[:16]) in {
            ("notes", "852574AD0071F940"),
            ("https", "852574AD0071F940"),
        }
        assert split.scheme == "notes" or split.netloc in {"web.example.com:8443", "notes.example.com"}


PIECES = st.sampled_from(
    [
        *(b"<NDL>", b"</NDL>", b"<REPLICA 852574AD:0071F940>", b"<REPLICA>852574AD:0071F940</REPLICA>", b"<VIEW", b">"),
        *(b"<NOTE OF91ADD130:BA6F9BED-ON8525772B:0009BC0D>", b"<HINT>CN=S/O=A</HINT>", b"<REM>x\r\n y</REM>", b"\r\n"),
        *(
            b"--m\r\n",
            b"--m--\r\n",
            b"Content-Type: text/plain; name=a.ndl\r\n\r\n",
            b"(Document link: x)",
            b"\xff",
            b"\0",
        ),
        *(
            b'Content-Type: text/html\r\n\r\n<img src="cid:1">',
            b"Content-ID: <1>\r\n",
            b"Content-Type: x/y; name=b.ndl\r\n",
        ),
        *(
            b"Content-Type: multipart/related; boundary=r\r\n\r\n",
            b"--r\r\n",
            b"--r--\r\n",
            b"Content-Type: message/rfc822\r\n\r\n",
        ),
    ]
)


@settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(PIECES | st.binary(max_size=6), max_size=24))
def test_arbitrary_octets_are_converted_without_failure(make_context: MakeContext, pieces: list[bytes]) -> None:
    content = b"Content-Type: multipart/mixed; boundary=m\r\n\r\n--m\r\n" + b"".join(pieces)
    links = ["notes_url", "web_url"] if len(pieces) % 2 else ["web_url", "attachment"]
    parse(converted(content, with_links(make_context("domino", "exchange"), links)))


def test_links_beyond_the_limit_stay_attachments(make_context: MakeContext) -> None:
    link = b"Content-Type: x/y; name=a.ndl\r\n\r\n<NDL><REPLICA 852574AD:%08X><HINT>S</HINT></NDL>\r\n--m"
    content = UNTOUCHED % b"plain" + b"\r\n".join(link % number for number in range(250)) + b"--\r\n"
    result = converted(content, with_links(make_context("domino", "exchange"), ["notes_url"]))
    root = parse(result)
    assert len(root.children) == 1 + 250 - 200
    assert decode_text(result, root.children[0]).count("notes://") == 200


def test_a_link_that_is_never_closed_leads_where_it_should(make_context: MakeContext) -> None:
    link = (
        b"Content-Type: x/y; name=a.ndl\r\nContent-ID: <1>\r\n\r\n<NDL><REPLICA 852574AD0071F940><HINT>S</HINT></NDL>"
    )
    content = (
        (UNTOUCHED % b"html").replace(b"Hi.", b'<a name=x><a href="cid:1">one <a href=cid:1>two') + link + b"\r\n--m--"
    )
    result = converted(content, with_links(make_context("domino", "exchange"), ["notes_url", "web_url"]))
    seen = Links()
    seen.feed(decode_text(result, parse(result).children[0]))
    notes, web = "notes://S/852574AD0071F940", "https://web.example.com:8443/__852574AD0071F940.nsf?OpenDatabase"
    assert seen.targets == [notes, web, notes, web]


def test_a_part_of_more_links_than_the_limit_stays_an_attachment(make_context: MakeContext) -> None:
    link = b"<NDL><REPLICA 85256D99:00643C2E></NDL>\r\n"
    content = b"Content-Type: application/octet-stream; name=x.ndl\r\n\r\n" + link * 201
    assert converted(content, with_links(make_context("domino", "exchange"), ["notes_url"])) == content
