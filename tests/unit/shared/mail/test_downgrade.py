"""Messages for hosts without 8BITMIME."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import CannotDowngrade
from shared.mail.body import decode_body
from shared.mail.downgrade import to_seven_bit
from shared.mail.edits import apply
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


def test_what_nobody_reads_loses_its_octets() -> None:
    content = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n\xfc\r\n--b\r\n\r\nx\r\n--b--\r\n\xfc\xfc\r\n"
    assert downgraded(content) == content.replace(b"\xfc", b"?")


@pytest.mark.parametrize(
    ("header", "why"),
    [
        (b"Subject: \xfc\r\n", "header"),
        (b"Content-Type: application/pkcs7-mime\r\n", "signed or encrypted"),
        (b"Content-Type: message/delivery-status\r\n", "may not be encoded"),
        (b"Content-Type: multipart/mixed\r\n", "may not be encoded"),
        (b"Content-Transfer-Encoding: x-own\r\n", "unknown encoding"),
    ],
)
def test_what_may_not_be_encoded_is_refused(header: bytes, why: str) -> None:
    with pytest.raises(CannotDowngrade, match=why):
        to_seven_bit(header + b"\r\n\xfc\r\n")


def test_a_message_that_no_empty_line_parts_from_the_header_around_it_is_refused() -> None:
    """Labels for the inner one would be read as the outer one's."""
    with pytest.raises(CannotDowngrade, match="empty line"):
        to_seven_bit(b"Content-Type: message/rfc822\r\ncaf\xe9\r\n")


def test_a_signed_part_is_never_encoded() -> None:
    signed = (CORPUS / "signed.eml").read_bytes().replace(b"Do not touch.", "Nicht berühren.".encode())
    with pytest.raises(CannotDowngrade, match="signed"):
        to_seven_bit(signed)


BODIES = st.binary(max_size=40) | st.text("aü \r\n=.", max_size=60).map(str.encode)


@given(
    BODIES,
    st.sampled_from([b"text/plain", b"application/pdf"]),
    st.sampled_from([b"8bit", b"binary", b"7bit", b"base64"]),
)
def test_every_part_decodes_to_the_octets_it_had(body: bytes, content_type: bytes, encoding: bytes) -> None:
    part = b"--b\r\nContent-Type: " + content_type + b"\r\nContent-Transfer-Encoding: " + encoding + b"\r\n\r\n" + body
    content = b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n" + part + b"\r\n--b--\r\n"
    downgraded(content)
