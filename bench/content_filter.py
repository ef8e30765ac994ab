"""The content filter that an administrator would put behind Postfix to get Causeway's conversions there.

An after-queue SMTP filter (Postfix's FILTER_README): aiosmtpd on uvloop takes each message, `settlement_of` of
Causeway's transform stage converts it and rewrites its recipients, aiosmtplib gives the result back to Postfix over
connections that stay open. Several processes share the listening socket. The 250 is sent when Postfix has taken the
result, so Postfix's queue keeps what the filter loses.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import signal
import socket
import time
from pathlib import Path
from types import FrameType
from typing import Any

import aiosmtplib
import uvloop
from aiosmtpd.smtp import SMTP

from services.transform.settlement import settlement_of
from shared import configuration
from shared.configuration.settings import Settings
from shared.mail.edits import apply
from shared.mail.envelope import Client, Envelope, Recipient, new_message_id
from shared.routing.route import NoRoute
from shared.routing.router import CurrentRouter
from shared.spool.lease import Lease, LeasedMessage
from shared.spool.settlement import Transformed

MAX_MESSAGE_BYTES = 104_857_600
Onward = tuple[str, list[str], bytes]


class Returns:
    """Connections to Postfix, as many as are in use at once, kept open."""

    def __init__(self, port: int) -> None:
        self._where: dict[str, Any] = {"hostname": "127.0.0.1", "port": port, "start_tls": False}
        self._idle: list[aiosmtplib.SMTP] = []

    async def send(self, sender: str, recipients: list[str], content: bytes) -> None:
        """Give Postfix a message. Raises SMTPException where it does not take it."""
        connection = self._idle.pop() if self._idle else aiosmtplib.SMTP(**self._where)
        if not connection.is_connected:
            await connection.connect()
        await connection.sendmail(sender, recipients, content)
        self._idle.append(connection)


class Filter:
    """The handler of the server: every message is converted, and given back."""

    def __init__(self, settings: Settings, returns: Returns) -> None:
        self._settings = settings
        self._returns = returns
        self._router = CurrentRouter.configured(settings)

    async def handle_DATA(self, _server: SMTP, _session: Any, envelope: Any) -> str:  # noqa: N802 (aiosmtpd's name)
        """Answer the end of a message."""
        onward = self.converted(envelope.mail_from or None, envelope.rcpt_tos, envelope.original_content)
        if onward is None:
            return "451 4.3.0 The message cannot be converted"
        try:
            for sender, recipients, content in onward:
                await self._returns.send(sender, recipients, content)
        except (aiosmtplib.SMTPException, OSError):
            return "451 4.3.0 The message cannot be returned"
        return "250 2.0.0 Converted"

    def converted(self, sender: str | None, recipients: list[str], content: bytes) -> list[Onward] | None:
        """Return what goes on: sender, recipients and content of each message; None where it cannot be converted."""
        now, router = time.time(), self._router.current()
        from_route = router.route(sender or "", self._settings.systems[0].name)
        source = self._settings.systems[0].name if isinstance(from_route, NoRoute) else from_route.system
        id = new_message_id(now)
        received = Envelope(
            id, sender, tuple(map(Recipient, recipients)), source, Client("127.0.0.1", "localhost"), now
        )
        leased = LeasedMessage(Lease("filter", id, "", 0), received, len(content))
        settlement = settlement_of(leased, content, router, self._settings, now=now)
        if not isinstance(settlement, Transformed):
            return None
        deliveries = [
            (new.delivery.sender or "", [rcpt.address for rcpt in new.delivery.recipients], apply(content, new.edits))
            for new in settlement.deliveries
        ]
        extra_messages = [
            (
                report.envelope.sender or "",
                [recipient.address for recipient in report.envelope.recipients],
                report.content,
            )
            for report in settlement.reports
        ]
        return deliveries + extra_messages


async def serve(listening: socket.socket, settings: Settings, return_port: int) -> None:
    """Serve until SIGTERM."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    handler = Filter(settings, Returns(return_port))

    def session() -> SMTP:
        return SMTP(handler, hostname="filter.example.com", data_size_limit=MAX_MESSAGE_BYTES, enable_SMTPUTF8=True)

    async with await loop.create_server(session, sock=listening, backlog=1000):
        await stop.wait()


def run(listening: socket.socket, settings: Settings, return_port: int) -> None:
    """Be one of the processes."""
    uvloop.run(serve(listening, settings, return_port))


def main() -> None:
    """Read the options and serve in as many processes as were asked for, until SIGTERM."""
    parser = argparse.ArgumentParser(prog="content_filter")
    parser.add_argument("--config", type=Path, required=True, help="a causeway.yaml, for its systems and addresses")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--return-port", type=int, required=True, help="where Postfix takes back what was converted")
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    settings = configuration.load(options.config)
    listening = socket.create_server(("127.0.0.1", options.port), backlog=1000)
    fork = multiprocessing.get_context("fork")
    children = [
        fork.Process(target=run, args=(listening, settings, options.return_port)) for _ in range(options.processes)
    ]
    for child in children:
        child.start()

    def stop(_number: int, _frame: FrameType | None) -> None:
        for child in children:
            child.terminate()

    signal.signal(signal.SIGTERM, stop)
    for child in children:
        child.join()


if __name__ == "__main__":
    main()
