"""TNEF streams and their properties: reading, reports of damage, and no input that makes the reader fail."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.transform.tnef.carrier import Carrier
from services.transform.tnef.content import content_of
from services.transform.tnef.cursor import Cursor
from services.transform.tnef.message import MAX_DEPTH, Person, read_message
from services.transform.tnef.properties import read_properties
from services.transform.tnef.stream import read_stream
from shared.errors import MalformedTnef
from shared.mail.mime import parse
from tests.support import tnef as build

NOW = datetime(2024, 1, 1, tzinfo=UTC)
LATER = datetime(2024, 7, 1, 12, tzinfo=UTC)
EIGHTH = datetime(2024, 1, 8, 9)

SAMPLES = [
    build.message("IPM.Note", [build.text(0x1000, "Hello"), build.binary(0x1013, b"<p>Hello <img src='cid:a@b'></p>")]),
    build.message(
        "IPM.Note", (), [build.attachment(b"a.txt", b"abc"), build.attachment(b"b", b"x", build.number(1, 1))]
    ),
    build.message("IPM.Note", [build.rtf(rb"{\rtf1\fromhtml1 {\*\htmltag <p>}x\'e4{\*\htmltag </p>}}")]),
    build.message(
        "IPM.Schedule.Meeting.Request",
        [
            build.moment((build.APPOINTMENT, 0x820D), NOW),
            build.moment((build.APPOINTMENT, 0x820E), LATER),
            build.binary((build.APPOINTMENT, 0x825E), build.zone_definition("W. Europe Standard Time", build.BERLIN)),
            build.binary(
                (build.APPOINTMENT, 0x8216),
                build.recurrence(
                    0x200B,
                    1,
                    1,
                    (2,),
                    datetime(2024, 1, 1, 9),
                    count=4,
                    moved=[build.Moved(EIGHTH, EIGHTH, EIGHTH, "A", "B")],
                ),
            ),
        ],
        [build.embedded(build.message("IPM.Note", [build.text(0x37, "Inner")]))],
        recipients=[build.recipient("Jane", "jane@example.com")],
    ),
]


def outcome(octets: bytes) -> None:
    """Read and compose: an outcome, which is a message of mail again, for any bytes."""
    try:
        message = read_message(octets)
    except MalformedTnef:
        return
    entity = bytes(content_of(message, Carrier(), NOW).entity())
    parse(b"Subject: x\r\n" + entity)
    assert entity.isascii()
    assert b"\0" not in entity
    assert all(len(line) <= 998 and not {10, 13} & set(line) for line in entity.split(b"\r\n"))


@given(st.binary(max_size=300))
def test_any_octets_have_an_outcome(octets: bytes) -> None:
    outcome(octets)
    outcome(build.stream() + octets)
    outcome(build.message("IPM.Note", [octets]))


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(SAMPLES), st.data())
def test_mutated_streams_have_an_outcome(sample: bytes, data: st.DataObject) -> None:
    octets = bytearray(sample)
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(octets)))
        length = data.draw(st.integers(0, 8))
        octets[at : at + length] = data.draw(st.binary(max_size=8) | st.sampled_from([b"\xff" * 4, bytes(4)]))
    outcome(bytes(octets))


@pytest.mark.parametrize("octets", [b"", b"x", b'x\x9f>"', build.stream()[:4], build.stream(), build.stream(b"\x01")])
def test_no_stream_at_all_is_an_error(octets: bytes) -> None:
    with pytest.raises(MalformedTnef):
        read_stream(octets)


def test_a_whole_stream_is_read_in_order_and_without_damage() -> None:
    stream = read_stream(build.stream(build.attribute(1, 0x8008, b"A"), build.attribute(2, 0x9002, b"")))
    assert [(a.level, a.id, a.octets) for a in stream.attributes] == [(1, 0x8008, b"A"), (2, 0x9002, b"")]
    assert stream.damage == ()


@pytest.mark.parametrize("behind", [b"\n", b"\r\n\r\n", bytes(100)])
def test_line_ends_and_zeros_behind_a_stream_are_no_damage(behind: bytes) -> None:
    assert read_stream(SAMPLES[0] + behind).damage == ()


@pytest.mark.parametrize(
    ("damaged", "reported"),
    [
        (SAMPLES[0] + b"garbage", "7 bytes after the last attribute"),
        (SAMPLES[0][:-1], "truncated in the attribute"),
        (build.stream(build.attribute(1, 0x8008, b"A", checksum=7)), "wrong checksum of attribute 0x8008"),
    ],
)
def test_damage_is_reported_and_attributes_before_it_are_returned(damaged: bytes, reported: str) -> None:
    stream = read_stream(damaged)
    assert stream.attributes
    assert [reported in line for line in stream.damage] == [True]


def test_properties_before_a_cut_are_kept() -> None:
    octets = build.u32(2) + build.text(0x37, "Subject") + build.text(0x1000, "Body")[:-4]
    properties = read_properties(Cursor(octets), 1252)
    assert properties.text(0x37) == "Subject"
    assert properties.text(0x1000) == ""
    assert len(properties.damage) == 1


def test_a_named_property_is_found_by_its_set_and_name() -> None:
    octets = build.properties(
        build.text((build.APPOINTMENT, 0x8208), "Room"),
        build.text((build.TASK, 0x8208), "no room"),
        build.texts((build.PUBLIC_STRINGS, "Keywords"), "Red", "Blue"),
    )
    properties = read_properties(Cursor(octets), 1252)
    assert properties.text((build.APPOINTMENT, 0x8208)) == "Room"
    assert properties.texts((build.PUBLIC_STRINGS, "Keywords")) == ("Red", "Blue")
    assert 0x8208 not in properties
    assert 0x8000 not in properties


def test_a_property_of_another_type_counts_as_absent() -> None:
    properties = read_properties(Cursor(build.properties(build.number(1, 1), build.text(2, "x"))), 1252)
    assert (properties.text(1), properties.number(2), properties.octets(2), properties.moment(1)) == (
        "",
        None,
        None,
        None,
    )
    assert properties.flag(1) is False


@pytest.mark.parametrize(
    ("codepage", "octets"), [(1252, b"\xe4\x80"), (1251, b"\xcf\xf0"), (932, b"\x83e"), (65001, "ä€".encode())]
)
def test_eight_bit_strings_are_read_by_the_streams_code_page(codepage: int, octets: bytes) -> None:
    name = {1252: "cp1252", 1251: "cp1251", 932: "cp932", 65001: "utf-8"}[codepage]
    message = read_message(build.message("IPM.Note", [build.string8(0x37, octets)], codepage=codepage))
    assert message.subject == octets.decode(name)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("IPM.Microsoft Mail.Note", "IPM.Note"),
        ("ipm.microsoft schedule.MTGREQ", "IPM.Schedule.Meeting.Request"),
        ("IPM.Microsoft Schedule.MtgCncl", "IPM.Schedule.Meeting.Canceled"),
        ("IPM.Microsoft Schedule.MtgRespA", "IPM.Schedule.Meeting.Resp.Tent"),
        ("IPM.Note.Custom", "IPM.Note.Custom"),
    ],
)
def test_old_class_names_mean_the_new_ones(old: str, new: str) -> None:
    assert read_message(build.message(old)).message_class == new


def test_an_attachment_has_its_longest_name_and_what_it_says_of_itself() -> None:
    values = (build.text(0x3707, "Übersicht.docx"), build.text(0x370E, "Image/PNG"), build.text(0x3712, "<a@b>"))
    (attached,) = read_message(
        build.message("IPM.Note", (), [build.attachment(b"BERSI~1.DOC", b"abc", *values)])
    ).attachments
    assert (attached.name, attached.content_type, attached.content_id) == ("Übersicht.docx", "Image/PNG", "a@b")
    assert attached.octets == b"abc"


def test_messages_nested_deeper_than_the_bound_stay_opaque_and_count_as_damage() -> None:
    stream = build.message("IPM.Note", [build.text(0x37, "innermost")])
    for _ in range(MAX_DEPTH + 3):
        stream = build.message("IPM.Note", (), [build.embedded(stream)])
    message = read_message(stream)
    assert not message.is_whole
    for _ in range(MAX_DEPTH):
        assert message.attachments[0].message
        message = message.attachments[0].message
    assert message.attachments[0].message is None
    assert message.attachments[0].octets
    outcome(stream)


def test_people_without_an_internet_address_have_none() -> None:
    exchange = [build.text(0x42, "Jane"), build.text(0x64, "EX"), build.text(0x65, "/O=ACME/CN=JANE@ACME")]
    assert read_message(build.message("IPM.Note", exchange)).sender == Person("Jane", "")
    known = [*exchange, build.text(0x5D02, "jane@example.com")]
    assert read_message(build.message("IPM.Note", known)).sender == Person("Jane", "jane@example.com")


def test_recipients_have_their_roles() -> None:
    rows = [build.recipient("A", "a@example.com"), build.recipient("B", "b@example.com", 2, flags=2)]
    message = read_message(build.message("IPM.Note", recipients=rows))
    assert message.recipients == (Person("A", "a@example.com"), Person("B", "b@example.com", "cc", is_organizer=True))


def test_a_topic_is_the_subject_without_what_was_put_before_it() -> None:
    values = [build.text(0x37, "Accepted: Plan"), build.text(0x3D, "Accepted: ")]
    assert read_message(build.message("IPM.Note", values)).topic == "Plan"
    assert read_message(build.message("IPM.Note", values[:1])).topic == "Accepted: Plan"
    conversation = [*values[:1], build.text(0x70, "Plan")]
    assert read_message(build.message("IPM.Note", conversation)).topic == "Plan"
