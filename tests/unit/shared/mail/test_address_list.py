import time
from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shared.mail.address_list import Mailbox, read_addresses, write_name


def octets(content: bytes, span: tuple[int, int] | None) -> bytes | None:
    return None if span is None else content[slice(*span)]


def test_a_list_is_read_with_the_place_of_every_name_and_address() -> None:
    content = b'To: "Doe, John" <john@example.com>,\r\n\tmary@example.com (Mary), =?utf-8?q?J=C3=BCrgen?= <j@x>\r\n'
    first, second, third = read_addresses(content, 3)
    assert (first.name, first.address) == ("Doe, John", "john@example.com")
    assert octets(content, first.name_span) == b'"Doe, John"'
    assert octets(content, first.address_span) == b"john@example.com"
    assert octets(content, first.domain_span) == b"example.com"
    assert (second.name, second.name_span, second.address) == ("", None, "mary@example.com")
    assert (third.name, third.address) == ("Jürgen", "j@x")
    assert octets(content, third.name_span) == b"=?utf-8?q?J=C3=BCrgen?="


@pytest.mark.parametrize(
    ("value", "addresses"),
    [
        (b"John Doe/Sales/Acme@ACME", ["John Doe/Sales/Acme@ACME"]),
        (b"<John Doe/Sales/Acme@ACME>, b@x", ["John Doe/Sales/Acme@ACME", "b@x"]),
        (b"CN=John Doe/OU=Sales/O=Acme@ACME", ["CN=John Doe/OU=Sales/O=Acme@ACME"]),
        (b"user@sub.example@ACME, c@d", ["user@sub.example@ACME", "c@d"]),
        (b'"John Doe/Sales/Acme"@ACME', ['"John Doe/Sales/Acme"@ACME']),
        (b"John\r\n Doe/Acme@ACME", ["John Doe/Acme@ACME"]),
        (b"=?iso-8859-1?Q?J=FCrgen_M=FCller/Acme=40ACME?=", ["Jürgen Müller/Acme@ACME"]),
        (b"<@relay.example,@b:user@x>", ["user@x"]),
        (b"<mailto:user@x>, MAILTO:b@x", ["user@x", "b@x"]),
        (b"a@x; b@x;c@x", ["a@x", "b@x", "c@x"]),
        (b"john(a comment (nested)) @ example . com", ["john@example.com"]),
        (b'"quoted, \\" @ local"@x', ['"quoted, \\" @ local"@x']),
        (b"x@[IPv6:2001:db8::1], b@x", ["x@[IPv6:2001:db8::1]", "b@x"]),
        (b"<a@b, c <d@e>", ["a@b", "d@e"]),
        (b"<<a@b>>", ["a@b", ">"]),
        (b'"unclosed <a@b>, c@d', ["a@b", "c@d"]),
        (b"(unclosed <a@b>, c@d", ["a@b", "c@d"]),
        (b"=?utf-8?Q?Doe,_John?= <j@x>, b@x", ["j@x", "b@x"]),
        (b"<>, , ;,", []),
        (b"undisclosed-recipients:;", []),
        (b" \r\n", []),
        ("jürgen@bücher.example".encode(), ["jürgen@bücher.example"]),
        (b"j\xfcrgen@x", ["j\udcfcrgen@x"]),
    ],
)
def test_addresses_in_every_shape_are_found(value: bytes, addresses: list[str]) -> None:
    assert [mailbox.address for mailbox in read_addresses(value)] == addresses


def test_members_of_a_group_know_its_name() -> None:
    mailboxes = read_addresses(b'before@x, The "A, B" Team: a@x, Bob <b@x>; after@x')
    assert [(mailbox.address, mailbox.group) for mailbox in mailboxes] == [
        ("before@x", None),
        ("a@x", "The A, B Team"),
        ("b@x", "The A, B Team"),
        ("after@x", None),
    ]


def test_an_encoded_line_end_does_not_become_one() -> None:
    assert read_addresses(b"=?utf-8?q?a=0D=0ABcc:_b=40x?=@x")[0].address == "=?utf-8?q?a=0D=0ABcc:_b=40x?=@x"


SHARDS = st.sampled_from(
    [
        b'"',
        b"<",
        b">",
        b"(",
        b")",
        b",",
        b";",
        b":",
        b"@",
        b"\\",
        b"[",
        b"]",
        b"\r\n ",
        b" ",
        b"=?utf-8?q?",
        b"?=",
        b"a",
    ]
)


@given(st.one_of(st.binary(max_size=200), st.lists(SHARDS, max_size=80).map(b"".join)), st.integers(0, 5))
@example(b"=?utf?q??=", 0)  # encoded words that say nothing stay as they are
def test_any_octets_are_a_list_whose_spans_are_ordered_and_nested(content: bytes, start: int) -> None:
    position = min(start, len(content))
    for mailbox in read_addresses(content, start):
        assert mailbox.address
        for span in (mailbox.name_span, mailbox.address_span):
            if span:
                assert position <= span[0] < span[1] <= len(content)
                position = span[1]
        if mailbox.domain_span:
            left, right = mailbox.domain_span
            assert mailbox.address_span[0] < left <= right == mailbox.address_span[1]


NAMES = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=40)


@given(NAMES, st.booleans())
def test_a_name_that_is_written_is_read_again(name: str, quoted: bool) -> None:
    (mailbox,) = read_addresses(write_name(name, quoted) + b" <a@x>")
    assert mailbox.name.split() == name.split()
    assert mailbox.address == "a@x"


PIECES = st.sampled_from(
    b'Anna|Anna Schmidt|"Schmidt, Anna"|"" |" x  y "|<a@b.example>|c@d.example|John/O|mailto:|team:|=?utf-8?q?a?='
    b'|(x)|[1.2.3.4]| |\t|\r\n |"|<|>|,|;|:|@|=|\\|.|\x00|\xc3\xa4'.split(b"|")
)


@given(st.lists(PIECES, max_size=10).map(b"".join))
def test_a_plain_list_reads_the_same_as_token_by_token(value: bytes) -> None:
    """Text that begins with a comment is not plain: all of it is read token by token."""
    by_tokens = [_without_comment(mailbox) for mailbox in read_addresses(b"()" + value)]
    assert list(read_addresses(value)) == by_tokens


def _without_comment(mailbox: Mailbox) -> Mailbox:
    def moved(span: tuple[int, int] | None) -> tuple[int, int] | None:
        return span and (span[0] - 2, span[1] - 2)

    address_span = mailbox.address_span[0] - 2, mailbox.address_span[1] - 2
    return replace(
        mailbox,
        address_span=address_span,
        domain_span=moved(mailbox.domain_span),
        name_span=moved(mailbox.name_span),
    )


@pytest.mark.parametrize(
    "unit",
    [
        b'"',
        b"(",
        b"<",
        b'"\\',
        b"a@x,",
        b"@",
        b"()",
        b"<a@b,",
        b":",
        b"[",
        b"a ",
        b"=?",
        b"=?x?q?",
        b"=?x?q?a,",
        b"\\(",
    ],
)
def test_time_grows_with_length_only(unit: bytes) -> None:
    value = unit * (200_000 // len(unit))
    started = time.process_time()
    read_addresses(value)
    assert time.process_time() - started < 5, "a quadratic reader takes minutes for this"


def test_a_mailbox_needs_no_name() -> None:
    assert read_addresses(b"a@x") == (Mailbox("a@x", (0, 3), (2, 3)),)


def test_bytes_of_no_known_charset_are_written_as_they_are() -> None:
    """As encoded words in UTF-8 they would be no text at all."""
    assert write_name('Dvo\udcf8\udce1k \\ "x"') == b'"Dvo\xf8\xe1k \\\\ \\"x\\""'
