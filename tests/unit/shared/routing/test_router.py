from pathlib import Path

import pytest

from shared.configuration.systems import System
from shared.errors import ConfigurationError
from shared.routing.address_map import read
from shared.routing.explain import explain
from shared.routing.imcea import Encapsulated, encode
from shared.routing.route import Gateway, NoRoute, Route
from shared.routing.router import CurrentRouter, Router

NOTES = System(
    name="notes",
    kind="domino",
    domains=["notes.example.com"],
    notes_domains=["ACME"],
    public_domain="example.com",
    default_route="exchange",
)
EXCHANGE = System(
    name="exchange",
    kind="exchange",
    domains=["exchange.example.com"],
    public_domain="example.com",
    default_route="notes",
)
INTERNET = System(name="internet", kind="internet", default_route="exchange")
MAP = read(
    "public,internal,notes_name\n"
    "john.doe@example.com,jdoe@notes.example.com,John Doe/Sales/Acme\n"
    "mary@example.com,m1@exchange.example.com,\n"
    "alias@example.com,al@example.com,Al Ias/Acme@ACME\n",
    "addresses.csv",
)
DIRECTORY = Router([NOTES, EXCHANGE, INTERNET], MAP)


def routed(address: str, source: str, router: Router = DIRECTORY) -> tuple[str, str] | None:
    route = router.route(address, source)
    return (route.system, route.address) if isinstance(route, Route) else None


@pytest.mark.parametrize(
    "address",
    [
        "jdoe@notes.example.com",
        "JDoe@Notes.Example.COM",
        '"jdoe"@notes.example.com',
        "John Doe/Sales/Acme@ACME",
        "CN=John Doe/OU=Sales/O=Acme@ACME",
        "CN=John Doe/OU=Sales/O=Acme",
        "John_Doe/Sales/Acme@ACME",
        '"John Doe/Sales/Acme"@ACME',
        '"John Doe/Sales/Acme@ACME"@notes.example.com',
        "John_Doe/Sales/Acme%Acme@example.com",
        "John_Doe/Sales/Acme%Acme@notes.example.com",
        "John_Doe/Sales/Acme@notes.example.com",
        "IMCEANOTES-John+20Doe+2FSales+2FAcme+40ACME@exchange.example.com",
        "IMCEANOTES-John/20Doe/2FSales/2FAcme/40ACME@exchange.example.com",
        "IMCEANOTES-CN+3DJohn+20Doe_OU+3DSales_O+3DAcme+40ACME@exchange.example.com",
        "IMCEASMTP-jdoe+40notes+2Eexample+2Ecom@exchange.example.com",
        "IMCEASMTP-john+2Edoe+40example+2Ecom@exchange.example.com",
        "jdoe@notes.example.com@CMNDom",
        "jdoe%notes.example.com%ACME@example.com",
        "IMCEANOTES-jdoe+40notes+2Eexample+2Ecom+40ACME@exchange.example.com",
    ],
)
@pytest.mark.parametrize("source", ["notes", "exchange", "internet"])
def test_every_form_of_a_mapped_person_is_one_public_address_and_one_route(address: str, source: str) -> None:
    assert DIRECTORY.public(address) == "john.doe@example.com"
    assert DIRECTORY.is_internal(address)
    assert routed(address, source) == ("notes", "jdoe@notes.example.com")


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("jane.roe@notes.example.com", "jane.roe@example.com"),
        ("Jane@exchange.example.com", "Jane@example.com"),
        ('"Jane Roe"@notes.example.com', '"Jane Roe"@example.com'),
        ("Jane Roe/Sales/Acme@ACME", "Jane_Roe/Sales/Acme%ACME@example.com"),
        ("CN=Jane Roe/O=Acme@acme", "Jane_Roe/Acme%acme@example.com"),
        ("jroe@ACME", "jroe%ACME@example.com"),
        ("Jane Roe@Hub@ACME", "Jane_Roe%Hub%ACME@example.com"),
        ("user@sub@ACME", "user%sub%ACME@example.com"),
        ("joe@partner.example@ACME", "joe@partner.example"),
        ("joe@partner.example@CMNDom", "joe@partner.example"),
        ("u_v@ACME", "IMCEANOTES-u+5Fv+40ACME@example.com"),
        ("Jürgen/Acme@ACME", "IMCEANOTES-J+C3+BCrgen+2FAcme+40ACME@example.com"),
        ("IMCEANOTES-Jane+20Roe_Acme+40ACME@example.com", "Jane_Roe/Acme%ACME@example.com"),
        ("IMCEASMTP-joe+40partner+2Eexample@exchange.example.com", "joe@partner.example"),
        ("IMCEAEX-_O=ACME_CN=JROE@exchange.example.com", "IMCEAEX-_O=ACME_CN=JROE@example.com"),
        ("al@notes.example.com", "alias@example.com"),
        ("al@example.com", "alias@example.com"),
    ],
)
def test_internal_forms_become_public_addresses(address: str, public: str) -> None:
    assert DIRECTORY.public(address) == public
    assert DIRECTORY.public(public) == public
    assert not DIRECTORY.is_internal(public)


@pytest.mark.parametrize(
    "address",
    [
        *(
            "",
            "joe@partner.example",
            "John.Doe@Example.com",
            "100%@example.com",
            "a%b@example.com",
            "x%ACME@partner.example",
        ),
        *("IMCEANOTES-a+40ACME@partner.example", "IMCEASMTP-a+0D+0Ab+40c@example.com", "no address", "joe@OTHER"),
        *("a@notes.example.com.partner.example", "a@xnotes.example.com", '"a@notes.example.com"@partner.example'),
        "Jane_Roe/Acme%ACME@example.com",
    ],
)
def test_foreign_and_public_addresses_are_unchanged(address: str) -> None:
    assert DIRECTORY.public(address) == address


@pytest.mark.parametrize(
    ("address", "source", "expected"),
    [
        ("any@example.com", "notes", ("exchange", "any@example.com")),
        ("any@example.com", "exchange", ("notes", "any@example.com")),
        ("any@example.com", "internet", ("exchange", "any@example.com")),
        ("joe@partner.example", "notes", ("exchange", "joe@partner.example")),
        ("mary@example.com", "exchange", ("exchange", "m1@exchange.example.com")),
        ("own@notes.example.com", "notes", ("notes", "own@notes.example.com")),
        ("Jane_Roe/Acme%ACME@example.com", "exchange", ("notes", "Jane_Roe/Acme%ACME@notes.example.com")),
        ("u_v@ACME", "exchange", ("notes", "u_v%ACME@notes.example.com")),
        ("joe@exchange.example.com@CMNDom", "notes", ("exchange", "joe@exchange.example.com")),
        ("IMCEAEX-_O=A_CN=B@example.com", "notes", ("exchange", "IMCEAEX-_O=A_CN=B@example.com")),
        ("IMCEAEX-_O=A_CN=B@exchange.example.com", "notes", ("exchange", "IMCEAEX-_O=A_CN=B@exchange.example.com")),
        ("IMCEAEX-_O=A_CN=B@notes.example.com", "notes", ("exchange", "IMCEAEX-_O=A_CN=B@example.com")),
        ("IMCEAEX-_O=A_CN=B@example.com", "exchange", ("notes", "IMCEAEX-_O=A_CN=B@example.com")),
        ("alias@example.com", "exchange", ("notes", "al@example.com")),
        ("Postmaster", "notes", ("exchange", "Postmaster@example.com")),
    ],
)
def test_recipients_go_where_they_live(address: str, source: str, expected: tuple[str, str]) -> None:
    assert routed(address, source) == expected


@pytest.mark.parametrize(
    "address",
    [
        *(
            "joe@partner.example",
            "IMCEASMTP-joe+40partner+2Eexample@example.com",
            "joe%partner.example%ACME@example.com",
        ),
        *("joe@partner.example@ACME", "x%ACME@partner.example", '"joe@partner.example"@elsewhere.example'),
        *(
            "joe%partner.example.@notes.example.com",
            "joe%partner.example.@notes.example.com",
            '"joe@partner.example"@notes.example.com',
            '"joe%partner.example "@example.com',
            "partner.example!joe@notes.example.com",
            "IMCEASMTP-joe+40partner+2Eexample+20@exchange.example.com",
            "imceasmtp-joe+40partner+2Eexample+2E@exchange.example.com",
        ),
    ],
)
def test_mail_from_the_internet_is_never_relayed_to_the_internet(address: str) -> None:
    """Neither by the gateway nor by a configured system, which trusts it and honours a route in the local part."""
    assert isinstance(DIRECTORY.route(address, "internet"), NoRoute)


@pytest.mark.parametrize("local", ["100%", "a%b", "joe%example.com", "Jane_Roe/Acme%ACME", "yes!", "a.b!"])
def test_signs_that_lead_nowhere_else_are_no_routes(local: str) -> None:
    assert not isinstance(DIRECTORY.route(f"{local}@notes.example.com", "internet"), NoRoute)


@pytest.mark.parametrize(
    "address", ["", "nobody", "a b@notes.example.com", "a\r\nb@notes.example.com", "x@a>b.example"]
)
def test_what_is_no_address_has_no_route(address: str) -> None:
    assert isinstance(DIRECTORY.route(address, "notes"), NoRoute)


def test_without_a_default_route_only_known_addresses_go_anywhere() -> None:
    router = Router([NOTES.model_copy(update={"default_route": None}), EXCHANGE])
    assert routed("a@exchange.example.com", "notes", router) == ("exchange", "a@exchange.example.com")
    assert isinstance(router.route("joe@partner.example", "notes"), NoRoute)
    assert isinstance(router.route("joe@partner.example", "nowhere"), NoRoute)


def test_a_public_domain_of_one_system_alone_goes_to_it() -> None:
    notes = NOTES.model_copy(update={"public_domain": "acme.example"})
    router = Router([notes, EXCHANGE, INTERNET])
    assert routed("a@acme.example", "internet", router) == ("notes", "a@acme.example")
    assert routed("a@example.com", "internet", router) == ("exchange", "a@example.com")


def test_the_envelope_domain_replaces_the_domains_of_its_system_and_no_others() -> None:
    exchange = EXCHANGE.model_copy(update={"envelope_domain": "mail.example.net"})
    router = Router([NOTES, exchange], MAP)
    assert routed("any@example.com", "notes", router) == ("exchange", "any@mail.example.net")
    assert routed("any@exchange.example.com", "notes", router) == ("exchange", "any@mail.example.net")
    assert routed("mary@example.com", "notes", router) == ("exchange", "m1@mail.example.net")
    assert routed("joe@partner.example", "notes", router) == ("exchange", "joe@partner.example")
    assert router.public("m1@mail.example.net") == "mary@example.com"
    assert router.public("any@mail.example.net") == "any@example.com"


def test_in_a_single_namespace_routing_domains_end_at_the_gateway() -> None:
    notes, exchange = (one.model_copy(update={"envelope_domain": "example.com"}) for one in (NOTES, EXCHANGE))
    router = Router([notes, exchange], MAP)
    assert routed("any@exchange.example.com", "notes", router) == ("exchange", "any@example.com")
    assert routed("any@notes.example.com", "exchange", router) == ("notes", "any@example.com")
    assert routed("any@example.com", "notes", router) == ("exchange", "any@example.com")


def test_a_mapped_address_keeps_its_domain_where_the_envelope_domain_would_confuse_two_people() -> None:
    exchange = EXCHANGE.model_copy(
        update={"domains": ["a.example.com", "b.example.com"], "envelope_domain": "mail.example.net"}
    )
    address_map = read("public,internal\nx@example.com,sam@a.example.com\ny@example.com,sam@b.example.com\n", "a.csv")
    router = Router([NOTES, exchange], address_map)
    reported = [router.internal(public, "exchange") for public in ("x@example.com", "y@example.com")]
    assert reported == ["sam@mail.example.net", "sam@b.example.com"]
    assert [router.public(address) for address in reported] == ["x@example.com", "y@example.com"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("John Doe/Sales/Acme", "John Doe"),
        ("CN=John Doe/OU=Sales/O=Acme", "John Doe"),
        ("CN=Jane Roe/O=Elsewhere", "Jane Roe"),
        ("Jane Roe/Sales/ACME/US", "Jane Roe"),
        ("Jane Roe/Hidden@ACME", "Jane Roe"),
        ("  Jane Roe/acme ", "Jane Roe"),
        ("jane@notes.example.com", "jane@example.com"),
        ("'jdoe@notes.example.com'", "'john.doe@example.com'"),
        ("Jane Roe/Acme@OTHER", "Jane Roe/Acme@OTHER"),
        ("AC/DC", "AC/DC"),
        ("Müller/Huber GbR", "Müller/Huber GbR"),
        ("Sales 24/7", "Sales 24/7"),
        ("Acme", "Acme"),
        ("O=Acme", "O=Acme"),
        ("a=b", "a=b"),
        ("http://acme", "http://acme"),
        ("joe@partner.example", "joe@partner.example"),
        ("", ""),
    ],
)
def test_only_notes_names_become_what_people_call_their_bearer(name: str, expected: str) -> None:
    assert DIRECTORY.public_name(name) == expected


def test_the_null_sender_stays_null() -> None:
    assert DIRECTORY.public_sender(None) is None
    assert DIRECTORY.public_sender("") == ""
    assert DIRECTORY.public_sender("jdoe@notes.example.com") == "john.doe@example.com"


def test_a_hostile_nest_of_wrappings_is_undone_in_time() -> None:
    address = "jdoe@notes.example.com"
    for _ in range(5):
        address = f"{encode(Encapsulated('SMTP', address))}@exchange.example.com"
    assert DIRECTORY.public(address) == "john.doe@example.com"
    endless = "a%" * 100_000 + "ACME@example.com"
    assert DIRECTORY.public(endless) == endless


def test_an_explanation_lists_the_rules() -> None:
    reported = explain("IMCEASMTP-jdoe+40notes+2Eexample+2Ecom@exchange.example.com", "exchange", DIRECTORY)
    assert reported.rules == ("IMCEASMTP: jdoe@notes.example.com inside", "map: line 2", "its home system is notes")
    assert (reported.system, reported.delivered_to, reported.public) == (
        "notes",
        "jdoe@notes.example.com",
        "john.doe@example.com",
    )
    assert (reported.is_address, reported.is_internal, reported.map_line, reported.refused) == (True, True, 2, None)
    assert explain("joe@partner.example", "internet", DIRECTORY).to_json()["refused"] is not None


def test_the_current_directory_follows_the_map(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("public,internal\na@example.com,x@notes.example.com\n")
    current = CurrentRouter([NOTES, EXCHANGE], path)
    before = current.current()
    assert current.current() is before
    new = tmp_path / "new.csv"
    new.write_text("public,internal\nb@example.com,x@notes.example.com\n")
    new.replace(path)
    assert current.current().public("x@notes.example.com") == "b@example.com"
    assert before.public("x@notes.example.com") == "a@example.com", "a router in use never changes"
    with pytest.raises(ConfigurationError):
        CurrentRouter([NOTES], tmp_path / "none.csv")


HOPS = Router(
    [
        NOTES.model_copy(
            update={
                "domains": ["notes.example.com", "*.notes.example.com", "[10.1.2.3]", "[ipv6:2001:db8::1]"],
                "notes_domains": ["ACME", "HUB", "CausewayDom", "acme.dom"],
            }
        ),
        EXCHANGE,
        INTERNET,
    ],
    MAP,
)


@pytest.mark.parametrize(
    ("address", "public", "expected"),
    [
        ("jane@exchange.example.com@CausewayDom@ACME", "jane@example.com", ("exchange", "jane@exchange.example.com")),
        ("jane@exchange.example.com@A@B@C@D", "jane@example.com", ("exchange", "jane@exchange.example.com")),
        ("jane%exchange.example.com%CausewayDom%ACME@notes.example.com", "jane@example.com", ("exchange", "")),
        ("jane%exchange.example.com%CausewayDom@ACME", "jane@example.com", ("exchange", "")),
        ("jane%exchange.example.com@ACME@HUB", "jane@example.com", ("exchange", "")),
        ("jane@exchange.example.com@CausewayDom@ACME@notes.example.com", "jane@example.com", ("exchange", "")),
        ("jane%exchange.example.com@notes.example.com", "jane@example.com", ("exchange", "")),
        ("jane@exchange.example.com@acme.dom@HUB", "jane@example.com", ("exchange", "")),
        ("joe@fabrikam.test@ACME@HUB", "joe@fabrikam.test", ("exchange", "joe@fabrikam.test")),
        ("joe@fabrikam.test@smtp@CausewayDom", "joe@fabrikam.test", ("exchange", "joe@fabrikam.test")),
        ("joe@fabrikam.test@SMTP", "joe@fabrikam.test", ("exchange", "joe@fabrikam.test")),
        ("joe%fabrikam.test%smtp@notes.example.com", "joe@fabrikam.test", ("exchange", "joe@fabrikam.test")),
        ("joe%fabrikam.test@smtp@CausewayDom", "joe@fabrikam.test", ("exchange", "joe@fabrikam.test")),
        ("joe@[192.0.2.1]@ACME@HUB", "joe@[192.0.2.1]", ("exchange", "joe@[192.0.2.1]")),
        ('"j d"@exchange.example.com@ACME@HUB', '"j d"@example.com', ("exchange", '"j d"@exchange.example.com')),
        ('"jane@exchange.example.com@ACME@HUB"@notes.example.com', "jane@example.com", ("exchange", "")),
        ("m1@exchange.example.com@CausewayDom@ACME", "mary@example.com", ("exchange", "m1@exchange.example.com")),
        ("jdoe@notes.example.com@ACME@HUB", "john.doe@example.com", ("notes", "jdoe@notes.example.com")),
        ("jdoe@srv1.notes.example.com@ACME@HUB", "john.doe@example.com", ("notes", "jdoe@notes.example.com")),
        ("new@srv1.notes.example.com", "new@example.com", ("notes", "new@srv1.notes.example.com")),
        ("new@a.b.notes.example.com", "new@example.com", ("notes", "new@a.b.notes.example.com")),
        ("new@[10.1.2.3]", "new@example.com", ("notes", "new@[10.1.2.3]")),
        ("new@[IPv6:2001:DB8:0::1]", "new@example.com", ("notes", "new@[IPv6:2001:DB8:0::1]")),
        ("IMCEAINVALID-jdoe+40notes+2Eexample+2Ecom@exchange.example.com", "john.doe@example.com", ("notes", "")),
        ("IMCEAINVALID-'jdoe+40notes+2Eexample+2Ecom'@exchange.example.com", "john.doe@example.com", ("notes", "")),
        ("IMCEAMAILTO-mailto+3Ajdoe+40notes+2Eexample+2Ecom@example.com", "john.doe@example.com", ("notes", "")),
        ("IMCEAINVALID-J+20+3Cjoe+40fabrikam+2Etest+3E@exchange.example.com", "joe@fabrikam.test", ("exchange", "")),
        ("IMCEAINVALID-John+20Doe_Sales_Acme+40ACME@exchange.example.com", "john.doe@example.com", ("notes", "")),
        ("IMCEAINVALID-nonsense@exchange.example.com", "IMCEAINVALID-nonsense@example.com", ("exchange", "")),
        ("IMCEAX400-c+3DUS+3Bs+3DDoe@exchange.example.com", "IMCEAX400-c+3DUS+3Bs+3DDoe@example.com", ("exchange", "")),
    ],
)
def test_every_wrapping_is_undone_down_to_the_internet_address(
    address: str, public: str, expected: tuple[str, str]
) -> None:
    assert HOPS.public(address) == public
    assert HOPS.public(public) == public
    route = HOPS.route(address, "notes")
    assert isinstance(route, Route)
    assert route.system == expected[0]
    assert not expected[1] or route.address == expected[1]


@pytest.mark.parametrize(
    "address",
    [
        *("joe@fabrikam.test@ACME@HUB", "joe%fabrikam.test%smtp@notes.example.com", "joe%fabrikam.test@smtp@HUB"),
        "IMCEAINVALID-joe+40fabrikam+2Etest@exchange.example.com",
        "IMCEAMAILTO-joe+40fabrikam+2Etest+20x@exchange.example.com",
    ],
)
def test_no_wrapping_makes_the_gateway_relay_from_the_internet(address: str) -> None:
    assert isinstance(HOPS.route(address, "internet"), NoRoute)


@pytest.mark.parametrize("domain", ["xnotes.example.com", "[10.1.2.4]", "notes.example.com.evil.example", "[10.1.2.3"])
def test_only_configured_domains_are_local(domain: str) -> None:
    assert HOPS.recognize(f"a@{domain}").owner is None


def test_a_domain_that_is_listed_wins_over_the_hosts_above_it() -> None:
    notes = NOTES.model_copy(update={"domains": ["*.example.com", "[10.1.2.3]"]})
    exchange = EXCHANGE.model_copy(update={"domains": ["exchange.example.com", "*.deep.example.com"]})
    router = Router([notes, exchange], MAP)
    owners = [router.topology.owner(f"{host}.example.com") for host in ("exchange", "x.deep", "deep", "any.other")]
    assert [owner and owner.name for owner in owners] == ["exchange", "exchange", "notes", "notes"]
    assert router.topology.owner("example.com") is None
    assert router.public("a@example.com") == "a@example.com"
    assert not router.topology.internal_pattern.search(b"a@example.com")
    assert router.topology.internal_pattern.search(b"a@x.deep.example.com")


def test_a_recipient_never_gets_a_wildcard_domain() -> None:
    notes = NOTES.model_copy(update={"domains": ["*.notes.example.com", "[10.1.2.3]", "notes.example.com"]})
    router = Router([notes, EXCHANGE], MAP)
    assert routed("Jane Roe/Sales/Acme@ACME", "exchange", router) == (
        "notes",
        "Jane_Roe/Sales/Acme%ACME@notes.example.com",
    )


OWN = frozenset({"gw.example.net", "mx.example.net"})
NAMED = Router([NOTES, EXCHANGE, INTERNET], MAP, Gateway(OWN, "john.doe@example.com"))


@pytest.mark.parametrize("source", ["notes", "exchange", "internet"])
@pytest.mark.parametrize(
    "address", ["MAILER-DAEMON@gw.example.net", "postmaster@GW.example.net", '"Postmaster"@mx.example.net']
)
def test_mail_to_the_gateway_itself_goes_to_its_postmaster_or_nowhere(address: str, source: str) -> None:
    assert routed(address, source, NAMED) == ("notes", "jdoe@notes.example.com")
    refused = Router([NOTES, EXCHANGE, INTERNET], MAP, Gateway(OWN)).route(address, source)
    assert isinstance(refused, NoRoute)
    assert refused.is_unknown


@pytest.mark.parametrize("address", ["joe@gw.example.net", "joe%example.com@mx.example.net", "root@gw.example.net"])
def test_only_the_postmaster_has_an_address_at_the_gateway(address: str) -> None:
    route = NAMED.route(address, "notes")
    assert isinstance(route, NoRoute)
    assert route.is_unknown


def test_postmaster_without_a_domain_goes_to_the_configured_one() -> None:
    assert routed("postmaster", "exchange", NAMED) == ("notes", "jdoe@notes.example.com")


def test_a_hostname_that_is_a_domain_of_a_system_stays_its_own() -> None:
    router = Router([NOTES, EXCHANGE], MAP, Gateway(frozenset({"notes.example.com"}), "mary@example.com"))
    assert routed("postmaster@notes.example.com", "exchange", router) == ("notes", "postmaster@notes.example.com")


MAPPED = Router([NOTES.model_copy(update={"recipients": "mapped"}), EXCHANGE, INTERNET], MAP)


@pytest.mark.parametrize(
    ("address", "source", "is_known"),
    [
        ("jdoe@notes.example.com", "internet", True),
        ("john.doe@example.com", "internet", True),
        ("John Doe/Sales/Acme@ACME", "exchange", True),
        ("IMCEANOTES-John+20Doe+2FSales+2FAcme+40ACME@exchange.example.com", "exchange", True),
        ("postmaster@notes.example.com", "internet", True),
        ("nobody@notes.example.com", "internet", False),
        ("nobody@notes.example.com", "exchange", False),
        ("nobody@example.com", "exchange", False),
        ("Nobody/Sales/Acme@ACME", "exchange", False),
        ("nobody@exchange.example.com", "internet", True),
        ("joe@fabrikam.test", "exchange", True),
    ],
)
def test_a_system_of_mapped_recipients_has_no_other_recipients(address: str, source: str, is_known: bool) -> None:
    route = MAPPED.route(address, source)
    assert isinstance(route, Route)
    assert (route.unknown == "") is is_known
    assert (explain(address, source, MAPPED).refused is None) is is_known
