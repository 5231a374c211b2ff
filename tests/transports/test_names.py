"""The system's resolver, with name servers that say nothing."""

import asyncio
import socket
from collections import Counter
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event, Lock, Thread

import pytest
from tests.patience import patience

from ringpost.domain.hosts import parse_allowed_networks
from ringpost.transports.egress import CheckedAddress, EgressError, EgressRules, resolve
from ringpost.transports.names import FOR_LATE, THREADS, Names

GOOD = [CheckedAddress("8.8.8.8", 25)]
PATIENCE_S = 0.2


class Resolver:
    """The system's, for names of which some begin with dead: those say nothing until they are released."""

    def __init__(self) -> None:
        self.answer: list[str] | OSError = ["8.8.8.8"]
        self.dead: tuple[str, ...] = ("dead",)
        self.asked = Counter[str]()
        self.stuck = self.most_stuck = 0
        self._release = Event()
        self._lock = Lock()
        self._names = Names(self._addresses, PATIENCE_S)
        self._rules = EgressRules(lookup=self._names.lookup)

    def _addresses(self, host: str, _port: int) -> list[str]:
        with self._lock:
            self.asked[host] += 1
            self.stuck += host.startswith(self.dead)
            self.most_stuck = max(self.most_stuck, self.stuck)
        if host.startswith(self.dead):
            self._release.wait(30)
            with self._lock:
                self.stuck -= 1
            raise socket.gaierror(socket.EAI_AGAIN, "later")
        if isinstance(self.answer, OSError):
            raise self.answer
        return self.answer

    async def resolve(self, name: str, rules: EgressRules | None = None) -> list[CheckedAddress] | type[Exception]:
        """What comes of it within a second."""
        try:
            return await resolve(f"{name}.example.com", 25, rules or self._rules, limit=1)
        except (OSError, EgressError) as error:
            return type(error)

    async def resolve_dead(self, count: int) -> set[type[Exception]]:
        """Ask for so many dead names at once."""
        found = await asyncio.gather(*(self.resolve(f"dead{number}") for number in range(count)))
        return {one for one in found if isinstance(one, type)}

    async def until_stuck(self, count: int) -> None:
        """Wait for so many to be stuck."""
        async with patience(10):
            while self.stuck != count:
                await asyncio.sleep(0.01)

    async def release(self) -> None:
        """Let all end that is stuck."""
        self._release.set()
        await self.until_stuck(0)
        await asyncio.sleep(0.05)
        self._release.clear()

    def lookups_with(self, rules: EgressRules) -> EgressRules:
        """These rules, for this resolver."""
        return EgressRules(rules.allowed, rules.extra_ports, self._names.lookup)


@pytest.fixture
async def resolver() -> AsyncIterator[Resolver]:
    resolver = Resolver()
    yield resolver
    await resolver.release()


async def test_names_that_say_nothing_leave_threads_to_those_that_have_answered(resolver: Resolver) -> None:
    assert await resolver.resolve("known") == GOOD
    dead = asyncio.create_task(resolver.resolve_dead(3 * THREADS))
    await asyncio.sleep(0.1)
    assert await resolver.resolve("known") == GOOD
    assert resolver.asked["known.example.com"] == 2, "it is not an old answer"
    assert await dead == {TimeoutError}


async def test_names_that_were_late_share_a_few_threads_from_then_on(resolver: Resolver) -> None:
    dead = asyncio.create_task(resolver.resolve_dead(64))
    assert await resolver.resolve("new") == GOOD, "there are more threads than that"
    assert await dead == {TimeoutError}
    assert await resolver.resolve("newer") == GOOD, "also while they are still stuck"
    await resolver.release()
    resolver.most_stuck = 0
    assert await resolver.resolve_dead(64) == {TimeoutError}
    assert resolver.most_stuck == FOR_LATE


async def test_a_name_that_was_late_and_answers_in_time_is_like_all_others_again(resolver: Resolver) -> None:
    await resolver.resolve_dead(64)
    await resolver.release()
    resolver.dead = ("none",)
    for number in range(64):
        assert await resolver.resolve(f"dead{number}") == GOOD
    resolver.dead = ("dead",)
    again = asyncio.create_task(resolver.resolve_dead(64))
    await resolver.until_stuck(64)
    await again


async def test_a_name_is_asked_for_once_at_a_time(resolver: Resolver) -> None:
    found = await asyncio.gather(*(resolver.resolve("dead") for _ in range(50)))
    assert set(map(str, found)) == {str(TimeoutError)}
    assert await resolver.resolve("dead") is TimeoutError, "the thread is still stuck"
    assert resolver.asked["dead.example.com"] == 1


@pytest.mark.parametrize("fails", ["silent", socket.gaierror(socket.EAI_AGAIN, "later")], ids=["silent", "fails"])
async def test_a_name_whose_name_server_does_not_answer_has_its_last_answer(
    resolver: Resolver, fails: str | OSError
) -> None:
    assert await resolver.resolve("known") == GOOD
    if isinstance(fails, OSError):
        resolver.answer = fails
    else:
        resolver.dead = ("known",)
    for _ in range(3):
        assert await resolver.resolve("known") == GOOD


async def test_a_last_answer_is_checked_as_any_other(resolver: Resolver) -> None:
    resolver.answer = ["10.0.0.1"]
    allowing = resolver.lookups_with(EgressRules(allowed=parse_allowed_networks("10.0.0.0/8")))
    assert await resolver.resolve("known", allowing) == [CheckedAddress("10.0.0.1", 25)]
    resolver.dead = ("known",)
    assert await resolver.resolve("known") is EgressError


async def test_a_name_that_is_no_more_has_no_answer(resolver: Resolver) -> None:
    assert await resolver.resolve("known") == GOOD
    resolver.answer = socket.gaierror(socket.EAI_NONAME, "unknown")
    assert await resolver.resolve("known") is socket.gaierror
    resolver.dead = ("known",)
    assert await resolver.resolve("known") is TimeoutError, "nor has it the one of before"


async def test_a_name_that_no_thread_was_free_for_is_asked_for_again(
    resolver: Resolver, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: Thread) -> None:
        raise RuntimeError("can't start new thread")

    with ThreadPoolExecutor(1) as threads, monkeypatch.context() as patched:
        monkeypatch.setattr("ringpost.transports.names._threads", lambda: threads)
        patched.setattr(Thread, "start", refuse)  # as on a machine that has as many as it may
        assert await resolver.resolve("new") is socket.gaierror
        patched.undo()
        assert await resolver.resolve("new") == GOOD
