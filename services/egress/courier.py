"""One attempt to deliver one message, over host after host until every recipient has an outcome or no host is left."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from random import Random

from services.egress.addresses import NoAddress
from services.egress.attempt import Attempt
from services.egress.balance import Host, order, tiers
from services.egress.classify import Trouble, outcome
from services.egress.health import HealthBoard
from services.egress.line import Place
from services.egress.mx import Resolver
from services.egress.pool import Pool
from services.egress.quota import Quota
from services.egress.session import Session
from services.egress.transaction import Transaction
from services.egress.verdict import Result
from shared.configuration.systems import SmartHost
from shared.mail.delivery import Delivery, DeliveryRecipient
from shared.mail.edits import Edits, apply
from shared.mail.line_ends import normalize
from shared.mail.outcome import Deferred, Outcome
from shared.mail.reply import Reply
from shared.operations.tasks import end

MAX_TRANSACTIONS = 100
"""Transactions on one session for one message; each serves at least one of the recipients that are left."""

AT_LIMIT = Reply(451, "every smart host that may take it is at its limit", "4.4.5")
"""RFC 3463 section 3.5: congestion. Said by nobody but us."""
RETRY_SECONDS = 10.0
"""Until the next attempt of a delivery that has waited for a limit in vain."""


class Courier:
    """Delivers to one system. Raises nothing for what hosts do: every recipient gets an outcome."""

    def __init__(
        self,
        smart_hosts: Sequence[SmartHost],
        resolver: Resolver,
        pool: Pool,
        board: HealthBoard,
        random: Random,
        *,
        quota: Quota,
    ) -> None:
        self._smart_hosts = smart_hosts
        self._resolver = resolver
        self._pool = pool
        self._board = board
        self._quota = quota
        self._random = random
        self._probes: set[asyncio.Task[None]] = set()

    async def deliver(
        self, delivery: Delivery, content: bytes, edits: Edits, attempt: Attempt | None = None
    ) -> tuple[Outcome, ...]:
        """Attempt the pending recipients; return an outcome for each. attempt: is told of each step as it is made."""
        place = Place(self._quota.line)
        try:
            return await self._deliver(delivery, content, edits, attempt or Attempt(), place)
        finally:
            place.leave()

    async def _deliver(
        self, delivery: Delivery, content: bytes, edits: Edits, attempt: Attempt, place: Place
    ) -> tuple[Outcome, ...]:
        left = {recipient.address: recipient for recipient in delivery.pending}
        hosts = await self._resolver.hosts(self._smart_hosts)
        if isinstance(hosts, Reply):
            return tuple(outcome(address, hosts, None) for address in left)
        outgoing = normalize(apply(content, edits))
        outcomes: list[Outcome] = []
        last: tuple[Reply, Host] | None = None
        tried = set[Host]()

        def has_room(host: Host) -> bool:
            return self._quota.has_room(host, connected=self._pool.is_connected(host), first=place.is_first)

        for host in order(hosts, self._board.usable, self._random, has_room=has_room, tried=tried):
            if host is None:
                if await place.wait(self._quota.next_chance):
                    continue
                again = 0.0 if self._quota.line.is_hurried else RETRY_SECONDS
                return (*outcomes, *(Deferred(address, AT_LIMIT, retry_seconds=again) for address in left))
            recipients = tuple(left.values())
            result = await self._try(host, Transaction(delivery, recipients, outgoing), attempt, place)
            if result.trouble is Trouble.LIMIT:
                tried.remove(host)
            outcomes += result.outcomes
            for one in result.outcomes:
                left.pop(one.recipient, None)
            if not left:
                return tuple(outcomes)
            if result.reply:  # what a host said is a better reason than that another was not tried
                last = result.reply, host
        reply, where = (last[0], last[1].key) if last else (Reply(451, "no smart host is usable", "4.4.1"), None)
        temporary = reply if not (reply.is_permanent or reply.is_positive) else _softened(reply)
        return (*outcomes, *(Deferred(address, temporary, where, unserved=True) for address in left))

    async def _try(self, host: Host, transaction: Transaction, attempt: Attempt, place: Place) -> Result:
        """Carry the message to one host, over as many transactions as it wants, and note the host's health."""
        was_usable = self._board.usable(host)
        async with self._pool.slot(host):
            if was_usable and not self._board.usable(host):  # it went down while this message waited for its turn
                return Result((), Trouble.SESSION)
            result = await self._over_a_session(host, transaction, attempt, place, fresh=False)
        if result.trouble is Trouble.HOST:
            await self._board.note(host, "failed", cause=str(result.reply))
        elif result.outcomes or result.trouble is None:
            await self._board.note(host, "delivered")
        return result

    async def _over_a_session(
        self, host: Host, transaction: Transaction, attempt: Attempt, place: Place, *, fresh: bool
    ) -> Result:
        """fresh: on a new connection, and the turn that was taken for a dead one counts."""
        session = await self._pool.take(host, fresh=fresh)
        if session is None:
            return Result((), Trouble.LIMIT)
        if isinstance(session, Reply):
            return Result((), Trouble.SESSION if isinstance(session, NoAddress) else Trouble.HOST, session)
        try:
            if not fresh and not await self._quota.take_turn(host):
                return Result((), Trouble.LIMIT)
            place.leave()
            result = await self._converse(session, transaction, attempt)
        finally:
            self._pool.give_back(session)
        if not (session.reused and result.trouble) or session.is_open or result.trouble is Trouble.LIMIT:
            return result
        # It died while it was idle, or the host had enough of it: a new connection will show whether the host is well.
        known = {one.recipient for one in result.outcomes}
        left = tuple(one for one in transaction.recipients if one.address not in known)
        rest = Transaction(transaction.delivery, left, transaction.content)
        again = await self._over_a_session(host, rest, attempt, place, fresh=True)
        return Result((*result.outcomes, *again.outcomes), again.trouble, again.reply)

    async def _converse(self, session: Session, transaction: Transaction, attempt: Attempt) -> Result:
        """Send the message until no recipient is left that the host took no decision about."""
        outcomes: list[Outcome] = []
        left: dict[str, DeliveryRecipient] = {one.address: one for one in transaction.recipients}
        for number in range(MAX_TRANSACTIONS):
            if number and not await self._quota.take_turn(session.host):
                return Result(tuple(outcomes), Trouble.LIMIT)
            rest = Transaction(transaction.delivery, tuple(left.values()), transaction.content)
            result = await session.send(rest, attempt.commit)
            attempt.learn(result.outcomes)
            outcomes += result.outcomes
            for one in result.outcomes:
                left.pop(one.recipient, None)
            if result.trouble or not left or not result.outcomes or not session.is_open:
                return Result(tuple(outcomes), result.trouble, result.reply)
        return Result(tuple(outcomes))

    async def refresh(self) -> None:
        """Take over the other replicas' marks, close old connections, and probe hosts whose mark has run out.

        Raises SpoolError.
        """
        await self._board.refresh()
        self._pool.close_old()
        for host in await self.hosts():
            self._board.watch(host)
            if await self._board.claim_probe(host):
                task = asyncio.create_task(self._probe(host))
                self._probes.add(task)
                task.add_done_callback(self._probes.discard)

    async def hosts(self) -> tuple[Host, ...]:
        """Return the hosts as they are known now, each once; none where DNS fails."""
        hosts = await self._resolver.hosts(self._smart_hosts)
        return () if isinstance(hosts, Reply) else tuple(host for tier in tiers(hosts) for host in tier)

    async def _probe(self, host: Host) -> None:
        """Find out whether a host answers again; no message waits for it. Where nobody can tell, its mark stays."""
        async with self._pool.slot(host):
            session = await self._pool.take(host, fresh=True)
            if isinstance(session, Session):
                self._pool.give_back(session)
        if isinstance(session, Session):
            await self._board.note(host, "answered", probed=True)
        elif session and not isinstance(session, NoAddress):
            await self._board.note(host, "failed", probed=True, cause=str(session))

    @property
    def room(self) -> int | None:
        """How many more deliveries are worth leasing; None for as many as you like."""
        return self._quota.room

    def hurry(self) -> None:
        """Let no delivery wait for a host at its limit any more: each is put off at once."""
        self._quota.line.hurry()

    async def settle_probes(self) -> None:
        """Wait for the probes under way."""
        await asyncio.gather(*self._probes)

    async def aclose(self) -> None:
        """Close every connection."""
        await end(self._probes)
        await self._pool.aclose()
        await self._quota.aclose()


def _softened(reply: Reply) -> Reply:
    """Return a host's permanent no to a whole session (554 greeting, 530) as a temporary no to the message."""
    return Reply(450, str(reply), "4.3.0")
