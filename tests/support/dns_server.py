"""A real DNS server on loopback, in a thread of its own, that answers, fails and is silent as a test says."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass, field
from typing import Any

import dns.flags
import dns.message
import dns.rcode
import dns.rrset


@dataclass
class DnsServer(asyncio.DatagramProtocol):
    """Answers from `records`; a name that has none does not exist; `silent` fails everything.

    muted: names whose questions get no answer before `speak`. failing: names for which the look-up fails (SERVFAIL).
    validated: names whose answers have the AD flag, where it was asked for. Aliases are followed.
    """

    records: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    ttl: int = 60
    silent: bool = False
    questions: list[tuple[str, str]] = field(default_factory=list)
    muted: set[str] = field(default_factory=set)
    failing: set[str] = field(default_factory=set)
    validated: set[str] = field(default_factory=set)
    asked: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    address: str = "127.0.0.1"
    port: int = 0

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        self._unanswered: list[tuple[bytes, Any]] = []

    def speak(self) -> None:
        """Answer every question, also those that came meanwhile."""

        def answer() -> None:
            self.muted.clear()
            for data, address in self._unanswered:
                self.datagram_received(data, address)

        self._loop.call_soon_threadsafe(answer)

    def datagram_received(self, data: bytes, address: Any) -> None:
        query = dns.message.from_wire(data)
        question = query.question[0]
        name, kind = question.name.to_text(omit_final_dot=True), dns.rdatatype.to_text(question.rdtype)
        self.questions.append((name, kind))
        self.asked.release()
        if name in self.muted:
            self._unanswered.append((data, address))
            return
        response = dns.message.make_response(query)
        response.flags |= dns.flags.RA
        if self.silent or name in self.failing:
            response.set_rcode(dns.rcode.SERVFAIL)
        else:
            self._answer(response, name, kind, is_validated=bool(query.flags & dns.flags.AD))
        self._transport.sendto(response.to_wire(), address)

    def _answer(self, response: dns.message.Message, name: str, kind: str, *, is_validated: bool) -> None:
        is_validated = is_validated and name in self.validated
        if (name, kind) in self.records:
            response.answer.append(dns.rrset.from_text(f"{name}.", self.ttl, "IN", kind, *self.records[name, kind]))
        elif (name, "CNAME") in self.records:
            [target] = self.records[name, "CNAME"]
            response.answer.append(dns.rrset.from_text(f"{name}.", self.ttl, "IN", "CNAME", target))
            self._answer(response, target.rstrip("."), kind, is_validated=is_validated)
            return
        elif not any(known == name for known, _ in self.records):
            response.set_rcode(dns.rcode.NXDOMAIN)
        if is_validated:
            response.flags |= dns.flags.AD

    def __enter__(self) -> DnsServer:
        started = threading.Event()
        loop = asyncio.new_event_loop()

        async def listen() -> asyncio.DatagramTransport:
            transport, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=(self.address, 0))
            self.port = transport.get_extra_info("sockname")[1]
            started.set()
            return transport

        def serve() -> None:
            transport = loop.run_until_complete(listen())
            loop.run_forever()
            transport.close()
            loop.run_until_complete(asyncio.sleep(0))
            loop.close()

        self._thread = threading.Thread(target=serve)
        self._thread.start()
        assert started.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
