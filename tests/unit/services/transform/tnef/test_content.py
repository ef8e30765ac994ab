"""What a stream is in mail: names and types of files, OLE objects, contacts, receipts, attached messages."""

from __future__ import annotations

import email
import email.policy
from datetime import UTC, datetime
from email.message import EmailMessage

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.transform.tnef import ole
from services.transform.tnef.carrier import Carrier
from services.transform.tnef.content import content_of
from services.transform.tnef.message import read_message
from services.transform.tnef.parts import file_name, file_part, multipart, text_part
from tests.support import tnef as build

NOW = datetime(2024, 1, 1, tzinfo=UTC)


def entity(stream: bytes) -> EmailMessage:
    octets = bytes(content_of(read_message(stream), Carrier(), NOW).entity())
    return email.message_from_bytes(octets, policy=email.policy.default)


def file(*arguments: str, octets: bytes = b"abc") -> EmailMessage:
    return email.message_from_bytes(bytes(file_part(octets, *arguments)), policy=email.policy.default)


@pytest.mark.parametrize(
    ("values", "name", "kind"),
    [
        ("Image/PNG", "a.bin", "image/png"),
        ("", "a.docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
        ("application/octet-stream", "a.pdf", "application/pdf"),
        ("", "unknown", "application/octet-stream"),
        ("multipart/mixed", "a", "application/octet-stream"),
        ("message/rfc822", "a.eml", "message/rfc822"),
        ("no type\r\nX: y", "a.txt", "text/plain"),
        ("application/oc\xfftet", "a.gif", "image/gif"),
    ],
)
def test_a_file_has_the_type_it_says_or_its_name_does(values: str, name: str, kind: str) -> None:
    assert file(values, name).get_content_type() == kind


def test_an_attached_message_in_octets_is_opaque() -> None:
    assert file("message/rfc822", "a.eml", octets=b"Subject: \xe4\r\n").get_content_type() == "application/octet-stream"


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("a.txt", "a.txt"),
        ("Übersicht (neu).txt", "Übersicht (neu).txt"),
        ("..\\c:/x/ä.txt", "ä.txt"),
        ('a"b\r\n.c', "ab.c"),
    ],
)
def test_a_file_has_its_name_and_no_path(name: str, shown: str) -> None:
    part = file("", name)
    assert part.get_filename() == shown
    assert part["Content-Type"].params["name"] == shown
    assert not part.defects


def test_a_long_name_keeps_its_ending() -> None:
    assert str(file("", "x" * 500 + ".docx").get_filename()).endswith("x.docx")


@given(st.binary(max_size=300), st.text(max_size=30), st.text(max_size=30), st.text(max_size=30))
def test_no_file_breaks_the_message_around_it(octets: bytes, kind: str, name: str, content_id: str) -> None:
    part = file_part(octets, kind, name, content_id, content_id)
    whole = multipart("mixed", [bytes(text_part("x")), bytes(part)])
    read = email.message_from_bytes(bytes(whole), policy=email.policy.compat32)
    assert [one.defects for one in read.walk()] == [[], [], []]
    _, second = (one for one in read.walk() if not one.is_multipart())
    assert second.get_payload(decode=True) == octets


def test_the_same_content_is_written_with_the_same_octets() -> None:
    stream = build.message("IPM.Note", [build.text(0x1000, "x")], [build.attachment(b"a", b"b")])
    first, again = (bytes(content_of(read_message(stream), Carrier(), NOW).entity()) for _ in range(2))
    assert first == again


def packaged(label: bytes, octets: bytes) -> bytes:
    inner = build.u16(2) + label + b"\0C:\\x\\" + label + b"\0" + build.u32(0x30000) + build.u32(4) + b"C:\\\0"
    return build.u32(len(inner) + len(octets) + 4) + inner + build.u32(len(octets)) + octets


def compound(name: str, octets: bytes) -> bytes:
    """Return a compound file (MS-CFB) with one stream of at least 4096 bytes."""
    octets = octets.ljust(4096, b"\0")
    sectors = -(-len(octets) // 512)
    chain = [n + 1 for n in range(2, 2 + sectors - 1)] + [0xFFFFFFFE]
    table = [0xFFFFFFFD, 0xFFFFFFFE, *chain]
    fat = b"".join(map(build.u32, table)).ljust(512, b"\xff")

    def entry(title: str, kind: int, start: int, size: int, child: int) -> bytes:
        values = f"{title}\0".encode("utf-16-le")
        head = values.ljust(64, b"\0") + build.u16(len(values)) + bytes((kind, 1))
        return head + build.u32(-1) * 2 + build.u32(child) + bytes(36) + build.u32(start) + build.u32(size) + bytes(4)

    directory = entry("Root Entry", 5, 0xFFFFFFFE, 0, 1) + entry(name, 2, 2, len(octets), -1)
    header = bytes.fromhex("D0CF11E0A1B11AE1") + bytes(16) + build.u16(0x3E) + build.u16(3) + build.u16(0xFFFE)
    header += build.u16(9) + build.u16(6) + bytes(10) + build.u32(1) + build.u32(1) + bytes(4) + build.u32(4096)
    header += build.u32(0xFFFFFFFE) + bytes(4) + build.u32(0xFFFFFFFE) + bytes(4) + build.u32(0)
    return header.ljust(512, b"\xff") + fat + directory.ljust(512, b"\0") + octets.ljust(sectors * 512, b"\0")


@pytest.mark.parametrize(
    ("stream", "held", "expected"),
    [
        ("\x01Ole10Native", packaged(b"note.txt", b"hello"), ("note.txt", "", b"hello")),
        ("CONTENTS", b"%PDF-1.4".ljust(4096, b"\0"), ("object.pdf", "application/pdf", b"%PDF-1.4".ljust(4096, b"\0"))),
    ],
)
def test_an_ole_object_is_what_it_holds(stream: str, held: bytes, expected: tuple[str, str, bytes]) -> None:
    assert ole.what_it_holds("", build.IID_STORAGE + compound(stream, held)) == expected


def test_a_document_of_office_is_a_compound_file_itself() -> None:
    octets = compound("WordDocument", b"text")
    assert ole.what_it_holds("Picture", octets) == ("Picture.doc", "application/msword", octets)


def test_an_ole_attachment_comes_by_its_own_name() -> None:
    held = build.IID_STORAGE + compound("\x01Ole10Native", packaged(b"note.txt", b"hello"))
    stream = build.message(
        "IPM.Note", (), [build.attachment(b"", None, build.number(0x3705, 6), build.object_(0x3701, held))]
    )
    (part,) = entity(stream).iter_attachments()
    assert (part.get_filename(), part.get_content()) == ("note.txt", "hello")


@given(st.binary(max_size=300), st.integers(0, 5000), st.binary(max_size=30))
def test_any_octets_of_an_object_are_delivered(octets: bytes, at: int, noise: bytes) -> None:
    whole = compound("\x01Ole10Native", packaged(b"a", b"b"))
    for candidate in (octets, whole[:512] + octets, whole[:at] + noise + whole[at + len(noise) :]):
        assert isinstance(ole.what_it_holds("x", candidate)[2], bytes)


def test_a_contact_is_readable() -> None:
    values = [
        build.text(0x3001, "Jane Doe"),
        build.text(0x3A16, "Acme"),
        build.text((build.ADDRESS, 0x8083), "jane@example.com"),
        build.text(0x3A1C, "+1 555"),
    ]
    shown = str(entity(build.message("IPM.Contact", values)).get_content()).splitlines()
    assert shown == ["Name: Jane Doe", "Company: Acme", "E-mail: jane@example.com", "Mobile phone: +1 555"]


def test_facts_stand_before_what_somebody_wrote_about_them() -> None:
    values = [
        build.text(0x3001, "Jane <Doe>"),
        build.binary(0x1013, b"<html><body lang=en><p>A friend.</p></body></html>"),
    ]
    plain, rich = entity(build.message("IPM.Contact", values)).iter_parts()
    assert str(plain.get_content()).splitlines() == ["Name: Jane <Doe>", "", "A friend."]
    assert "<body lang=en><div>Name: Jane &lt;Doe&gt;</div>" in str(rich.get_content())


def test_an_attached_task_has_its_facts_in_the_text() -> None:
    task = [build.text(0x37, "Report"), build.moment((build.TASK, 0x8105), NOW), build.text(0x1000, "Soon.")]
    shown = entity(build.message("IPM.Task", task)).get_body(("plain",))
    assert shown
    assert str(shown.get_content()).splitlines() == [
        "Subject: Report",
        "Due date: 2024-01-01",
        "Status: Not started",
        "Percent complete: 0%",
        "",
        "Soon.",
    ]


def test_a_distribution_list_names_its_members() -> None:
    members = (
        bytes(22) + build.u16(0x8000) + "Jané\0SMTP\0jane@example.com\0".encode("utf-16-le"),
        bytes(22) + build.u16(0) + b"bob@example.com\0SMTP\0bob@example.com\0",
        b"short",
    )
    values = [build.text((build.ADDRESS, 0x8053), "Team"), build.binaries((build.ADDRESS, 0x8054), *members)]
    shown = str(entity(build.message("IPM.DistList", values)).get_content()).splitlines()
    assert shown == ["Distribution list: Team", "Jané <jane@example.com>", "bob@example.com"]


def test_an_attached_message_is_a_message_of_mail() -> None:
    inner = build.message(
        "IPM.Note",
        [
            build.text(0x37, "Grüße\r\nBcc: x@example.com"),
            build.text(0x42, "Doe, Jane"),
            build.text(0x65, "jane@example.com"),
            build.moment(0x39, NOW),
            build.text(0x1000, "Hello"),
        ],
        recipients=[build.recipient("John", "john@example.com"), build.recipient("Eve", "eve@example.com", 3)],
    )
    (part,) = entity(build.message("IPM.Note", (), [build.embedded(inner)])).iter_attachments()
    attached = part.get_content()
    assert attached["From"].addresses[0].display_name == "Doe, Jane"
    assert str(attached["To"]) == "John <john@example.com>"
    assert attached["Bcc"] is None
    assert str(attached["Subject"]) == "Grüße Bcc: x@example.com"
    assert attached.get_content().strip() == "Hello"


def test_an_exception_of_a_series_is_no_attachment() -> None:
    inner = build.message("IPM.OLE.CLASS.{00061055-0000-0000-C000-000000000046}", [build.text(0x37, "x")])
    assert not list(
        entity(build.message("IPM.Note", [build.text(0x1000, "b")], [build.embedded(inner)])).iter_attachments()
    )


def test_what_is_attached_to_an_exception_of_a_series_is_not_lost() -> None:
    kind = "IPM.OLE.CLASS.{00061055-0000-0000-C000-000000000046}"
    inner = build.message(kind, (), [build.attachment(b"agenda.txt", b"x")])
    whole = entity(build.message("IPM.Note", [build.text(0x1000, "b")], [build.embedded(inner)]))
    assert [part.get_filename() for part in whole.iter_attachments()] == ["agenda.txt"]


def test_a_picture_that_the_html_shows_is_related_to_it_and_others_are_files() -> None:
    html = build.binary(0x1013, b'<p>x<img src="cid:a@b"><img src="logo.gif"></p>')
    attachments = [
        build.attachment(b"a.png", b"1", build.text(0x3712, "a@b")),
        build.attachment(b"b.gif", b"2", build.text(0x3713, "logo.gif")),
        build.attachment(b"c.png", b"3", build.text(0x3712, "c@d")),
    ]
    whole = entity(build.message("IPM.Note", [html], attachments))
    related = next(part for part in whole.walk() if part.get_content_type() == "multipart/related")
    assert [part.get_filename() for part in related.walk()][2:] == ["a.png", "b.gif"]
    assert [part.get_filename() for part in whole.iter_attachments()] == ["c.png"]


def test_html_is_read_by_its_own_code_page() -> None:
    values = [build.binary(0x1013, "<p>мир</p>".encode("koi8-r")), build.number(0x3FDE, 20866)]
    html = next(
        part for part in entity(build.message("IPM.Note", values)).walk() if part.get_content_type() == "text/html"
    )
    assert "мир" in str(html.get_content())


@pytest.mark.parametrize("turn", ["\u202a", "\u202e", "\u2066", "\u2069"])
def test_no_name_turns_the_direction_of_text(turn: str) -> None:
    """`invoice` RLO `gpj.exe` reads as `invoiceexe.jpg`."""
    assert file_name(f"invoice{turn}gpj.exe") == "invoicegpj.exe"
