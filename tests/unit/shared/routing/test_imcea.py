import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.mail.address import Address
from shared.routing.imcea import Encapsulated, decode, encode


@pytest.mark.parametrize(
    ("local", "scheme", "address"),
    [
        ("IMCEANOTES-John+20Doe+2FSales+2FAcme+40ACME", "NOTES", "John Doe/Sales/Acme@ACME"),
        ("IMCEANOTES-John/20Doe/2FSales/2FAcme/40ACME", "NOTES", "John Doe/Sales/Acme@ACME"),
        ("imceanotes-CN+3DJohn+20Doe_O+3DAcme+40ACME", "NOTES", "CN=John Doe/O=Acme@ACME"),
        ("IMCEASMTP-bob+40example+2Ecom", "SMTP", "bob@example.com"),
        ("IMCEAEX-_O=ACME_OU=SALES_CN=RECIPIENTS_CN=J+2EDOE", "EX", "/O=ACME/OU=SALES/CN=RECIPIENTS/CN=J.DOE"),
        ("IMCEANOTES-J+C3+BCrgen+40ACME", "NOTES", "Jürgen@ACME"),
    ],
)
def test_encapsulated_addresses_are_decoded(local: str, scheme: str, address: str) -> None:
    found = decode(local)
    assert found is not None
    assert (found.scheme, found.address) == (scheme, address)


@pytest.mark.parametrize(
    "local", ["john", "IMCEA", "IMCEANOTES-", "IMCEAFAX-+49", "xIMCEASMTP-a+40b", "IMCEANOTES-+FF"]
)
def test_other_local_parts_wrap_nothing(local: str) -> None:
    assert decode(local) is None


@given(
    st.sampled_from(["NOTES", "SMTP", "EX"]),
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40),
)
def test_every_address_survives_in_a_valid_local_part(scheme: str, address: str) -> None:
    wrapped = Encapsulated(scheme, address)  # type: ignore[arg-type]
    local = encode(wrapped)
    assert decode(local) == wrapped
    assert len(local) > 600 or Address.is_valid(f"{local}@exchange.example.com")


@given(st.text(max_size=60))
def test_any_local_part_can_be_asked(local: str) -> None:
    decode(local)
    decode(f"IMCEANOTES-{local}")


def test_exchange_sees_its_own_spelling_again() -> None:
    for local in ("IMCEANOTES-John+20Doe+2FAcme+40ACME", "IMCEAEX-_O=ACME_CN=JDOE"):
        found = decode(local)
        assert found is not None
        assert encode(found) == local
