"""A catcher: a smart host that stores what it receives, for the demonstration, for Compose and for trials.

Each message becomes two files in its directory, `<n>.eml` with the bytes as they came and `<n>.json` with the envelope;
numbers continue where an earlier catcher stopped. STARTTLS is required, so nothing that arrives here was sent in the
clear. Recipients can be refused or deferred, to see how the gateway handles it.

    python -m services.demo.catcher --name "Exchange" --listen 0.0.0.0:25 --directory /var/mail/caught
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import ssl
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from aiosmtpd.smtp import SMTP, Envelope, Session

from shared.configuration.endpoint import Endpoint
from shared.configuration.ingress import IngressTls
from shared.errors import ConfigurationError
from shared.operations import certificates, tls

MAX_MESSAGE_BYTES = 104_857_600
REFUSED = "550 5.1.1 No such user"
DEFERRED = "451 4.2.1 Try again later"


@dataclass
class Catch:
    """The handler of one catcher. answers: the reply to a recipient, by its address in lower case, where it is not 250.

    count: messages in the directory so far.
    """

    directory: Path
    answers: dict[str, str] = field(default_factory=dict)
    count: int = field(init=False)

    def __post_init__(self) -> None:
        self.count = max((int(file.stem) for file in self.directory.glob("*.eml") if file.stem.isdigit()), default=0)

    async def handle_RCPT(  # noqa: N802
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Accept the recipient, or reply as configured."""
        if answer := self.answers.get(address.lower()):
            return answer
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 2.1.5 Ok"

    async def handle_DATA(self, _server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Store the message. The envelope's file is written last: once it exists, the message is complete."""
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
    """aiosmtpd's server; Notes addresses may be longer than it allows by default."""

    line_length_limit = 100_000_000


def server_context(certificate: Path | None, key: Path | None) -> ssl.SSLContext:
    """Return a context with the given certificate, or with one created for this run. Raises ConfigurationError."""
    if certificate or key:
        return tls.server_context(IngressTls(certificate=certificate, key=key))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.TemporaryDirectory() as directory:
        made = certificates.self_signed(Path(directory), ["localhost"])
        context.load_cert_chain(made.certificate, made.key)
    return context


async def catch(name: str, listen: Endpoint, handler: Catch, context: ssl.SSLContext) -> None:
    """Serve until SIGTERM or SIGINT. Raises OSError where the address cannot be bound."""

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
    server = await asyncio.get_running_loop().create_server(serve, listen.host, listen.port)
    async with server:
        print(f"catching for {name} on {listen} into {handler.directory}", flush=True)
        await stop.wait()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="catcher",
        description="A smart host that stores what it receives.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--name", default="catcher", help="its host name")
    parser.add_argument("--listen", type=_endpoint, default=Endpoint("127.0.0.1", 2526), help="host:port")
    parser.add_argument("--directory", type=Path, default=Path("caught"), help="folder for the messages")
    parser.add_argument("--certificate", type=Path, help="PEM file (default: one created for this run)")
    parser.add_argument("--key", type=Path, help="the certificate's private key")
    for option, code in (("--refuse", "550"), ("--defer", "451")):
        about = f"reply {code} to this recipient; may be repeated"
        parser.add_argument(option, action="append", default=[], metavar="ADDRESS", help=about)
    return parser


def _endpoint(text: str) -> Endpoint:
    try:
        return Endpoint.parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def main() -> int:
    """Read the options and serve; return the exit code."""
    options = _parser().parse_args()
    answers = {address.lower(): REFUSED for address in options.refuse}
    answers |= {address.lower(): DEFERRED for address in options.defer}
    try:
        context = server_context(options.certificate, options.key)
        options.directory.mkdir(parents=True, exist_ok=True)
        asyncio.run(catch(options.name, options.listen, Catch(options.directory, answers), context))
    except ConfigurationError as error:
        print(str(error).replace("ingress.tls: ", "--certificate: "), file=sys.stderr)
        return 1
    except OSError as error:
        print(f"{error.filename or options.listen}: {os.strerror(error.errno or 0)}: choose another", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
