"""The system's resolver, shared so that names whose name servers say nothing leave it to all others.

`getaddrinfo` cannot be given up: whoever waits for it may go, but its thread stays in it for 10 to 40 seconds. So a
name is asked for once at a time, names that were late share a few of the threads, and some are for names that have
answered before. Such a name has its last answer again when no thread is free for it or its name server says nothing.
What becomes of an answer, also of an old one, is for who asked: it is checked before each connect.
"""

import asyncio
import socket
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from enum import IntEnum
from functools import lru_cache
from typing import Final, TypeVar
from weakref import WeakKeyDictionary

THREADS: Final = 128
FOR_KNOWN: Final = 32
"""Threads that only names may have that have answered before, in time."""
FOR_LATE: Final = 16
"""Threads that names have among them that were late last time."""
PATIENCE_S: Final = 4.0
"""A look-up that takes longer is late; less than anybody waits for one."""
LATE_FOR_S: Final = 600.0
"""How long that is held against a name that nobody has asked for since."""
OLDEST_S: Final = 24 * 3600.0
"""The age until which a last answer is used."""
MOST_KEPT: Final = 4096
"""Names that something is known of."""
LARGEST: Final = 32
"""Addresses of an answer that is kept: an answer may have thousands."""

_NO: Final = {socket.EAI_NONAME, socket.EAI_NODATA}

V = TypeVar("V")


class _Kind(IntEnum):
    """In the order in which they are served."""

    KNOWN = 0
    NEW = 1
    LATE = 2


class _Lookup:
    """One that is under way or, while no thread is free for it, in line."""

    def __init__(self, kind: _Kind, port: int, answer: "asyncio.Future[list[str]]") -> None:
        self.kind = kind
        self.port = port
        self.answer = answer
        self.waiting = 0
        """How many wait for it."""
        self.begun = False
        self.late = False


class Names:
    """Of one event loop, on which all of this happens, but for the looking up itself."""

    def __init__(self, addresses: Callable[[str, int], list[str]], patience_s: float = PATIENCE_S) -> None:
        """`addresses` blocks, and raises OSError."""
        self._addresses = addresses
        self._patience_s = patience_s
        self._asked: dict[str, _Lookup] = {}
        self._lines: dict[_Kind, dict[str, _Lookup]] = {kind: {} for kind in _Kind}
        self._busy = Counter[_Kind]()
        self._good: dict[str, tuple[float, list[str]]] = {}
        """When each name answered last, and what."""
        self._late: dict[str, float] = {}
        """When each name was late."""

    async def lookup(self, host: str, port: int) -> list[str]:
        """Addresses of a name, the preferred first. OSError when it has none."""
        lookup = self._asked.get(host) or self._ask(host, port)
        last = self._last_answer(host)
        if last and (lookup.late or not lookup.begun):
            self._leave_line(host, lookup)
            return last
        lookup.waiting += 1
        try:
            await asyncio.wait([lookup.answer], timeout=self._patience_s if last else None)
        finally:
            lookup.waiting -= 1
            self._leave_line(host, lookup)
        if last and not (lookup.answer.done() and (lookup.answer.exception() is None or _says_no(lookup.answer))):
            return last
        return lookup.answer.result()

    def _ask(self, host: str, port: int) -> _Lookup:
        kind = self._kind_of(host)
        lookup = _Lookup(kind, port, asyncio.get_running_loop().create_future())
        self._asked[host] = self._lines[kind][host] = lookup
        self._begin_what_may()
        return lookup

    def _leave_line(self, host: str, lookup: _Lookup) -> None:
        """Nobody waits for it any more, and it has not begun."""
        if not lookup.begun and not lookup.waiting and self._lines[lookup.kind].pop(host, None):
            del self._asked[host]

    def _begin_what_may(self) -> None:
        for kind, line in self._lines.items():
            while line and self._has_thread_for(kind):
                host = next(iter(line))
                self._begin(host, line.pop(host))

    def _has_thread_for(self, kind: _Kind) -> bool:
        of_others = self._busy[_Kind.NEW] + self._busy[_Kind.LATE]
        match kind:
            case _Kind.KNOWN:
                return self._busy.total() < THREADS
            case _Kind.NEW:
                return self._busy.total() < THREADS and of_others < THREADS - FOR_KNOWN
            case _Kind.LATE:
                return self._busy.total() < THREADS and self._busy[_Kind.LATE] < FOR_LATE

    def _begin(self, host: str, lookup: _Lookup) -> None:
        lookup.begun = True
        self._busy[lookup.kind] += 1
        timer = asyncio.get_running_loop().call_later(self._patience_s, self._is_late, host, lookup)
        found = self._on_a_thread(host, lookup.port)

        def ended(found: "asyncio.Future[list[str]]") -> None:
            timer.cancel()
            del self._asked[host]
            self._busy[lookup.kind] -= 1
            self._note(host, lookup, found)
            self._begin_what_may()

        found.add_done_callback(ended)

    def _on_a_thread(self, host: str, port: int) -> "asyncio.Future[list[str]]":
        """The addresses to be; a look-up that no thread can be started for has failed, and the next one is another."""
        loop = asyncio.get_running_loop()
        try:
            return loop.run_in_executor(_threads(), self._addresses, host, port)
        except RuntimeError as error:
            none_free = loop.create_future()
            none_free.set_exception(socket.gaierror(socket.EAI_AGAIN, str(error)))
            return none_free

    def _is_late(self, host: str, lookup: _Lookup) -> None:
        lookup.late = True
        _keep(self._late, host, _now())

    def _note(self, host: str, lookup: _Lookup, found: "asyncio.Future[list[str]]") -> None:
        """Hand the answer to who waits for it, and remember what it says of the name."""
        if found.cancelled():
            lookup.answer.cancel()
            return
        if not lookup.late:
            self._late.pop(host, None)
        error = found.exception()
        if error is None:
            answer = found.result()
            lookup.answer.set_result(answer)
            if len(answer) <= LARGEST:
                _keep(self._good, host, (_now(), answer))
            return
        lookup.answer.set_exception(error)
        if _says_no(lookup.answer):  # which also counts as having looked at the error
            self._good.pop(host, None)

    def _kind_of(self, host: str) -> _Kind:
        if _now() - self._late.get(host, float("-inf")) < LATE_FOR_S:
            return _Kind.LATE
        return _Kind.KNOWN if self._last_answer(host) else _Kind.NEW

    def _last_answer(self, host: str) -> list[str]:
        at, answer = self._good.get(host, (float("-inf"), []))
        return answer if _now() - at < OLDEST_S else []


def _says_no(answer: "asyncio.Future[list[str]]") -> bool:
    """Whether there is no such name; anything else that fails says nothing about it."""
    error = answer.exception()
    return isinstance(error, OSError) and error.errno in _NO


def _now() -> float:
    return asyncio.get_running_loop().time()


def _keep(known: dict[str, V], host: str, what: V) -> None:
    known.pop(host, None)
    known[host] = what
    if len(known) > MOST_KEPT:
        del known[next(iter(known))]


_of_loops: WeakKeyDictionary[asyncio.AbstractEventLoop, Names] = WeakKeyDictionary()


def names() -> Names:
    """Those of the running loop, by the system's resolver."""
    loop = asyncio.get_running_loop()
    found = _of_loops.get(loop)
    if found is None:
        found = _of_loops[loop] = Names(_by_system)
    return found


def _by_system(host: str, port: int) -> list[str]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


@lru_cache(maxsize=1)
def _threads() -> ThreadPoolExecutor:
    # Threads of their own: a name server that does not answer must not keep the threads that work on the database.
    return ThreadPoolExecutor(max_workers=THREADS, thread_name_prefix="resolve")
