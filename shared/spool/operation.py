"""Spool operations without input or output: each is a generator that yields requests to Redis and returns its result.

The same operation runs on a synchronous client (transform, console) and an asynchronous one (ingress, egress):

    leased = Spool(client).run(lease_messages(...))
    leased = await AsyncSpool(client).run(lease_messages(...))

Redis' own exceptions leave here as `SpoolUnavailable` and `SpoolFull`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, TypeVar

import redis
import redis.asyncio
from redis.exceptions import NoScriptError, RedisError

from shared.errors import SpoolFull, SpoolUnavailable
from shared.spool import keys

T = TypeVar("T")
Argument = bytes | str | int | float


@dataclass(frozen=True, slots=True)
class Command:
    """One Redis command, for example Command("GET", (key,))."""

    name: str
    args: tuple[Argument, ...]


@dataclass(frozen=True, slots=True)
class Script:
    """One run of `scripts/<name>.lua`, which finds the functions of `scripts/common.lua` before it."""

    name: str
    args: tuple[Argument, ...]


@dataclass(frozen=True, slots=True)
class Batch:
    """Several requests over one connection in one round trip, in order, not atomic; the answer is a list of answers.

    An error of one request is an error of the batch. The batch is sent again if Redis does not know a script yet, so
    it may only hold requests that may run twice.
    """

    requests: Sequence[Command | Script]


Request = Command | Script | Batch
Operation = Generator[Request, Any, T]


@cache
def source(name: str) -> str:
    """Return the whole text of a script: the key names of `keys`, the common functions, the script itself."""
    scripts = files("shared.spool") / "scripts"
    names = "".join(f"local {name} = '{prefix}'\n" for name, prefix in keys.LUA.items())
    return names + (scripts / "common.lua").read_text() + (scripts / f"{name}.lua").read_text()


@cache
def digest(name: str) -> str:
    """Return the SHA-1 that identifies the script in Redis."""
    return hashlib.sha1(source(name).encode(), usedforsecurity=False).hexdigest()


@cache
def read_scripts() -> None:
    """Read every script once, at start: later there may be no free file descriptor, or files of another release."""
    for file in (files("shared.spool") / "scripts").iterdir():
        name = file.name.removesuffix(".lua")
        if name != "common":
            digest(name)


def _words(request: Command | Script) -> tuple[Argument, ...]:
    if isinstance(request, Script):
        return ("EVALSHA", digest(request.name), 0, *request.args)
    return (request.name, *request.args)


def _scripts(request: Request) -> set[str]:
    parts = request.requests if isinstance(request, Batch) else (request,)
    return {part.name for part in parts if isinstance(part, Script)}


@contextmanager
def _spool_errors() -> Iterator[None]:
    try:
        yield
    except (RedisError, OSError) as error:  # OSError: no free file descriptor for a connection
        if "used memory > 'maxmemory'" in str(error):
            raise SpoolFull(f"Redis is out of memory and refuses writes: {error}") from error
        raise SpoolUnavailable(f"Redis: {error}") from error
    except RuntimeError as error:
        if "the handler is closed" not in str(error):
            raise
        raise SpoolUnavailable("Redis: the connection was lost") from error  # uvloop's error during a write


def _sentinels(client: redis.Redis | redis.asyncio.Redis) -> list[Any]:
    """Return the Sentinel clients of a client, which it uses to find its primary and does not close."""
    manager = getattr(client.connection_pool, "sentinel_manager", None)
    return manager.sentinels if manager else []


class Spool:
    """Runs operations on a synchronous Redis client."""

    def __init__(self, client: redis.Redis) -> None:
        read_scripts()
        self.client = client

    def run(self, operation: Operation[T]) -> T:
        """Run an operation to its result. Raises SpoolUnavailable, SpoolFull, and what the operation itself raises."""
        answer: Any = None
        while True:
            try:
                request = operation.send(answer)
            except StopIteration as stop:
                return stop.value  # type: ignore[no-any-return]
            with _spool_errors(), self._disconnect_on_interrupt():
                try:
                    answer = self._ask(request)
                except NoScriptError:
                    for name in _scripts(request):
                        self.client.script_load(source(name))
                    answer = self._ask(request)

    def _ask(self, request: Request) -> Any:
        if isinstance(request, Batch):
            with self.client.pipeline(transaction=False) as pipeline:
                for part in request.requests:
                    pipeline.execute_command(*_words(part))  # type: ignore[no-untyped-call]
                return pipeline.execute()
        return self.client.execute_command(*_words(request))  # type: ignore[no-untyped-call]

    @contextmanager
    def _disconnect_on_interrupt(self) -> Iterator[None]:
        """Close the connections if an exception, such as that of an alarm signal, interrupts a request.

        A connection may then still receive an answer, which the next request would read as its own.
        """
        try:
            yield
        except Exception:
            raise
        except BaseException:
            self.client.connection_pool.disconnect()
            self.client.connection_pool.reset()
            raise

    def close(self) -> None:
        """Close the connections, including those to Sentinel."""
        self.client.close()
        for sentinel in _sentinels(self.client):
            sentinel.close()


class AsyncSpool:
    """Runs operations on an asynchronous Redis client."""

    def __init__(self, client: redis.asyncio.Redis) -> None:
        read_scripts()
        self.client = client

    async def run(self, operation: Operation[T]) -> T:
        """Run an operation to its result. Raises SpoolUnavailable, SpoolFull, and what the operation itself raises."""
        answer: Any = None
        while True:
            try:
                request = operation.send(answer)
            except StopIteration as stop:
                return stop.value  # type: ignore[no-any-return]
            with _spool_errors():
                try:
                    answer = await self._ask(request)
                except NoScriptError:
                    for name in _scripts(request):
                        await self.client.script_load(source(name))
                    answer = await self._ask(request)

    async def _ask(self, request: Request) -> Any:
        if isinstance(request, Batch):
            async with self.client.pipeline(transaction=False) as pipeline:
                for part in request.requests:
                    pipeline.execute_command(*_words(part))
                return await pipeline.execute()
        return await self.client.execute_command(*_words(request))  # type: ignore[no-untyped-call]

    async def aclose(self) -> None:
        """Close the connections, including those to Sentinel."""
        await self.client.aclose()
        for sentinel in _sentinels(self.client):
            await sentinel.aclose()
