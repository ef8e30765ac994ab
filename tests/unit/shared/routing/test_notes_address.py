import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.mail.address import Address, unquote
from shared.routing import imcea
from shared.routing.notes_address import NotesName

JOHN = NotesName(("John Doe", "Sales", "Acme"), ("ACME",))


@pytest.mark.parametrize(
    "text", ["John Doe/Sales/Acme@ACME", "CN=John Doe/OU=Sales/O=Acme@ACME", "cn=John Doe / ou=Sales / o=Acme @ ACME"]
)
def test_abbreviated_and_canonical_forms_are_one_name(text: str) -> None:
    assert NotesName.parse(text) == JOHN


def test_domino_writes_it_for_the_internet() -> None:
    assert JOHN.encode() == "John_Doe/Sales/Acme%ACME"
    assert NotesName.decode("John_Doe/Sales/Acme%ACME") == JOHN
    assert NotesName.decode("John_Smith%Acme") == NotesName(("John Smith",), ("Acme",))
    assert NotesName.decode("John_Smith%Hub%Acme") == NotesName(("John Smith",), ("Hub", "Acme"))
    assert NotesName.decode("john.doe") is None


def test_the_notes_domain_follows_the_last_at() -> None:
    name = NotesName.parse("John Smith@Hub@Acme")
    assert name is not None
    assert name.notes_domain == "Acme"


def test_both_written_forms_are_kept_apart() -> None:
    name = NotesName.parse("CN=John Doe/O=Acme/C=US@ACME")
    assert name is not None
    assert (name.canonical, name.abbreviated) == ("CN=John Doe/O=Acme/C=US", "John Doe/Acme/US")
    assert JOHN.canonical == "CN=John Doe/OU=Sales/O=Acme"
    assert JOHN.common_name == "John Doe"


@pytest.mark.parametrize(
    "text",
    ["", "@ACME", "John//Acme", "/Acme", "John/@ACME", "a@@b", "John\r\nDoe/Acme", "CN=O=x/O=y", "a/" * 20 + "b"],
)
def test_what_cannot_be_a_name_is_none(text: str) -> None:
    assert NotesName.parse(text) is None


PARTS = st.text(
    st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"], exclude_characters="/@="), min_size=1, max_size=12
)
NAMES = st.builds(
    NotesName,
    st.lists(PARTS.map(str.strip).filter(bool), min_size=1, max_size=5).map(tuple),
    st.lists(PARTS.map(str.strip).filter(bool), max_size=2).map(tuple),
)


@given(NAMES)
def test_every_form_of_every_name_leads_back_to_it(name: NotesName) -> None:
    assert NotesName.parse(str(name)) == name
    assert NotesName.parse("@".join([name.canonical, *name.domains])) == name
    local = name.encode()
    wrapped = imcea.decode(local)
    assert (NotesName.parse(wrapped.address) if wrapped else NotesName.decode(local)) == name
    assert len(local) > 600 or Address.is_valid(f"{local}@example.com")
    assert unquote(local) == local


@given(st.text(max_size=80))
def test_any_text_can_be_asked(text: str) -> None:
    for name in (NotesName.parse(text), NotesName.decode(text)):
        if name:
            assert NotesName.parse(str(name)) == name
