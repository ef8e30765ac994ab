"""The tree of one message after another: what is read, from where to where, and what may not be touched."""

import email
import email.policy
from email.message import Message
from pathlib import Path

import pytest

from shared.errors import MalformedMessage
from shared.mail.body import decode_body
from shared.mail.mime import Entity, Limits, parse

CORPUS = Path(__file__).parents[3] / "corpus" / "mime"
SAMPLES = sorted(CORPUS.glob("*.eml"))


def message(*lines: str) -> bytes:
    return "\r\n".join(lines).encode("utf-8", "surrogateescape")


def types(entity: Entity) -> list[str]:
    return [each.content_type for each in entity.walk()]


def standard_tree(content: bytes, policy: email.policy.Policy) -> list[tuple[str, bytes | None, str | None]]:
    """What the standard library reads: type, decoded body of what has no parts, and file name."""

    def visit(part: Message) -> list[tuple[str, bytes | None, str | None]]:
        children = part.get_payload() if part.is_multipart() else []
        assert isinstance(children, list)
        body = None if part.is_multipart() else part.get_payload(decode=True)
        assert body is None or isinstance(body, bytes)
        below = [each for child in children if isinstance(child, Message) for each in visit(child)]
        return [(part.get_content_type(), body, part.get_filename()), *below]

    return visit(email.message_from_bytes(content, policy=policy))


def our_tree(content: bytes) -> list[tuple[str, bytes | None, str | None]]:
    return [
        (each.content_type, None if each.children else decode_body(content, each), each.filename)
        for each in parse(content).walk()
    ]


@pytest.mark.parametrize("policy", [email.policy.compat32, email.policy.default], ids=["compat32", "default"])
@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.stem)
def test_the_tree_agrees_with_the_standard_librarys(sample: Path, policy: email.policy.Policy) -> None:
    content = sample.read_bytes()
    encoded_names = policy is email.policy.compat32  # which leaves RFC 2047 words in file names as they are
    ours, theirs = our_tree(content), standard_tree(content, policy)
    assert [each[:2] for each in ours] == [each[:2] for each in theirs]
    assert encoded_names or [each[2] for each in ours] == [each[2] for each in theirs]


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.stem)
def test_bare_line_feeds_give_the_same_tree(sample: Path) -> None:
    content = sample.read_bytes().replace(b"\r\n", b"\n")
    assert types(parse(content)) == types(parse(sample.read_bytes()))


def test_boundaries_of_notes_hold_a_blank() -> None:
    content = (CORPUS / "notes-alternative.eml").read_bytes()
    assert types(parse(content)) == ["multipart/alternative", "text/plain", "text/html"]
    assert parse(content).parameters["boundary"] == "=_alternative 00450B7CC12577D1_="


def test_a_content_id_with_an_empty_domain_is_kept() -> None:
    (image,) = (
        each
        for each in parse((CORPUS / "notes-related-encapsulated.eml").read_bytes()).walk()
        if each.content_type == "image/gif"
    )
    assert image.content_id == "1__=0FBBE5C5DFD1F5B@"
    assert (image.disposition, image.filename) == ("inline", "graycol.gif")


def test_a_file_name_in_sections_goes_before_the_name_of_the_type() -> None:
    *_, pdf = parse((CORPUS / "exchange-winmail.eml").read_bytes()).walk()
    assert (pdf.disposition, pdf.filename) == ("attachment", "Übersicht.pdf")


def test_a_part_ends_before_the_line_end_of_its_delimiter() -> None:
    content = message("Content-Type: multipart/mixed; boundary=b", "", "--b", "", "text", "--b--", "")
    (part,) = parse(content).children
    assert content[part.start : part.end] == b"\r\ntext"
    assert content[part.body_start : part.end] == b"text"
    assert content[part.part_start : part.part_end] == b"--b\r\n\r\ntext\r\n"


@pytest.mark.parametrize("header", [(), ("Subject: x",), ("Subject: x", "")])
def test_a_part_without_a_body_keeps_its_whole_header(header: tuple[str, ...]) -> None:
    content = message("Content-Type: multipart/mixed; boundary=b", "", "--b", *header, "--b--", "")
    (part,) = parse(content).children
    assert part.body_start == part.end
    assert all(content[field.start : field.end] == b"Subject: x\r\n" for field in part.fields)
    assert len(part.fields) == ("Subject: x" in header)


def test_a_delimiter_with_a_colon_is_no_header_field() -> None:
    content = message('Content-Type: multipart/mixed; boundary="a:b"', "", "--a:b", "X: 1", "--a:b", "", "2", "--a:b--")
    first, second = parse(content).children
    assert [field.name for field in first.fields] == ["x"]
    assert decode_body(content, second) == b"2"


def test_an_outer_delimiter_ends_everything_inside() -> None:
    content = (CORPUS / "never-closed.eml").read_bytes()
    assert types(parse(content)) == ["multipart/mixed", "multipart/related", "text/plain", "text/html", "text/plain"]


def test_a_multipart_that_repeats_an_outer_boundary_has_no_parts() -> None:
    inner = ("--b", "Content-Type: multipart/mixed; boundary=b", "", "--b", "", "2", "--b--", "")
    root = parse(message("Content-Type: multipart/mixed; boundary=b", "", *inner))
    assert types(root) == ["multipart/mixed", "multipart/mixed", "text/plain"]
    assert [each.content_type for each in root.children] == ["multipart/mixed", "text/plain"]


@pytest.mark.parametrize("near", ["--bb", "--b-", "--b---", " --b", "-- b", "--B", "--b--x"])
def test_a_line_that_is_not_quite_the_boundary_delimits_nothing(near: str) -> None:
    content = message("Content-Type: multipart/mixed; boundary=b", "", "--b", "", near, "--b--", "")
    (part,) = parse(content).children
    assert decode_body(content, part) == near.encode()


@pytest.mark.parametrize(("outer", "inner"), [("b", "bb"), ("bb", "b"), ("x" * 80 + "1", "x" * 80 + "2"), ("a", "z")])
def test_boundaries_may_start_alike(outer: str, inner: str) -> None:
    nested = (f"Content-Type: multipart/mixed; boundary={inner}", "", f"--{inner}", "", "1", f"--{inner}--")
    end = (f"--{outer}", "", "2", f"--{outer}--")
    content = message(f"Content-Type: multipart/mixed; boundary={outer}", "", f"--{outer}", *nested, *end)
    bodies = [decode_body(content, each) for each in parse(content).walk() if not each.children]
    assert bodies == [b"1", b"2"]


def test_blanks_may_follow_a_delimiter() -> None:
    content = message("Content-Type: multipart/mixed; boundary=b", "", "--b \t", "", "1", "--b-- ", "epilogue", "--b")
    assert [decode_body(content, part) for part in parse(content).children] == [b"1"]


def test_an_encoded_message_is_not_read_as_one() -> None:
    content = message("Content-Type: message/rfc822", "Content-Transfer-Encoding: base64", "", "U3ViamVjdDogeAo=")
    assert parse(content).children == ()


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("text", "text/plain"),
        ("text/", "text/plain"),
        ("a/b/c", "text/plain"),
        ("", "text/plain"),
        ("TEXT / HTML; charset=x", "text/html"),
        ("text/html charset=x", "text/html"),
        ("application/PDF (a comment; with a semicolon)", "application/pdf"),
    ],
)
def test_what_names_no_type_is_plain_text(value: str, expected: str) -> None:
    assert parse(message(f"Content-Type: {value}", "", "")).content_type == expected


def test_parts_of_a_digest_are_messages_unless_they_say_otherwise() -> None:
    content = message(
        "Content-Type: multipart/digest; boundary=b", "", "--b", "", "Subject: x", "", "text", "--b--", ""
    )
    assert types(parse(content)) == ["multipart/digest", "message/rfc822", "text/plain"]


@pytest.mark.parametrize(
    "content_type",
    [
        "multipart/signed; boundary=b",
        "multipart/encrypted; boundary=b",
        "application/pkcs7-mime",
        "application/x-pkcs7-mime; smime-type=enveloped-data",
        "application/octet-stream; name=smime.p7m",
    ],
)
def test_what_is_signed_or_encrypted_is_protected(content_type: str) -> None:
    assert parse(message(f"Content-Type: {content_type}", "", "--b", "", "text", "--b--", "")).is_protected


def test_all_inside_a_signed_part_is_protected() -> None:
    assert all(each.is_protected for each in parse((CORPUS / "signed.eml").read_bytes()).walk())


def test_a_part_next_to_a_signed_part_is_not_protected() -> None:
    signed = (CORPUS / "signed.eml").read_bytes()
    top = message("Content-Type: multipart/mixed; boundary=top", "", "--top", "", "footer", "--top", "")
    root = parse(top + signed + b"\r\n--top--\r\n")
    assert [each.is_protected for each in root.walk()] == [False, False, True, True, True, True]


def test_armour_protects_its_text_part_under_any_transfer_encoding() -> None:
    root = parse((CORPUS / "inline-armour.eml").read_bytes())
    assert [each.is_protected for each in root.walk()] == [False, True, False]


def test_fields_are_found_in_any_case_and_in_order() -> None:
    content = message("Received: a", "SUBJECT : one", "Received: b", "\tfolded", "", "Subject: body")
    root = parse(content)
    assert [field.value(content) for field in root.all("Received")] == ["a", "b\tfolded"]
    subject = root.find("subject")
    assert subject is not None
    assert subject.value(content) == "one"
    assert root.find("bcc") is None


def test_raw_keeps_folding_and_value_keeps_undecodable_octets() -> None:
    content = b"Subject: caf\xe9\r\n \xc3\xbc\r\n\r\n"
    (field,) = parse(content).fields
    assert field.raw(content) == b" caf\xe9\r\n \xc3\xbc"
    assert field.value(content).encode("utf-8", "surrogateescape") == b"caf\xe9 \xc3\xbc"


@pytest.mark.parametrize(
    ("content", "names", "body"),
    [
        (b"", [], b""),
        (b"\r\n", [], b""),
        (b"no header at all", [], b"no header at all"),
        (b"A: 1", ["a"], b""),
        (b"A: 1\r\nnot a field\r\nB: 2\r\n", ["a"], b"not a field\r\nB: 2\r\n"),
        (b"From jane Thu Nov  4 2010\r\nA: 1\r\n\r\nx", ["a"], b"x"),
        (b" stray\r\nA: 1\r\n\r\nx", ["a"], b"x"),
        (b": nameless\r\nA: 1\r\n\r\nx", ["a"], b"x"),
        (b"A: \0\r\n\r\n\0", ["a"], b"\0"),
    ],
)
def test_a_damaged_header_is_read_as_far_as_it_goes(content: bytes, names: list[str], body: bytes) -> None:
    root = parse(content)
    assert [field.name for field in root.fields] == names
    assert content[root.body_start : root.end] == body


def nested(depth: int) -> bytes:
    opened = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(depth))
    return opened + b"\r\ninnermost\r\n" + b"".join(b"--b%d--\r\n" % n for n in reversed(range(depth)))


def test_parts_nest_as_deep_as_the_limit_and_no_deeper() -> None:
    assert len(types(parse(nested(100)))) == 101
    with pytest.raises(MalformedMessage, match="nested more than 100 deep"):
        parse(nested(101))


def test_messages_in_messages_count_as_depth() -> None:
    with pytest.raises(MalformedMessage, match="nested"):
        parse(b"Content-Type: message/rfc822\r\n\r\n" * 102)


def test_parts_are_counted() -> None:
    content = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n" * 9 + b"--b--\r\n"
    assert len(parse(content, Limits(parts=10)).children) == 9
    with pytest.raises(MalformedMessage, match="more than 9 parts"):
        parse(content, Limits(parts=9))


def test_the_octets_of_one_header_are_counted() -> None:
    content = b"A: " + b"x" * 95 + b"\r\n"
    assert parse(content + b"\r\nbody" * 50, Limits(header_bytes=100)).fields
    with pytest.raises(MalformedMessage, match="longer than 99 bytes"):
        parse(content + b"\r\n", Limits(header_bytes=99))


def test_a_header_is_too_long_wherever_the_limit_cuts_it() -> None:
    content = b"A: b\r\n" * 20 + b"\tc\r\nBcc \t: d\r\nSubject: e\r\n\r\nbody"
    for most in range(1, content.index(b"\r\n\r\n") + 2):
        with pytest.raises(MalformedMessage, match="longer than"):
            parse(content, Limits(header_bytes=most))


def test_a_long_line_that_is_no_field_begins_the_body_however_long_it_is() -> None:
    assert parse(b"A: b\r\n" + b"x" * 500, Limits(header_bytes=100)).body_start == 6
