"""What happens at random while events are posted and mails are sent.

Every kind of trouble is a task of its own with a pace of its own. All randomness comes from the seed, so a run is told
again by it, as far as a machine with other things to do can repeat itself.
"""

import asyncio
import contextlib
import random
import signal
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import psycopg
from tests.postgresql import PostgresServer

from chaos.disks import Disk
from chaos.locks import writing_is_held_up
from chaos.mail_servers import MailServers
from chaos.mischief import PLACES, Kind, Mischief, Moment
from chaos.processes import Ringpost

RESTART_AFTER_S = 0.2
"""Like a service manager with Restart=always, which is in less of a hurry."""
CUT = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'ringpost' AND random() < %s"""
_MADE_BY_SERVERS = tuple(kind for kind in Kind if kind is not Kind.SIGNAL)


@dataclass(frozen=True, slots=True)
class Stage:
    """What trouble can be made with."""

    processes: Sequence[Ringpost]
    servers: MailServers
    postgres: PostgresServer | None
    database_url: str
    disk: Disk | None


@dataclass(frozen=True, slots=True)
class Pace:
    """How often on average, in seconds; how long a trouble lasts, at most."""

    kill: float
    stop: float
    terminate: float
    mischief: float
    database: float
    disk: float
    longest_stop: float
    longest_mischief: float
    longest_outage: float


class Trouble:
    """Makes trouble until told to end, and counts it."""

    def __init__(self, stage: Stage, pace: Pace, kills: int, seed: int) -> None:
        self.counted: Counter[str] = Counter()
        self.kills_left = kills
        self._stage = stage
        self._pace = pace
        self._random = random.Random(seed)  # noqa: S311  a run can be told by its seed
        self._ending = False
        self._starting = asyncio.Lock()
        self._tasks: list[asyncio.Task[None]] = []
        self._keeper: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """From now on nothing is safe."""
        pace = self._pace
        kinds: list[tuple[float, Callable[[], Awaitable[None]]]] = [
            (pace.kill, self._kill),
            (pace.stop, self._stop_and_continue),
            (pace.terminate, self._terminate),
            (pace.mischief, self._mislead),
            (pace.database, self._take_database_away),
        ]
        if self._stage.postgres is not None:
            kinds.append((pace.database / 10, self._cut_connections))
        if self._stage.disk is not None:
            kinds.append((pace.disk, self._fill_disk))
        self._tasks = [asyncio.create_task(self._again_and_again(*kind)) for kind in kinds]
        self._keeper = asyncio.create_task(self._keep_running())

    async def lasts(self, seconds: float) -> None:
        """Wait so long. Raises at once what has kept it from making trouble: the run would not show what it says."""
        ended, _ = await asyncio.wait(self._made(), timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        for task in ended:
            task.result()

    async def end(self) -> None:
        """Heal everything: all processes run and answer, the database is there, the servers behave."""
        self._ending = True
        await asyncio.gather(*self._tasks)  # each puts right what it has put wrong
        await self._stage.servers.heal()
        for process in self._stage.processes:
            process.send(signal.SIGCONT)
        while True:
            try:
                await asyncio.gather(*(process.answers() for process in self._stage.processes))
            except ChildProcessError:  # it could not start a moment ago; the keeper tries again
                await asyncio.sleep(RESTART_AFTER_S)
            else:
                return

    async def dismiss(self) -> None:
        """No more trouble, and nobody restarts what ends any more."""
        for task in self._made():
            task.cancel()
        await asyncio.gather(*self._made(), return_exceptions=True)

    def _made(self) -> list[asyncio.Task[None]]:
        return [*self._tasks, *([self._keeper] if self._keeper else [])]

    async def _again_and_again(self, every: float, make: Callable[[], Awaitable[None]]) -> None:
        while not self._ending:
            await self._wait(self._random.uniform(0.2, 1.8) * every)
            if not self._ending:
                await make()

    async def _wait(self, seconds: float) -> None:
        """Wait, or less when all is to end."""
        until = asyncio.get_running_loop().time() + seconds
        while not self._ending and (left := until - asyncio.get_running_loop().time()) > 0:
            await asyncio.sleep(min(left, 0.25))

    async def _keep_running(self) -> None:
        starting: list[asyncio.Task[None]] = []
        while True:
            for process in self._stage.processes:
                if not process.runs:
                    await process.launch()
                    starting.append(asyncio.create_task(_served(process)))
            starting = [one for one in starting if not one.done()]
            await asyncio.sleep(RESTART_AFTER_S)

    def _victims(self) -> list[Ringpost]:
        """Processes at work; seldom one that is only starting, or on a slow machine none would ever be at work."""
        early = self._random.random() < 0.05
        return [process for process in self._stage.processes if process.runs and (process.serves or early)]

    def _living(self) -> Ringpost | None:
        victims = self._victims()
        return self._random.choice(victims) if victims else None

    async def _kill(self) -> None:
        victims = self._victims()
        if self._random.random() > 0.1:  # now and then, all at once
            victims = victims and [self._random.choice(victims)]
        for process in victims[: self.kills_left]:
            process.send(signal.SIGKILL)
            self.kills_left -= 1
            self.counted["kills"] += 1

    async def _stop_and_continue(self) -> None:
        """Often longer than a lease."""
        process = self._living()
        if process is not None:
            pid = process.pid
            process.send(signal.SIGSTOP)
            self.counted["pauses"] += 1
            await self._wait(self._random.uniform(0.2, self._pace.longest_stop))
            if process.runs and process.pid == pid:
                process.send(signal.SIGCONT)

    async def _terminate(self) -> None:
        process = self._living()
        if process is not None:
            process.send(signal.SIGTERM)
            self.counted["stops"] += 1

    async def _mislead(self) -> None:
        """One server misbehaves for a while, in one to three ways at once."""
        port = self._random.choice(self._stage.servers.ports)
        ways = [self._any_mischief() for _ in range(self._random.randint(1, 3))]
        await self._stage.servers.misbehave(port, *ways)
        self.counted["misbehaving servers"] += 1
        await self._wait(self._random.uniform(0.5, self._pace.longest_mischief))
        await self._stage.servers.heal(port)

    def _any_mischief(self) -> Mischief:
        if self._random.random() < 0.15 and (victim := self._living()) is not None and self.kills_left > 0:
            self.kills_left -= 1
            self.counted["kills"] += 1
            return Mischief(Kind.SIGNAL, self._random.choice(tuple(Moment)), times=1, pids=(victim.pid,))
        kind = self._random.choice(_MADE_BY_SERVERS)
        share = self._random.choice((0.002, 0.02, 0.2, 1.0))
        return Mischief(kind, self._random.choice(PLACES[kind]), share)

    async def _take_database_away(self) -> None:
        """PostgreSQL is stopped, gently or not, or stands still; a SQLite file can only be locked."""
        server = self._stage.postgres
        for_s = self._random.uniform(0.2, self._pace.longest_outage)
        way = self._random.random() if server is not None else 1
        if server is not None and way < 0.6:
            await asyncio.to_thread(server.stop, self._random.choice((signal.SIGINT, signal.SIGQUIT)))
            self.counted["database restarts"] += 1
            await self._wait(for_s)
            await self._start_postgres(server)
        elif server is not None and way < 0.8 and server.runs:
            with server.frozen():
                self.counted["database standstills"] += 1
                await self._wait(for_s)
        elif await asyncio.to_thread(self._lock, for_s):
            self.counted["database locks"] += 1

    async def _cut_connections(self) -> None:
        """Some connections to PostgreSQL end, as when a network or a connection pool between has trouble."""
        assert self._stage.postgres is not None
        share = self._random.choice((0.1, 0.5, 1.0))
        with contextlib.suppress(psycopg.Error):  # it may be away just now
            await asyncio.to_thread(_cut, self._stage.postgres, share)
            self.counted["connections cut"] += 1

    def _lock(self, for_s: float) -> bool:
        """Keep everybody from writing for a while; False when that was not possible."""
        try:
            with writing_is_held_up(self._stage.database_url):
                time.sleep(for_s)
        except Exception:  # noqa: BLE001  the database may be full or away just now
            return False
        return True

    async def _fill_disk(self) -> None:
        assert self._stage.disk is not None
        await asyncio.to_thread(self._stage.disk.fill)
        self.counted["full disks"] += 1
        await self._wait(self._random.uniform(0.2, self._pace.longest_outage))
        self._stage.disk.free()
        if self._stage.postgres is not None:
            await self._start_postgres(self._stage.postgres)  # without room for its log, it gives up

    async def _start_postgres(self, server: PostgresServer) -> None:
        """Unless it runs. Two kinds of trouble can have ended it, and one of them starts it."""
        async with self._starting:
            while not server.runs:
                try:
                    await asyncio.to_thread(server.start)
                except AssertionError:  # its disk is still full
                    await asyncio.sleep(RESTART_AFTER_S)


def _cut(server: PostgresServer, share: float) -> None:
    with server.connect() as connection:
        connection.execute(CUT, [share])


async def _served(process: Ringpost) -> None:
    with contextlib.suppress(ChildProcessError, TimeoutError):
        await process.answers()
