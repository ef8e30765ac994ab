"""Which systems a message goes to: one delivery for each, from the routes of its recipients. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from shared.mail.delivery import Delivery, DeliveryRecipient
from shared.mail.envelope import Envelope, Notify, Recipient
from shared.mail.reply import Reply
from shared.routing.route import NoRoute
from shared.routing.router import Router

NO_ROUTE = Reply(550, "No route to the recipient's mail system", "5.1.2")


@dataclass(frozen=True, slots=True)
class Split:
    """What a message is split into.

    deliveries: one per system, sorted by its name. unrouted: of the recipients whose address leads nowhere, a
    delivery that failed before it began, or None; its system is the sender of the report.
    """

    deliveries: tuple[Delivery, ...]
    unrouted: Delivery | None = None


def split_by_system(envelope: Envelope, size: int, router: Router, now: float) -> Split:
    """Route every recipient of a message of `size` bytes.

    Recipients that the destination knows by one address become one, which asks for all the reports that they asked for.
    """
    routed: dict[str, dict[str, DeliveryRecipient]] = {}
    unrouted: list[DeliveryRecipient] = []
    for recipient in envelope.recipients:
        route = router.route(recipient.address, envelope.source)
        if isinstance(route, NoRoute):
            public = router.public(recipient.address)
            unrouted.append(_recipient(recipient, public, public, refusal=NO_ROUTE))
            continue
        addressed = _recipient(recipient, route.public, route.address)
        same = routed.setdefault(route.system, {})
        key = _key(route.address)
        same[key] = _merged(same[key], addressed) if key in same else addressed
    base = _delivery(envelope, size, router, now)
    return Split(
        tuple(_part(base, system, recipients.values()) for system, recipients in sorted(routed.items())),
        _part(base, _answering_system(base, router), unrouted) if unrouted else None,
    )


def _key(address: str) -> str:
    """Return the address to compare by: the domain in lower case, the local part as it is (RFC 5321 section 2.4)."""
    local, _, domain = address.rpartition("@")
    return f"{local}@{domain.lower()}"


def _recipient(recipient: Recipient, public: str, address: str, refusal: Reply | None = None) -> DeliveryRecipient:
    return DeliveryRecipient(
        original=recipient.address,
        public=public,
        address=address,
        notify=recipient.notify,
        orcpt=recipient.orcpt,
        state="refused" if refusal else "pending",
        reply=refusal,
    )


def _merged(first: DeliveryRecipient, second: DeliveryRecipient) -> DeliveryRecipient:
    """Join the wishes for reports (RFC 3461 section 4.1): no NOTIFY asks for failures, NEVER yields to anything."""
    wishes: dict[Notify, None] = {}
    for recipient in (first, second):
        wishes |= dict.fromkeys(recipient.notify or ("FAILURE", "DELAY"))
    if first.notify == second.notify:
        return first
    return replace(first, notify=tuple(wish for wish in wishes if wish != "NEVER"))


def _delivery(envelope: Envelope, size: int, router: Router, now: float) -> Delivery:
    """Return what every delivery of the message has in common."""
    return Delivery(
        id=envelope.id,
        message_id=envelope.id,
        source=envelope.source,
        system="",
        sender=router.public_sender(envelope.sender),
        recipients=(),
        size=size,
        received_at=envelope.received_at,
        created_at=now,
        body=envelope.body,
        smtputf8=envelope.smtputf8,
        ret=envelope.ret,
        envid=envelope.envid,
    )


def _part(base: Delivery, system: str, recipients: Iterable[DeliveryRecipient]) -> Delivery:
    """Return the part of one system; an address outside ASCII, also one from the map, needs SMTPUTF8 (RFC 6531)."""
    own = tuple(recipients)
    is_ascii = (base.sender or "").isascii() and all(recipient.address.isascii() for recipient in own)
    id = f"{base.message_id}-{system}"
    return replace(base, id=id, system=system, recipients=own, smtputf8=base.smtputf8 or not is_ascii)


def _answering_system(base: Delivery, router: Router) -> str:
    """Return a system from which mail to the public sender is routed back to the source of the message."""
    for name in router.topology.systems:
        route = router.route(base.sender or "", name)
        if not isinstance(route, NoRoute) and route.system == base.source:
            return name
    return base.source
