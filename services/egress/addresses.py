"""The addresses of smart hosts: looked up as the system does it, once for all connections, kept while look-ups fail.

`getaddrinfo` honours /etc/hosts and search domains. It blocks, for seconds where a packet of DNS is lost: so each name
is looked up in a thread of its own, once at a time, and an older answer is used where a new one does not come at once.
"""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, replace
from random import Random

from shared.configuration.endpoint import is_ip_address
from shared.history.host import LookupFailed
from shared.mail.reply import Reply
from shared.operations.log import emit

Addresses = tuple[str, ...]
LookUp = Callable[[str], Addresses]
"""Blocks, and returns the addresses of a name, best first, at least one. Raises OSError or UnicodeError."""

FRESH_SECONDS = 30.0
"""`getaddrinfo` does not return a TTL."""
HESITATION_SECONDS = 0.5
"""How long a new answer is waited for where an older one is known: many times what a name server takes."""
FAILURE_SECONDS = 5.0
"""Until the next look-up after one that failed."""


@dataclass(frozen=True, slots=True)
class NoAddress(Reply):
    """Why a host's address, or what DNS says of its certificate, is not known. It says nothing about the host."""


@dataclass(frozen=True, slots=True)
class _Answer:
    """failure: of the newest look-up; the addresses are those of the last that succeeded."""

    addresses: Addresses = ()
    failure: NoAddress | None = None
    good_until: float = 0.0


_NEVER_ASKED = _Answer()


def addresses_of(name: str) -> Addresses:
    """Return the addresses of a name as the system knows them (RFC 6724 order)."""
    found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    return tuple(dict.fromkeys(_text(*address) for *_, address in found))


def _text(address: str | int, _port: object, _flow: int = 0, scope: int = 0) -> str:
    return f"{address}%{scope}" if scope else str(address)


class HostAddresses:
    """What is known of names, for one event loop."""

    def __init__(self, random: Random, look_up: LookUp = addresses_of) -> None:
        self._random = random
        self._look_up = look_up
        self._answers: dict[str, _Answer] = {}
        self._asking: dict[str, asyncio.Task[None]] = {}

    async def of(self, name: str, patience: float) -> Addresses | NoAddress:
        """Return the addresses to try, in this order; or why there is none, after `patience` seconds at most.

        An address is returned as it is. An answer that is no longer fresh is used while its name cannot be looked up.
        """
        if is_ip_address(name):
            return (name,)
        known = self._answers.get(name, _NEVER_ASKED)
        if time.monotonic() >= known.good_until:
            wait = 0.0 if known.failure else HESITATION_SECONDS
            done, _ = await asyncio.wait([self._ask_once(name)], timeout=wait if known.addresses else patience)
            for asked in done:
                asked.result()  # raises what is a bug of ours
            if not done and known.addresses:  # the next connection need not wait for this look-up
                self._answers[name] = replace(known, good_until=time.monotonic() + FAILURE_SECONDS)
            known = self._answers.get(name, known)
        if known.addresses:
            return self._in_turn(known.addresses)
        return known.failure or _no_address(name, f"no answer in {patience:g} s")

    def _ask_once(self, name: str) -> asyncio.Task[None]:
        """Return the look-up that is under way, however many connections wait for it."""
        if name not in self._asking:
            self._asking[name] = asyncio.create_task(self._ask(name))
            self._asking[name].add_done_callback(lambda _: self._asking.pop(name))
        return self._asking[name]

    async def _ask(self, name: str) -> None:
        known = self._answers.get(name, _NEVER_ASKED)
        try:
            addresses = await asyncio.wrap_future(_in_a_thread(self._look_up, name))
        except (OSError, UnicodeError) as error:
            cause = getattr(error, "strerror", None) or str(error)
            failed = _no_address(name, cause)
            self._answers[name] = _Answer(known.addresses, failed, time.monotonic() + FAILURE_SECONDS)
            if not known.failure:
                emit(LookupFailed(name, cause, tuple(known.addresses)))
        else:
            self._answers[name] = _Answer(addresses, None, time.monotonic() + FRESH_SECONDS)

    def _in_turn(self, addresses: Addresses) -> Addresses:
        """Let those of the best family take turns at being first, as name servers do with every answer."""
        best = [address for address in addresses if (":" in address) == (":" in addresses[0])]
        turn = self._random.randrange(len(best))
        return (*best[turn:], *best[:turn], *(address for address in addresses if address not in best))


def _in_a_thread(look_up: LookUp, name: str) -> Future[Addresses]:
    """Look a name up beside asyncio's own threads, which are few, and joined at the end of the process."""
    answer: Future[Addresses] = Future()
    answer.set_running_or_notify_cancel()

    def ask() -> None:
        try:
            answer.set_result(look_up(name))
        except Exception as error:  # noqa: BLE001 (raised where the answer is awaited)
            answer.set_exception(error)

    threading.Thread(target=ask, name=f"look up {name}", daemon=True).start()
    return answer


def _no_address(name: str, cause: str) -> NoAddress:
    return NoAddress(451, f"cannot look up {name}: {cause}", "4.4.3")
