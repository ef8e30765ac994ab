"""Messages with internal addresses in many places, through the whole pipeline, as `causeway convert` runs it."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.transform.pipeline import Context, convert
from services.transform.steps import ORDER
from services.transform.steps.addresses import leaks_after
from shared.configuration.systems import System
from shared.mail.edits import apply
from shared.routing.address_map import read
from shared.routing.router import Router
from tests.support.mail import message

CORPUS = Path(__file__).parents[3] / "corpus" / "public"
MESSAGES = sorted(path for path in CORPUS.glob("*.eml") if not path.name.endswith(".expected.eml"))
NOTES = System(
    name="notes",
    kind="domino",
    domains=["notes.example.com", "*.notes.example.com"],
    notes_domains=["ACME", "HUB", "CausewayDom"],
    public_domain="example.com",
    default_route="exchange",
)
EXCHANGE = System(
    name="exchange",
    kind="exchange",
    domains=["exchange.example.com"],
    public_domain="example.com",
    default_route="notes",
    encapsulation="strip",
)
ROUTER = Router(
    [NOTES, EXCHANGE],
    read(
        "public,internal,notes_name\n"
        "john.doe@example.com,jdoe@notes.example.com,John Doe/Sales/Acme\n"
        "jane.roe@example.com,jroe@exchange.example.com,\n",
        "addresses.csv",
    ),
)


@pytest.mark.parametrize("path", MESSAGES, ids=lambda path: path.stem)
def test_a_message_shows_public_addresses_wherever_one_may_be_changed(path: Path) -> None:
    source, destination = (NOTES, EXCHANGE) if path.name.startswith("from_notes") else (EXCHANGE, NOTES)
    accepted = message(content=path.read_bytes())
    done = convert(accepted.content, Context(accepted.envelope, source, destination, ROUTER), ORDER)
    assert apply(accepted.content, done.edits) == path.with_suffix(".expected.eml").read_bytes()
    assert leaks_after(accepted.content, done, ROUTER) == 0


def test_the_corpus_is_there() -> None:
    assert len(MESSAGES) >= 9
