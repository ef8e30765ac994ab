"""One attempt to deliver one message, over host after host until every recipient has an outcome or no host is left."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from random import Random

from services.egress.addresses import NoAddress
from services.egress.attempt import Attempt
from services.egress.balance import Host, candidates, choose, tiers
from services.egress.classify import Trouble, outcome
from services.egress.commands import OutgoingMessage
from services.egress.health import HealthBoard
from services.egress.mx import Resolver
from services.egress.pool import Pool
from services.egress.quota import Quota
from services.egress.session import Session
from services.egress.throttle import Ticket
from services.egress.verdict import Failure
from shared.configuration.smart_hosts import SmartHost
from shared.mail.delivery import Delivery
from shared.mail.edits import Edits, apply
from shared.mail.line_ends import normalize
from shared.mail.outcome import Outcome
from shared.mail.reply import Reply
from shared.operations.tasks import end

MAX_TRANSACTIONS = 100
"""Transactions on one session for one message; each serves at least one of the recipients that are left."""

AT_LIMIT = Reply(451, "all next hops are at their rate limit", "4.4.5")
"""RFC 3463 section 3.5: congestion. No host replies so: the limit is ours."""
RETRY_SECONDS = 10.0
"""Until the next attempt of a delivery that waited for a limit until its time was up."""
NO_HOST_USABLE = Reply(451, "no smart host is usable", "4.4.1")


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
        """Attempt the pending recipients; return an outcome for each. attempt: the ledger, kept up to date."""
        attempt = attempt or Attempt(delivery)
        hosts = await self._resolver.hosts(self._smart_hosts)
        if isinstance(hosts, Reply):
            no_hosts = hosts
            return attempt.completed(lambda address: outcome(address, no_hosts, None))
        message = OutgoingMessage(delivery, normalize(apply(content, edits)))
        ticket = Ticket(self._quota.throttle)
        try:
            return await self._over_hosts(hosts, message, attempt, ticket)
        finally:
            ticket.release()

    async def _over_hosts(
        self, hosts: Sequence[Host], message: OutgoingMessage, attempt: Attempt, ticket: Ticket
    ) -> tuple[Outcome, ...]:
        """Try host after host until no recipient is left, or no host."""
        ranked, tried = tiers(hosts), dict[Host, bool]()
        reason, reason_host = NO_HOST_USABLE, None

        def has_room(host: Host) -> bool:
            return self._quota.has_room(host, connected=self._pool.is_connected(host), first=ticket.is_first)

        while attempt.left and (among := candidates(ranked, tried, self._board.usable)):
            host = choose(among, has_room, self._random)
            if host is None:
                if await ticket.wait(self._quota.next_chance):
                    continue
                seconds = 0.0 if self._quota.throttle.is_stopped else RETRY_SECONDS
                return attempt.deferred(AT_LIMIT, retry_seconds=seconds)
            was_usable = self._board.usable(host)
            failure = await self._try(host, message, attempt, ticket)
            if failure is None or failure.trouble is not Trouble.LIMIT:
                tried[host] = was_usable
            if failure and failure.reply:  # what a host said is a better reason than that another was not tried
                reason, reason_host = failure.reply, host.key
        return attempt.deferred(_temporary(reason), reason_host, unserved=True)

    async def _try(self, host: Host, message: OutgoingMessage, attempt: Attempt, ticket: Ticket) -> Failure | None:
        """Offer the message to one host, and note the host's health; None where nothing is wrong with the host."""
        was_usable, known = self._board.usable(host), len(attempt.outcomes)
        async with self._pool.slot(host):
            if was_usable and not self._board.usable(host):  # it went down while this message waited for a connection
                return Failure(Trouble.SESSION)
            failure = await self._offer(host, message, attempt, ticket)
        if failure and failure.trouble is Trouble.HOST:
            await self._board.note(host, "failed", cause=str(failure.reply))
        elif failure is None or len(attempt.outcomes) > known:
            await self._board.note(host, "delivered")
        return failure

    async def _offer(self, host: Host, message: OutgoingMessage, attempt: Attempt, ticket: Ticket) -> Failure | None:
        """Send the message over an idle connection or a new one, and over a new one where an idle one was dead.

        A dead one died while it was idle, or the host closed it after enough messages: a new one shows whether the host
        is well. The turn that was taken for the dead one counts.
        """
        failure = None
        for fresh in (False, True):
            session = await self._pool.take(host, fresh=fresh)
            if session is None:
                return Failure(Trouble.LIMIT)
            if isinstance(session, Reply):
                return Failure(Trouble.SESSION if isinstance(session, NoAddress) else Trouble.HOST, session)
            try:
                if not fresh and not await self._quota.take_turn(host):
                    return Failure(Trouble.LIMIT)
                ticket.release()
                failure = await self._converse(session, message, attempt)
            finally:
                self._pool.give_back(session)
            if failure is None or failure.trouble is Trouble.LIMIT or not session.reused or session.is_open:
                break
        return failure

    async def _converse(self, session: Session, message: OutgoingMessage, attempt: Attempt) -> Failure | None:
        """Send the message until no recipient is left that the host has not decided about."""
        for number in range(MAX_TRANSACTIONS):
            if number and not await self._quota.take_turn(session.host):
                return Failure(Trouble.LIMIT)
            result = await session.send(message, attempt.left, attempt.commit)
            attempt.record(result.outcomes)
            if result.failure or not attempt.left or not result.outcomes or not session.is_open:
                return result.failure
        return None

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
        """Find out whether a host answers again; no message waits for it. Where that cannot be told, its mark stays."""
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
        """How many more deliveries are worth leasing; None where there is no limit."""
        return self._quota.room

    def stop_waiting(self) -> None:
        """Let no delivery wait for a host at its limit any more: each is deferred at once."""
        self._quota.throttle.stop()

    async def finish_probes(self) -> None:
        """Wait for the probes under way."""
        await asyncio.gather(*self._probes)

    async def aclose(self) -> None:
        """Close every connection, and show no host any more."""
        await end(self._probes)
        self._board.close()
        await self._pool.aclose()
        await self._quota.aclose()


def _temporary(reply: Reply) -> Reply:
    """Return a reply to a whole session (a 554 greeting, 530) as a temporary one to the message."""
    return Reply(450, str(reply), "4.3.0") if reply.is_permanent or reply.is_positive else reply
