"""What stands before a server without TLS of its own, as stunnel does: it ends TLS and hands the rest on."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import suppress

from tests.conftest import Certificates
from tests.support.forwarder import Forwarder


class TlsTerminator(Forwarder):
    """Accepts TLS on 127.0.0.1:`port` and forwards to 127.0.0.1:`to`. peers: connections with a client certificate.

    demands: refuse clients that show no certificate of the CA.
    """

    def __init__(self, to: int, certificates: Certificates, *, demands: bool = False) -> None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(certificates.ca))
        context.load_cert_chain(certificates.certificate, certificates.key)
        context.verify_mode = ssl.CERT_REQUIRED if demands else ssl.CERT_NONE
        super().__init__(context)
        self.to = to
        self.peers = 0

    async def forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one connection both ways until either end closes."""
        self.peers += bool(writer.get_extra_info("peercert"))
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.to)
        try:
            await asyncio.gather(_pump(reader, far_writer), _pump(far_reader, writer))
        finally:
            writer.transport.abort()
            far_writer.transport.abort()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while part := await reader.read(65536):
            writer.write(part)
            await writer.drain()
    writer.close()
