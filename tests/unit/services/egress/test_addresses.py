"""Look-ups of smart hosts: the system's own for names it knows without DNS, else a scripted one."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from random import Random

import pytest

from services.egress import addresses
from services.egress.addresses import Addresses, HostAddresses, LookUp, NoAddress, addresses_of

NAME = "mail.example.com"
PATIENCE = 30.0


class Directory:
    """Answers with `found`, or raises `failure`. While it is `silent` no look-up ends."""

    def __init__(self, *found: str) -> None:
        self.found: Addresses = found
        self.failure: Exception | None = None
        self.asked = 0
        self.answers = threading.Event()
        self.answers.set()

    def look_up(self, _name: str) -> Addresses:
        self.asked += 1
        self.answers.wait(60)
        if self.failure:
            raise self.failure
        return self.found


@pytest.fixture
def directory() -> Iterator[Directory]:
    directory = Directory("192.0.2.1")
    yield directory
    directory.answers.set()


@pytest.fixture
def nothing_stays_fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(addresses, "FRESH_SECONDS", 0.0)


def book(look_up: LookUp = addresses_of) -> HostAddresses:
    return HostAddresses(Random(1), look_up)


def ask(name: str, look_up: LookUp = addresses_of, patience: float = PATIENCE) -> Addresses | NoAddress:
    return asyncio.run(book(look_up).of(name, patience))


@pytest.mark.parametrize("address", ["192.0.2.1", "2001:db8::1", "fe80::1%1"])
def test_an_address_stands_for_itself(address: str, directory: Directory) -> None:
    assert ask(address, directory.look_up) == (address,)
    assert not directory.asked


def test_names_of_the_hosts_file_are_known() -> None:
    found = ask("localhost")
    assert isinstance(found, tuple)
    assert "127.0.0.1" in found


def test_a_name_that_cannot_be_asked_for_is_a_failed_look_up() -> None:
    said = ask("x" * 64)
    assert isinstance(said, NoAddress)
    assert (said.code, said.enhanced) == (451, "4.4.3")
    assert said.text.startswith(f"cannot look up {'x' * 64}: ")


def test_many_connections_ask_once(directory: Directory) -> None:
    directory.answers.clear()

    async def many() -> list[Addresses | NoAddress]:
        known = book(directory.look_up)
        asking = [asyncio.create_task(known.of(NAME, PATIENCE)) for _ in range(50)]
        while not directory.asked:  # noqa: ASYNC110 (it is asked in a thread)
            await asyncio.sleep(0)
        directory.answers.set()
        return [*await asyncio.gather(*asking), await known.of(NAME, PATIENCE)]

    assert set(asyncio.run(many())) == {("192.0.2.1",)}
    assert directory.asked == 1


def test_names_do_not_wait_for_each_other(directory: Directory) -> None:
    """Nor for the threads of asyncio: there are fewer of them than names here."""
    directory.answers.clear()

    def look_up(name: str) -> Addresses:
        return directory.look_up(name) if name.startswith("silent") else ("192.0.2.2",)

    async def scenario() -> None:
        known = book(look_up)
        silent = [asyncio.create_task(known.of(f"silent{number}", PATIENCE)) for number in range(100)]
        assert await known.of(NAME, PATIENCE) == ("192.0.2.2",)
        assert not any(task.done() for task in silent)
        directory.answers.set()
        await asyncio.gather(*silent)

    asyncio.run(scenario())


def test_a_look_up_that_takes_too_long_is_a_failed_one(directory: Directory) -> None:
    """And neither that nor the end of the service waits for it."""
    directory.answers.clear()
    said = ask(NAME, directory.look_up, patience=0.01)
    assert said == NoAddress(451, "cannot look up mail.example.com: no answer in 0.01 s", "4.4.3")


@pytest.mark.usefixtures("nothing_stays_fresh")
def test_a_lost_dns_packet_delays_no_connection_that_has_an_answer(
    directory: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """But for the moment in which most answers come; who asks later does not wait at all."""
    monkeypatch.setattr(addresses, "HESITATION_SECONDS", 0.01)
    monkeypatch.setattr(addresses, "FAILURE_SECONDS", 3600.0)

    async def scenario() -> None:
        known = book(directory.look_up)
        await known.of(NAME, PATIENCE)
        directory.answers.clear()
        directory.found = ("192.0.2.9",)
        assert await known.of(NAME, PATIENCE) == ("192.0.2.1",)
        monkeypatch.setattr(addresses, "HESITATION_SECONDS", 3600.0)
        for _ in range(3):
            assert await known.of(NAME, PATIENCE) == ("192.0.2.1",)
        assert directory.asked == 2

    asyncio.run(scenario())


@pytest.mark.usefixtures("nothing_stays_fresh")
def test_a_new_address_is_taken_over(directory: Directory) -> None:
    async def scenario() -> None:
        known = book(directory.look_up)
        assert await known.of(NAME, PATIENCE) == ("192.0.2.1",)
        directory.found = ("192.0.2.9",)
        assert await known.of(NAME, PATIENCE) == ("192.0.2.9",)

    asyncio.run(scenario())


@pytest.mark.usefixtures("nothing_stays_fresh")
def test_the_last_answer_stands_while_look_ups_fail(directory: Directory, caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        known = book(directory.look_up)
        await known.of(NAME, PATIENCE)
        directory.failure = OSError(-3, "Temporary failure in name resolution")
        for _ in range(3):
            assert await known.of(NAME, PATIENCE) == ("192.0.2.1",)
        assert directory.asked == 2

    asyncio.run(scenario())
    assert [record.getMessage() for record in caplog.records] == ["lookup.failed"]


def test_a_failure_is_known_to_all_for_a_while_and_forgotten(
    directory: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory.failure = OSError(-3, "Temporary failure in name resolution")

    async def scenario() -> None:
        known = book(directory.look_up)
        for _ in range(3):
            said = await known.of(NAME, PATIENCE)
            assert str(said) == "451 4.4.3 cannot look up mail.example.com: Temporary failure in name resolution"
        assert directory.asked == 1
        monkeypatch.setattr(addresses, "FAILURE_SECONDS", 0.0)
        directory.failure = None
        other = book(directory.look_up)
        directory.failure = OSError(-3, "Temporary failure in name resolution")
        assert isinstance(await other.of(NAME, PATIENCE), NoAddress)
        directory.failure = None
        assert await other.of(NAME, PATIENCE) == ("192.0.2.1",)

    asyncio.run(scenario())


def test_who_gives_up_leaves_the_look_up_to_the_others(directory: Directory) -> None:
    directory.answers.clear()

    async def scenario() -> None:
        known = book(directory.look_up)
        first, second = (asyncio.create_task(known.of(NAME, PATIENCE)) for _ in range(2))
        await asyncio.sleep(0)
        first.cancel()
        await asyncio.wait([first])
        directory.answers.set()
        assert await second == ("192.0.2.1",)

    asyncio.run(scenario())
    assert directory.asked == 1


def test_equals_take_turns_and_the_others_come_after_them() -> None:
    found = ("2001:db8::1", "2001:db8::2", "192.0.2.1", "192.0.2.2")

    async def scenario() -> set[Addresses | NoAddress]:
        known = book(lambda _: found)
        return {await known.of(NAME, PATIENCE) for _ in range(100)}

    assert asyncio.run(scenario()) == {found, ("2001:db8::2", "2001:db8::1", "192.0.2.1", "192.0.2.2")}


def test_a_bug_is_no_failed_look_up() -> None:
    def look_up(_name: str) -> Addresses:
        raise LookupError("a bug")

    with pytest.raises(LookupError):
        ask(NAME, look_up)
