"""Messages for hosts without 8BITMIME."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.mail.body import decode_body
from shared.mail.downgrade import to_ascii_headers, to_seven_bit
from shared.mail.edits import apply
from shared.mail.header import decode_words
from shared.mail.mime import Entity, parse

CORPUS = Path(__file__).parents[3] / "corpus" / "mime"
SAMPLES = sorted(CORPUS.glob("*.eml"))


def leaves(content: bytes) -> list[tuple[str, bytes]]:
    return [(each.content_type, decode_body(content, each)) for each in parse(content).walk() if not each.children]


def downgraded(content: bytes) -> bytes:
    result = apply(content, to_seven_bit(content))
    assert result.isascii()
    assert leaves(result) == leaves(content)
    return result


def value(content: bytes, entity: Entity, name: str) -> str | None:
    field = entity.find(name)
    return None if field is None else field.value(content)


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.stem)
def test_seven_bit_messages_get_no_edits_and_all_decode_as_before(sample: Path) -> None:
    content = sample.read_bytes()
    assert (downgraded(content) is content) == content.isascii()


def test_parts_are_encoded_and_what_encloses_them_no_longer_claims_8bit() -> None:
    content = downgraded((CORPUS / "eight-bit.eml").read_bytes())
    encodings = [each.transfer_encoding for each in parse(content).walk()]
    assert encodings == ["7bit", "quoted-printable", "base64", "7bit"]
    assert b"--b\r\nContent-Type: text/plain\r\n\r\nPlain.\r\n--b--" in content


@pytest.mark.parametrize(
    ("octets", "charset"),
    [("Grüße\r\n".encode(), "utf-8"), (b"Gr\xfc\xdfe\r\n", "unknown-8bit")],
    ids=["utf-8", "other"],
)
def test_a_message_without_mime_becomes_one(octets: bytes, charset: str) -> None:
    content = downgraded(b"Subject: x\r\n\r\n" + octets)
    root = parse(content)
    assert value(content, root, "mime-version") == "1.0"
    assert root.parameters["charset"] == charset


@pytest.mark.parametrize(
    "header",
    [b"", b"\r\n", b"Subject: x\r\n", b"Subject: x\r\n\r\n", b": nameless\r\n\r\n", b"From jane Thu\r\nX: 1\r\n\r\n"],
)
def test_the_new_fields_find_their_place_in_any_header(header: bytes) -> None:
    """The body here would read as a field once its bytes are encoded, so it needs its empty line."""
    content = downgraded(header + b"\xfc: not a field\r\nmore\r\n")
    assert parse(content).transfer_encoding == "quoted-printable"


def test_several_labels_of_one_part_become_one() -> None:
    label = b"Content-Transfer-Encoding: 8bit\r\n"
    content = downgraded(b"MIME-Version: 1.0\r\n" + label + b"Subject: x\r\n" + label + b"\r\n\xc3\xbc\r\n")
    assert len(parse(content).all("content-transfer-encoding")) == 1


def test_parts_of_an_enclosed_message_are_encoded_and_the_message_is_not() -> None:
    inner = b"Subject: inner\r\nMIME-Version: 1.0\r\nContent-Transfer-Encoding: 8bit\r\n\r\n\xc3\xbc\r\n"
    outer = b"MIME-Version: 1.0\r\nContent-Type: message/rfc822\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
    content = downgraded(outer + inner)
    encodings = [each.transfer_encoding for each in parse(content).walk()]
    assert encodings[0] == "7bit"
    assert encodings[1] in {"quoted-printable", "base64"}


def test_a_preamble_and_an_epilogue_lose_their_high_bytes() -> None:
    content = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n\xfc\r\n--b\r\n\r\nx\r\n--b--\r\n\xfc\xfc\r\n"
    assert downgraded(content) == content.replace(b"\xfc", b"?")


@pytest.mark.parametrize(
    "header",
    [
        b"Content-Type: application/pkcs7-mime\r\n",
        b"Content-Type: message/delivery-status\r\n",
        b"Content-Type: multipart/mixed\r\n",
        b"Content-Transfer-Encoding: x-own\r\n",
        b"Content-Type: message/rfc822\r\ncaf\xe9\r\n",  # labels for the inner one would be read as the outer one's
    ],
)
def test_what_must_not_be_encoded_keeps_its_bytes(header: bytes) -> None:
    content = header + b"\r\n\xfc\r\n"
    assert apply(content, to_seven_bit(content)) == content


def test_a_signed_part_keeps_its_bytes_while_the_header_before_it_and_its_neighbours_are_encoded() -> None:
    signed = (CORPUS / "signed.eml").read_bytes().replace(b"Do not touch.", "Nicht berühren.".encode())
    part = signed[signed.index(b"Content-Type:") :]
    content = (
        b"Subject: Gr\xc3\xbc\xc3\x9fe\r\nMIME-Version: 1.0\r\nContent-Transfer-Encoding: 8bit\r\n"
        b"Content-Type: multipart/mixed; boundary=outer\r\n\r\n--outer\r\n" + part + b"\r\n--outer\r\n"
        b"Content-Type: text/plain; charset=utf-8\r\n\r\nGr\xc3\xbc\xc3\x9fe\r\n--outer--\r\n"
    )
    result = apply(content, to_seven_bit(content))
    assert part in result
    assert result.replace(part, b"").isascii()
    assert leaves(result) == leaves(content)
    assert parse(result).transfer_encoding == "8bit", "it still holds 8-bit text"


@pytest.mark.parametrize(
    ("raw", "charset", "subject"),
    [
        ("Grüße".encode(), "us-ascii", "Grüße"),
        ("Grüße".encode("cp1252"), "us-ascii", "Grüße"),
        ("Dvořák".encode("iso-8859-2"), "iso-8859-2", "Dvořák"),
        ("Łódź".encode("iso-8859-2"), "us-ascii", "=?unknown-8bit?q?=A3=F3d=BC?="),
    ],
)
def test_raw_header_text_becomes_encoded_words_in_the_charset_that_is_known(
    raw: bytes, charset: str, subject: str
) -> None:
    content = (
        b'Subject: %s\r\nTo: "%s" <b@example.com>\r\nMIME-Version: 1.0\r\n' % (raw, raw)
        + b"Content-Type: text/plain; charset=%s\r\n" % charset.encode()
        + b'Content-Disposition: attachment; filename="%s.txt"\r\n\r\nx\r\n' % raw
    )
    result = downgraded(content)
    root = parse(result)
    assert decode_words(value(result, root, "subject") or "") == subject
    assert decode_words(value(result, root, "to") or "") == f"{subject} <b@example.com>"
    if subject.startswith("=?"):
        assert b"filename*=unknown-8bit''%A3%F3d%BC.txt" in result
    else:
        assert root.filename == f"{subject}.txt"


def test_headers_of_returned_messages_and_parts_are_encoded_too() -> None:
    inner = "Subject: Grüße\r\nFrom: Jörg <a@example.com>\r\n\r\nx\r\n".encode()
    content = downgraded(b"MIME-Version: 1.0\r\nContent-Type: message/rfc822\r\n\r\n" + inner)
    assert decode_words(value(content, parse(content).children[0], "from") or "") == "Jörg <a@example.com>"


def test_a_host_without_smtputf8_gets_encoded_headers_and_its_eight_bit_body() -> None:
    content = "Subject: Grüße\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nGrüße\r\n".encode()
    result = apply(content, to_ascii_headers(content))
    header, _, body = result.partition(b"\r\n\r\n")
    assert header.isascii()
    assert decode_words(value(result, parse(result), "subject") or "") == "Grüße"
    assert body == "Grüße\r\n".encode()


BODIES = st.binary(max_size=40) | st.text("aü \r\n=.", max_size=60).map(str.encode)


@given(
    BODIES,
    st.sampled_from([b"text/plain", b"application/pdf"]),
    st.sampled_from([b"8bit", b"binary", b"7bit", b"base64"]),
)
def test_every_part_decodes_to_the_bytes_it_had(body: bytes, content_type: bytes, encoding: bytes) -> None:
    part = b"--b\r\nContent-Type: " + content_type + b"\r\nContent-Transfer-Encoding: " + encoding + b"\r\n\r\n" + body
    content = b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n" + part + b"\r\n--b--\r\n"
    downgraded(content)
