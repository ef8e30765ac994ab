"""A catcher: a smart host that keeps what it is sent, for the demonstration, for compose and for trials.

Each message becomes two files in its directory, `<n>.eml` with the bytes as they came and `<n>.json` with the envelope.
STARTTLS is demanded, so what arrives here was never sent in the clear.

    python -m services.console.catcher --name "Exchange" --listen 0.0.0.0:25 --directory /var/mail/caught
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import ssl
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from aiosmtpd.smtp import SMTP, Envelope, Session

from shared.operations import certificates
from shared.operations.settings import parse_listen

MAX_MESSAGE_BYTES = 104_857_600


@dataclass
class Catch:
    """The handler of one catcher; `count` messages were caught so far."""

    directory: Path
    count: int = field(default=0)

    async def handle_DATA(self, _server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Keep the message. The envelope's file is written last: where it is, the message is whole."""
        self.count += 1
        stem = self.directory / f"{self.count:06d}"
        assert isinstance(envelope.original_content, bytes)
        stem.with_suffix(".eml").write_bytes(envelope.original_content)
        facts = {"sender": envelope.mail_from, "recipients": envelope.rcpt_tos, "tls": session.ssl is not None}
        waiting = stem.with_suffix(".part")
        waiting.write_text(json.dumps(facts))
        waiting.rename(stem.with_suffix(".json"))
        return f"250 2.0.0 Ok: queued as CATCH{self.count:06d}"


class Catcher(SMTP):
    """aiosmtpd's server; Notes addresses may be longer and odder than it would like."""

    line_length_limit = 100_000_000


def server_context(certificate: Path | None, key: Path | None) -> ssl.SSLContext:
    """Return a context with the given certificate, or with one made on the spot."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if certificate:
        context.load_cert_chain(certificate, key)
        return context
    with tempfile.TemporaryDirectory() as directory:
        made = certificates.self_signed(Path(directory), ["localhost"])
        context.load_cert_chain(made.certificate, made.key)
    return context


async def catch(name: str, listen: str, directory: Path, context: ssl.SSLContext) -> None:
    """Serve until SIGTERM or SIGINT."""
    handler = Catch(directory)

    def serve() -> Catcher:
        return Catcher(
            handler,
            hostname=name,
            ident=f"{name} catcher",
            data_size_limit=MAX_MESSAGE_BYTES,
            enable_SMTPUTF8=True,
            tls_context=context,
            require_starttls=True,
            loop=asyncio.get_running_loop(),
        )

    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    server = await asyncio.get_running_loop().create_server(serve, *parse_listen(listen))
    async with server:
        await stop.wait()


def main() -> None:
    """Read the options and serve."""
    parser = argparse.ArgumentParser(prog="catcher", description="A smart host that keeps what it is sent.")
    parser.add_argument("--name", default="catcher", help="what it calls itself")
    parser.add_argument("--listen", default="127.0.0.1:2526", help="host:port")
    parser.add_argument("--directory", type=Path, default=Path("caught"), help="where the messages go")
    parser.add_argument("--certificate", type=Path, help="PEM file; one is made on the spot where none is given")
    parser.add_argument("--key", type=Path, help="the certificate's private key")
    options = parser.parse_args()
    options.directory.mkdir(parents=True, exist_ok=True)
    context = server_context(options.certificate, options.key)
    asyncio.run(catch(options.name, options.listen, options.directory, context))


if __name__ == "__main__":
    main()
