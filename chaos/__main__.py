"""`python -m chaos`: hours of everything that can go wrong, and one line at the end.

The exit code is 0 when nothing that was acknowledged is lost and nothing came twice without need, and 1 otherwise.
"""

import argparse
import asyncio
import contextlib
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from tests.postgresql import PostgresServer, postgres_server

from chaos.administrators import Administrators
from chaos.disks import Disk, small_disk
from chaos.healing import until_empty
from chaos.mail_servers import MailServers, mail_servers
from chaos.operators import Operators
from chaos.oracle import Mailroom, Verdict, judge
from chaos.processes import Ringpost, complaints, lend, new_tenants
from chaos.senders import Journal, Plan, Senders
from chaos.trouble import Pace, Stage, Trouble

TENANTS = 8
"""With mail servers of their own; one more borrows the system's, and so do their emergencies."""
LEASE_S = 3
ADMINISTRATORS = 4
ACT_EVERY_S = 1
KEYS_EVERY_S = 90
TENANT_EVERY_S = 15
PATIENCE_S = 1800
"""How long posting what is left may take once all is healed, and emptying the outbox after that."""


@dataclass(frozen=True, slots=True)
class Options:
    """What to do; see --help."""

    minutes: float
    seed: int
    database: str
    messages: int
    kills: int
    processes: int
    disk_mb: int


def main() -> int:
    """The exit code."""
    options = _options()
    say(
        f"seed {options.seed}: {options.messages} messages in {options.minutes:g} minutes on {options.database}, "
        f"{options.processes} processes, {options.kills} kills"
    )
    folder = Path(tempfile.mkdtemp(prefix="ringpost-chaos-"))
    try:
        verdict = asyncio.run(run(options, folder))  # not uvloop: on it, httpx stumbles over peers that are killed
    except (asyncio.CancelledError, KeyboardInterrupt, TimeoutError) as why:
        say(f"given up ({type(why).__name__}); logs and records: {folder}")
        return 1
    verdict.faults += complaints(folder)
    for fault in verdict.faults[:30]:
        say(fault)
    if verdict.good:
        shutil.rmtree(folder, ignore_errors=True)
    else:
        say(f"logs, records and database: {folder}")
    for why, count in verdict.endings.most_common():
        say(f"of what ended otherwise, {count} deliveries: {why}")
    for why, count in verdict.unknown.most_common():
        say(f"of what came twice, {count} attempts: {why}")
    say(str(verdict))
    return 0 if verdict.good else 1


async def run(options: Options, folder: Path) -> Verdict:
    """Make trouble, heal, wait, judge. SIGTERM and SIGINT end it early, and leave nothing behind."""
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, _give_up, asyncio.current_task())
    journal, room = Journal(folder / "receipts.txt"), Mailroom()
    async with mail_servers(folder, TENANTS + 1, options.seed) as servers, _stage(options, folder, servers) as stage:
        *own, systems = servers.ports
        tokens = [*await new_tenants(stage.processes[0], own), *await lend(stage.processes[0], systems)]
        await asyncio.gather(*(process.start() for process in stage.processes[1:]))
        trouble = Trouble(stage, _pace(options), options.kills, options.seed)
        seconds = options.minutes * 60
        senders = Senders(Plan(options.messages, seconds * 0.9, options.seed), stage.processes, tokens, journal)
        people = Administrators(stage.processes, tokens, own, journal, options.seed)
        operators = Operators(stage.processes, own, journal, options.seed)
        reporting = _report(journal, servers, room, trouble)
        acting = [
            asyncio.create_task(people.act_for_ever(ADMINISTRATORS, ACT_EVERY_S)),
            asyncio.create_task(
                operators.act_for_ever(min(KEYS_EVERY_S, seconds / 3), min(TENANT_EVERY_S, seconds / 3))
            ),
        ]
        watching = [asyncio.create_task(one) for one in (journal.sync_for_ever(), reporting)]
        try:
            trouble.begin()
            posting = asyncio.create_task(senders.post_all())
            await trouble.lasts(seconds)
            while trouble.kills_left > 0 and not posting.done():
                await trouble.lasts(1)
            await trouble.end()
            for one in acting:
                await _end_well(one)
            done = trouble.counted + people.counted + operators.counted
            say("healed: " + ", ".join(f"{count} {what}" for what, count in done.items()))
            await asyncio.wait_for(posting, PATIENCE_S)
            async with _clients(stage.processes[0], tokens) as clients:
                await until_empty(clients, own, PATIENCE_S)
                for one in watching:
                    await _end_well(one)
                room.add(await servers.newly_taken())
                return await judge(journal, room, clients, stops=trouble.counted["pauses"])
        finally:
            for one in (*acting, *watching):
                one.cancel()
            await asyncio.gather(*acting, *watching, return_exceptions=True)
            await trouble.dismiss()
            journal.close()


async def _end_well(for_ever: asyncio.Task[None]) -> None:
    """End what goes on for ever. Raises what has ended it before: the run would not show what it says."""
    for_ever.cancel()
    await asyncio.wait([for_ever])
    if not for_ever.cancelled():
        for_ever.result()


def _give_up(running: "asyncio.Task[Any] | None") -> None:
    if running is not None:
        running.cancel()


@asynccontextmanager
async def _stage(options: Options, folder: Path, servers: MailServers) -> AsyncGenerator[Stage]:
    """Database and processes; the first one runs. The disk can only be filled where a small one may be mounted."""
    async with contextlib.AsyncExitStack() as stack:
        disk: Disk | None = None
        try:
            disk = stack.enter_context(small_disk(options.disk_mb))
        except PermissionError as why:
            say(f"the disk is not filled, because no small one can be had: {why}")
        server: PostgresServer | None = None
        if options.database == "postgresql":
            server = stack.enter_context(postgres_server(disk.folder if disk else None))
            url = server.url(server.new_database())
        else:
            url = f"sqlite:///{(disk.folder if disk else folder) / 'ringpost.db'}"
        choices = {
            "RINGPOST_LEASE_SECONDS": str(LEASE_S),
            "RINGPOST_KEEP_MESSAGES_HOURS": "0",
            "RINGPOST_BORROWED_MAILS_PER_HOUR": "1000000",  # counted, and never used up: nobody waits for an hour here
        }
        processes = [Ringpost(folder, url, workers=1, **choices) for _ in range(options.processes)]
        try:
            await processes[0].start()
            yield Stage(processes, servers, server, url, disk)
        finally:
            for process in processes:
                await process.kill()


@asynccontextmanager
async def _clients(process: Ringpost, tokens: Sequence[str]) -> AsyncGenerator[list[httpx.AsyncClient]]:
    async with contextlib.AsyncExitStack() as stack:
        yield [await stack.enter_async_context(process.client(token)) for token in tokens]


async def _report(journal: Journal, servers: MailServers, room: Mailroom, trouble: Trouble) -> None:
    """Say every minute how far it is."""
    began = time.monotonic()
    while True:
        for _ in range(60):
            await asyncio.sleep(1)
            room.add(await servers.newly_taken())
        troubles = ", ".join(f"{count} {what}" for what, count in trouble.counted.items())
        minutes = round((time.monotonic() - began) / 60)
        say(f"{minutes} min: {len(journal.receipts)} acknowledged, {len(room.copies)} taken by servers; {troubles}")


def _pace(options: Options) -> Pace:
    """Short runs are denser, so that everything happens in them at least once."""
    seconds = options.minutes * 60
    kill = seconds * 0.9 / max(1, options.kills * 1.3)  # some kill all at once, and mail servers kill too
    if seconds < 120:
        return Pace(kill, seconds / 3, seconds / 3, 1.5, seconds / 3, seconds / 3, 8, 4, 1.5)
    return Pace(kill, 20, 30, 3, 60, 90, 15, 20, 6)


def _options() -> Options:
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60, help="of trouble; healing takes some more")
    parser.add_argument("--seed", type=int, default=None, help="of all that is random; printed at the start")
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--messages", type=int, default=None, help="posted in 90%% of the time; default 200 a second")
    parser.add_argument("--kills", type=int, default=None, help="SIGKILLs; default one every 4 seconds")
    parser.add_argument("--processes", type=int, default=3, help="each is an API and a worker")
    given = parser.parse_args()
    messages = given.messages or max(100, int(given.minutes * 60 * 200))
    return Options(
        minutes=given.minutes,
        seed=random.SystemRandom().randrange(1_000_000) if given.seed is None else given.seed,
        database=given.database,
        messages=messages,
        kills=max(1, int(given.minutes * 15)) if given.kills is None else given.kills,
        processes=given.processes,
        disk_mb=2048 + messages // 100,
    )


def say(what: str) -> None:
    """Tell whoever waits."""
    sys.stdout.write(what + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
