"""Systems, directories and contexts for the transform stage."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from services.transform.pipeline import Context
from shared.configuration.systems import System
from shared.mail.envelope import Client, Envelope, Recipient
from shared.routing.router import Router
from tests.support.systems import EXCHANGE, NOTES

MakeContext = Callable[[str, str], Context]


@pytest.fixture
def router() -> Router:
    return Router([NOTES, EXCHANGE])


@pytest.fixture
def envelope() -> Envelope:
    return Envelope(
        id="019a00000000aaaaaaaaaa",
        sender="john@notes.example.com",
        recipients=(Recipient("jane@exchange.example.com"),),
        source="notes",
        client=Client("127.0.0.1", "client.example.com"),
        received_at=1_700_000_000.0,
    )


@pytest.fixture
def make_context(envelope: Envelope, router: Router) -> MakeContext:
    """Return a context between two systems named by their kinds; all but Domino strip encapsulation."""

    def make(source: str, destination: str) -> Context:
        def system(kind: str) -> System:
            name = {"domino": "notes", "exchange": "exchange"}.get(kind, kind)
            keep = "keep" if kind == "domino" else "strip"
            return System.model_validate({"name": name, "kind": kind, "encapsulation": keep})

        return Context(envelope, system(source), system(destination), router)

    return make
