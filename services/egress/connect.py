"""A connection to a smart host, from its addresses to a session at its TLS level that has said EHLO."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass

from services.egress.addresses import Addresses, HostAddresses, NoAddress
from services.egress.balance import Host
from services.egress.host_tls import Handshake, HostTls
from services.egress.protocol import ConversationError, Protocol, reply_on_failure
from services.egress.session import Session, Timeouts
from shared.mail.reply import Reply


async def open_session(
    host: Host, *, hostname: str, tls: HostTls, timeouts: Timeouts, addresses: HostAddresses
) -> Session | Reply:
    """Connect, greet as `hostname` and encrypt as the host's TLS level demands; a Reply says why that was not possible.

    Never raises for what a host does. NoAddress is a reply that says nothing about the host.

    Under `required`, `verify` and `implicit` a session is always encrypted. Under `opportunistic` a failed handshake is
    followed by a connection in the clear. A host with usable TLSA records fits them, or there is no session.
    """
    handshake = await tls.handshake(host)
    if isinstance(handshake, NoAddress):
        return handshake
    session = await _Opening(handshake, hostname, timeouts, addresses).session()
    if isinstance(session, Session) and host.settings.tls in ("required", "verify") and not session.encrypted:
        session.abort()  # whatever led here: nothing of a message may follow
        return Reply(454, "TLS is required, but the connection is not encrypted", "4.7.4")
    return session


@dataclass(frozen=True, slots=True)
class _Opening:
    handshake: Handshake
    hostname: str
    timeouts: Timeouts
    addresses: HostAddresses

    @property
    def host(self) -> Host:
        """The host to connect to."""
        return self.handshake.host

    async def session(self) -> Session | Reply:
        """Return a session at the host's TLS level, or why there is none."""
        context = self.handshake.context
        level, implicit = self.host.settings.tls, self.host.settings.implicit
        found = await self.addresses.of(self.host.name, patience=self.timeouts.connect)
        if isinstance(found, NoAddress):
            return found
        try:
            if implicit:
                return await self._greeted(found, implicit_tls=context)
            if level == "none":
                return await self._greeted(found)
            assert context
            return await self._encrypted(found, context, in_clear=level == "opportunistic")
        except ConversationError as error:
            return error.reply

    async def _encrypted(self, addresses: Addresses, context: ssl.SSLContext, *, in_clear: bool) -> Session | Reply:
        """Return a session after STARTTLS. in_clear: or, where that is not possible, one in the clear."""
        plain = await self._greeted(addresses)
        if "starttls" not in plain.extensions:
            if in_clear:
                plain.clear_cause = "STARTTLS was not offered by the host"
                return plain
            await plain.quit()
            return Reply(454, "TLS is required, but was not offered by the host", "4.7.4")
        try:
            await plain.protocol.encrypt(context, self.handshake.name, self.timeouts.connect)
            self._authenticate(plain.protocol)
            return await self._hello(plain.protocol)
        except ConversationError as error:
            plain.abort()
            if not in_clear:
                raise
            plain = await self._greeted(addresses)
            plain.clear_cause = str(error.reply)
            return plain
        except BaseException:
            plain.abort()
            raise

    async def _greeted(self, addresses: Addresses, *, implicit_tls: ssl.SSLContext | None = None) -> Session:
        """Connect and greet. Raises ConversationError."""
        with reply_on_failure(None):
            protocol = await self._reached(addresses, implicit_tls)
        try:
            if implicit_tls:
                self._authenticate(protocol)
            await protocol.greeting(self.timeouts.command)
            return await self._hello(protocol)
        except BaseException:
            protocol.abort()
            raise

    def _authenticate(self, protocol: Protocol) -> None:
        """Raise ConversationError where the host is not what its TLSA records demand."""
        if refusal := self.handshake.refusal(protocol.tls):
            raise ConversationError(refusal)

    async def _hello(self, protocol: Protocol) -> Session:
        extensions = await protocol.hello(self.hostname, self.timeouts.command)
        return Session(self.host, protocol, extensions, self.timeouts)

    async def _reached(self, addresses: Addresses, tls: ssl.SSLContext | None) -> Protocol:
        """Connect to the first address that takes the connection; each has its share of the time. Raises OSError."""
        loop = asyncio.get_running_loop()
        name = self.handshake.name if tls else None
        end = loop.time() + self.timeouts.connect
        for left in range(len(addresses), 0, -1):
            try:
                async with asyncio.timeout((end - loop.time()) / left):
                    _, protocol = await loop.create_connection(
                        lambda: Protocol(loop), addresses[-left], self.host.port, ssl=tls, server_hostname=name
                    )
                    return protocol
            except OSError as error:  # TimeoutError and SSLError are kinds of OSError
                if left == 1 or isinstance(error, ssl.SSLError):
                    raise
        raise AssertionError("a host has an address")
