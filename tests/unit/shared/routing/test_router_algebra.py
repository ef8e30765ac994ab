"""What holds for every set of systems and every map that has no fault."""

from dataclasses import dataclass

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from shared.configuration.systems import System
from shared.routing.address_map import AddressMap, Pair
from shared.routing.imcea import Encapsulated, encode
from shared.routing.notes_address import NotesName
from shared.routing.route import Route
from shared.routing.router import Router
from shared.routing.topology_faults import map_faults

LOCALS = st.sampled_from(["a", "b.c", "X_y", "10%", "o'brien", "J_D/Acme", "IMCEAEX-_O=A", "a%zz", '"q t"', "é"])
PARTS = st.sampled_from(["John Doe", "Sales", "Acme", "u_v", "Zoë", "O. Reilly", "X (tmp)", "50%"])
PUBLIC_DOMAINS = ["p0.example", "p1.example"]


@dataclass(frozen=True)
class World:
    systems: list[System]
    router: Router


@st.composite
def worlds(draw: st.DrawFn) -> World:
    count = draw(st.integers(2, 4))
    names = [f"s{index}" for index in range(count)]
    systems = [
        System(
            name=name,
            kind=draw(st.sampled_from(["domino", "exchange"])),
            domains=[
                *(f"d{n}.{name}.example" for n in range(draw(st.integers(1, 2)))),
                *draw(st.sampled_from([[], [f"*.{name}.example"], [f"*.d0.{name}.example"]])),
            ],
            notes_domains=[f"N{n}{name}" for n in range(draw(st.integers(0, 2)))],
            public_domain=draw(st.sampled_from([*PUBLIC_DOMAINS, None])),
            envelope_domain=draw(st.sampled_from([f"e.{name}.example", f"d0.{name}.example", None])),
            default_route=draw(st.sampled_from([other for other in names if other != name])),
        )
        for name in names
    ]
    pairs: dict[tuple[str, str], Pair] = {}
    for line in range(draw(st.integers(0, 5))):
        system = draw(st.sampled_from(systems))
        public = f"{draw(LOCALS)}{line}@{draw(st.sampled_from(PUBLIC_DOMAINS))}".replace('"', "")
        shared = [system.public_domain] if system.public_domain else []
        internal = f"{draw(LOCALS)}@{draw(st.sampled_from([*_hosts(draw, system), *shared]))}"
        name = NotesName((f"Person {line}", draw(PARTS))) if draw(st.booleans()) else None
        aliases = (f"alias{line}@{draw(st.sampled_from([*PUBLIC_DOMAINS, *_hosts(draw, system)]))}",)
        pair = Pair(public.replace(" ", ""), internal, name, line + 2, draw(st.sampled_from([(), aliases])))
        pairs.setdefault(("internal", internal.lower()), pair)
    address_map = AddressMap(pairs.values())
    assume(not map_faults(systems, address_map, "a.csv"))
    return World(systems, Router(systems, address_map))


def _hosts(draw: st.DrawFn, system: System) -> list[str]:
    """Return the domains of a system's addresses, with a host in the place of `*`."""
    return [domain.replace("*", draw(st.sampled_from(["h", "x.y"]))) for domain in system.domains]


@st.composite
def forms(draw: st.DrawFn, system: System) -> str:
    """Return an address of one person of the system in some form."""
    local, domain = draw(LOCALS), draw(st.sampled_from(_hosts(draw, system)))
    plain = f"{local}@{domain}"
    shapes = [plain, plain.upper(), f"{plain}@FOO", f"{encode(Encapsulated('SMTP', plain))}@{domain}"]
    if system.notes_domains:
        parts = tuple(draw(st.lists(PARTS, min_size=1, max_size=3)))
        name = NotesName(parts, (draw(st.sampled_from(system.notes_domains)),))
        shapes = [
            *shapes,
            str(name),
            f"{name.canonical}@{name.notes_domain}",
            f"{name.encode()}@{domain}",
            f"{encode(Encapsulated('NOTES', str(name)))}@{domain}",
            f"{plain}@{name.notes_domain}",
        ]
    return draw(st.sampled_from(shapes))


@given(worlds())
@settings(max_examples=200, deadline=None)
def test_public_undoes_internal_for_every_row_of_the_map(world: World) -> None:
    for pair in world.router.address_map:
        owner = world.router.recognize(pair.public).owner
        assert owner is not None
        assert world.router.public(world.router.internal(pair.public, owner.name)) == pair.public
        assert world.router.public(pair.internal) == pair.public
        assert world.router.public(pair.public) == pair.public
        for alias in pair.aliases:
            assert world.router.public(alias) == pair.public
            assert world.router.public(world.router.internal(alias, owner.name)) == pair.public


@given(st.data(), worlds())
@settings(max_examples=400, deadline=None)
def test_public_is_idempotent_and_shows_nothing_internal(data: st.DataObject, world: World) -> None:
    address = data.draw(forms(data.draw(st.sampled_from(world.systems))))
    public = world.router.public(address)
    assert world.router.public(public) == public
    assert not world.router.is_internal(public)
    assert public.rpartition("@")[2].lower() not in world.router.topology.internal_domains
    assert not world.router.topology.internal_pattern.search(public.encode())


@given(st.data(), worlds())
@settings(max_examples=400, deadline=None)
def test_a_reply_to_the_public_address_reaches_the_system_it_came_from(data: st.DataObject, world: World) -> None:
    owner, sender = data.draw(st.permutations(world.systems))[:2]
    address = data.draw(forms(owner))
    assume(owner.kind == "exchange" or "IMCEAEX" not in address.upper())  # means something to Exchange only
    found, public = world.router.recognize(address), world.router.public(address)
    assert found.owner is owner
    answered = world.router.recognize(public)
    assume(found.pair or not answered.pair)  # else the public form is somebody else's row of the map
    by_name = answered.pair or answered.name or world.router.topology.owner(public.rpartition("@")[2])
    sharers = world.router.topology.sharers(public.rpartition("@")[2])
    assume(
        by_name
        or sharers == [owner]
        or (sender.default_route == owner.name and (sender in sharers or len(sharers) > 1))
    )
    route = world.router.route(public, sender.name)
    if isinstance(route, Route):
        assert route.system == owner.name
        assert route.public == public
    else:
        assert " " in address or "(" in address, "only a local part that is none is refused"


@given(
    st.text(max_size=60), worlds(), st.sampled_from(["", "@p0.example", "@d0.s0.example", "@N0s0", "%N0s0@p0.example"])
)
def test_any_text_can_be_asked_about(text: str, world: World, ending: str) -> None:
    address = f"{text}{ending}"
    assert world.router.public(world.router.public(address)) == world.router.public(address)
    world.router.public_name(address)
    for system in world.systems:
        route = world.router.route(address, system.name)
        assert not isinstance(route, Route) or route.system != system.name or route.why
