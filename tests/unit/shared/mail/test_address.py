import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import MalformedAddress
from shared.mail.address import MAX_OCTETS, Address, address_key, domain_key, quote, unquote


@pytest.mark.parametrize(
    ("text", "local", "domain"),
    [
        ("john.doe@example.com", "john.doe", "example.com"),
        ("John@EXAMPLE.com", "John", "example.com"),
        ('"John Doe"@example.com', "John Doe", "example.com"),
        (r'"a\"b\\c@d"@example.com', r'a"b\c@d', "example.com"),
        ("x@[192.0.2.1]", "x", "[192.0.2.1]"),
        ("x@[IPv6:2001:db8::1]", "x", "[ipv6:2001:db8::1]"),
        ("用户@例子.广告", "用户", "例子.广告"),
        ("John_Doe/Sales/Acme%Acme@example.com", "John_Doe/Sales/Acme%Acme", "example.com"),
        ("a..b.@docomo.example", "a..b.", "docomo.example"),
        ("x@ACME", "x", "acme"),
    ],
)
def test_mailboxes_of_rfc_5321_and_6531_are_read(text: str, local: str, domain: str) -> None:
    assert Address.parse(text) == Address(local, domain)


@pytest.mark.parametrize(
    "text",
    [
        *("", "x", "@example.com", "x@", "x@-a.com", "x@a..com", "x@a.com.", "a b@example.com", '"x@example.com'),
        *("x@exam ple.com", "x@[1.2.3", "<x@example.com>", 'a"b@example.com', "user@sub@ACME", "x@a.com>,<y@b.com"),
        "x" * MAX_OCTETS + "@a.com",
        "x@" + "a" * 256,
    ],
)
def test_what_is_no_mailbox_is_malformed(text: str) -> None:
    with pytest.raises(MalformedAddress):
        Address.parse(text)


@given(
    st.sampled_from(["{}john@example.com", "john@exam{}ple.com", '"a{}b"@example.com', "john@example.com{}"]),
    st.characters(categories=["Cc", "Cs", "Zl", "Zp"]),
)
def test_a_control_character_never_passes_and_never_reaches_the_error_text(form: str, control: str) -> None:
    with pytest.raises(MalformedAddress) as fault:
        Address.parse(form.format(control))
    assert control not in str(fault.value)


LOCAL_CHARACTERS = st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"], max_codepoint=0x2FFF)


@given(st.text(LOCAL_CHARACTERS, min_size=1, max_size=60))
def test_any_local_part_survives_writing_and_reading(local: str) -> None:
    address = Address(local, "example.com")
    assert Address.parse(str(address)) == address
    assert unquote(quote(local)) == local


@given(st.text(max_size=80))
def test_a_text_is_an_address_or_malformed_and_nothing_else(text: str) -> None:
    if Address.is_valid(text):
        address = Address.parse(text)
        assert Address.parse(str(address)) == address
        assert address.key == address_key(text)


def test_two_spellings_of_one_mailbox_have_one_key() -> None:
    assert address_key('"John.Doe"@Example.COM.') == address_key("john.doe@example.com")
    assert domain_key("Bücher.example") == domain_key("xn--bcher-kva.example")
