"""What holds for the tree of any message, and of any bytes at all."""

from __future__ import annotations

import email
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count, pairwise
from pathlib import Path
from typing import SupportsIndex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import MalformedMessage
from shared.mail.body import decode_body, decode_text
from shared.mail.edits import Edit, apply
from shared.mail.header import decode_words, fold, parameters
from shared.mail.mime import Entity, Limits, parse

SAMPLES = sorted((Path(__file__).parents[3] / "corpus" / "mime").glob("*.eml"))

FRAGMENTS = st.sampled_from(
    [
        *(
            b"\r\n",
            b"\r\n",
            b"\n",
            b"\r",
            b"\0",
            b"\xff",
            b" ",
            b"\t",
            b"text",
            b":",
            b"--",
            b"--b",
            b"--c",
            b"--b--",
            b"--c--",
        ),
        *(b"\r\n\r\n", b"\r\n--b\r\n", b"\r\n--c\r\n", b"\r\n--b--\r\n", b"A: 1\r\n", b"From x\r\n"),
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n",
        b'Content-Type: multipart/digest; boundary="c\r\n',
        b"Content-Type: multipart/alternative; boundary*0*=utf-8''c\r\n\r\n",
        b"Content-Type: message/rfc822\r\n\r\n",
        b"Content-Transfer-Encoding: base64\r\n",
        b"Content-Transfer-Encoding: x-uuencode\r\n\r\nbegin 644 x\r\n",
        b"Content-Disposition: attachment; filename==?utf-8?b?w?=\r\n",
    ]
)
ANYTHING = st.lists(FRAGMENTS | st.binary(max_size=6), max_size=30).map(b"".join)


def assert_spans_nest(entity: Entity) -> None:
    assert entity.part_start <= entity.start <= entity.body_start <= entity.end
    assert all(field.start < field.value_start <= field.end for field in entity.fields)
    assert all(first.end <= two.start for first, two in pairwise(entity.fields))
    assert all(entity.start <= field.start and field.end <= entity.body_start for field in entity.fields)
    assert all(first.part_end <= two.part_start for first, two in pairwise(entity.children))
    for child in entity.children:
        assert entity.body_start <= child.part_start <= child.end <= entity.end
        assert child.end <= child.part_end
        assert child.is_protected or not entity.is_protected
        assert_spans_nest(child)


@given(ANYTHING)
def test_any_octets_are_some_message_and_its_spans_nest(content: bytes) -> None:
    root = parse(content)
    assert (root.start, root.end) == (0, len(content))
    assert_spans_nest(root)
    for entity in root.walk():
        decode_text(content, entity)
        for field in entity.fields:
            decode_words(field.value(content))


@given(ANYTHING, st.integers(1, 3), st.integers(1, 4), st.integers(1, 60))
def test_a_limit_is_the_only_reason_to_raise(content: bytes, depth: int, parts: int, header_bytes: int) -> None:
    limits = Limits(depth, parts, header_bytes)
    try:
        root = parse(content, limits)
    except MalformedMessage:
        return
    assert len(list(root.walk())) <= parts


@dataclass(frozen=True)
class Part:
    """A message to be written: a multipart where it has a subtype, else text."""

    subtype: str | None
    text: bytes
    parts: tuple[Part, ...] = ()

    def write(self, boundaries: Iterator[int]) -> bytes:
        if self.subtype is None:
            return b"Content-Type: text/html\r\n\r\n" + self.text
        boundary = b"=_%s %d_=" % (self.subtype.encode(), next(boundaries))
        head = b'Content-Type: multipart/%s; \r\n\tBoundary="%s"\r\n\r\n' % (self.subtype.encode(), boundary)
        written = (b"--" + boundary + b"\r\n" + part.write(boundaries) + b"\r\n" for part in self.parts)
        return head + self.text + b"\r\n" + b"".join(written) + b"--" + boundary + b"--\r\nepilogue"

    def shape(self) -> list[object]:
        return [
            self.text if self.subtype is None else f"multipart/{self.subtype}",
            *(part.shape() for part in self.parts),
        ]


LINES = st.lists(st.sampled_from([b"text", b"", b"--", b"-- ", b"--=_x", b"A: 1", b"\xfc\0"]), max_size=4)
TEXTS = LINES.map(b"\r\n".join)
PARTS: st.SearchStrategy[Part] = st.recursive(
    TEXTS.map(lambda text: Part(None, text)),
    lambda inner: st.builds(
        Part, st.sampled_from(["mixed", "related"]), TEXTS, st.lists(inner, min_size=1, max_size=3).map(tuple)
    ),
    max_leaves=12,
)


def shape(content: bytes, entity: Entity) -> list[object]:
    is_leaf = not entity.children and not entity.content_type.startswith("multipart/")
    own = decode_body(content, entity) if is_leaf else entity.content_type
    return [own, *(shape(content, child) for child in entity.children)]


def remove(shapes: list[object], path: tuple[int, ...]) -> list[object]:
    index, *rest = path
    child = shapes[index + 1]
    assert isinstance(child, list)
    return [*shapes[: index + 1], *([remove(child, tuple(rest))] if rest else []), *shapes[index + 2 :]]


def paths(entity: Entity, above: tuple[int, ...] = ()) -> Iterator[tuple[tuple[int, ...], Entity]]:
    for index, child in enumerate(entity.children):
        if entity.content_type.startswith("multipart/"):
            yield (*above, index), child
        yield from paths(child, (*above, index))


@given(PARTS)
def test_a_written_tree_is_read_back(part: Part) -> None:
    content = part.write(count())
    assert shape(content, parse(content)) == part.shape()


@given(PARTS)
def test_the_standard_library_reads_the_same_tree(part: Part) -> None:
    content = part.write(count())
    theirs = [each.get_content_type() for each in email.message_from_bytes(content).walk()]
    assert [each.content_type for each in parse(content).walk()] == theirs


def assert_any_part_can_be_removed(content: bytes) -> None:
    root = parse(content)
    whole = shape(content, root)
    for path, part in paths(root):
        shorter = apply(content, [Edit(part.part_start, part.part_end, b"")])
        assert shape(shorter, parse(shorter)) == remove(whole, path)


@given(PARTS)
def test_removing_a_part_by_its_span_leaves_the_rest_of_the_tree(part: Part) -> None:
    assert_any_part_can_be_removed(part.write(count()))


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.stem)
def test_any_part_of_a_sample_can_be_removed(sample: Path) -> None:
    assert_any_part_can_be_removed(sample.read_bytes())


class Counted(bytes):
    """Bytes that count how many of them were searched for line starts."""

    searched = 0

    def find(  # type: ignore[override]  # only bytes are looked for here
        self, wanted: bytes, start: SupportsIndex | None = None, end: SupportsIndex | None = None
    ) -> int:
        found = super().find(wanted, start, end)
        self.searched += (found if found >= 0 else len(self)) - int(start or 0) + len(wanted)
        return found


def many_parts(size: int) -> bytes:
    return b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n\r\ntext\r\n" * size + b"--b--\r\n"


def many_unclosed_multiparts(size: int) -> bytes:
    inner = b"".join(b"--b\r\nContent-Type: multipart/mixed; boundary=c%d\r\n\r\n" % n for n in range(size))
    return b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + inner + b"--b--\r\n"


def deep(size: int) -> bytes:
    opened = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(100))
    return opened + b"\r\n" + b"a line of text\r\n--\r\n" * size


@pytest.mark.parametrize("write", [many_parts, many_unclosed_multiparts, deep])
def test_every_octet_is_searched_a_few_times_however_many_parts_there_are(write: object) -> None:
    assert callable(write)
    for size in (500, 5_000):
        content = Counted(write(size))
        parse(content)
        assert content.searched <= 4 * len(content)


@pytest.mark.parametrize(
    "value",
    [
        'a/b; x="' + "\\" * 400_000,
        'a/b; x="' + '\\"' * 200_000,
        "a/b" + "(" * 400_000,
        "a/b" + " (" * 200_000,
        "a/b" + "; name=" + " (" * 200_000,
        "a/b" + ";" * 400_000,
        "a/b" + " " * 400_000,
        "a/b" + "".join(f"; x*{n}*=%41" for n in range(50_000)),
        '"' * 400_000,
        "=?" * 200_000,
        "=?a?q?" * 60_000,
        "=?utf-8?q?a?= " * 30_000,
    ],
    ids=range(12),
)
def test_hostile_values_of_a_header_are_read_to_their_end(value: str) -> None:
    """Whatever took time quadratic in the length would not come to an end here."""
    parameters(value)
    decode_words(value)
    assert max(map(len, fold("X", value).split(b"\r\n"))) <= 998
