"""One trial of a fault: what was acknowledged, what the mail servers took, and whether the two agree."""

import asyncio
import contextlib
import signal
import sys
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
from chaos.healing import until_empty
from chaos.locks import CannotWrite, writing_is_held_up
from chaos.mail_servers import MailServers
from chaos.oracle import Mailroom, Verdict, have_all_ended, judge
from chaos.processes import Ringpost, new_tenants
from chaos.senders import Journal
from tests.faults import quick_sweeps
from tests.patience import patience

PATIENCE_S = 150
LEASE_S = 2


class Trial:
    """Processes on one database, a tenant for each mail server, and their receipts."""

    def __init__(self, folder: Path, database_url: str, servers: MailServers) -> None:
        self.servers = servers
        self.journal = Journal(folder / "receipts.txt")
        self.taken = Mailroom()
        self.processes: list[Ringpost] = []
        self.tokens: list[str] = []
        self._folder = folder
        self._url = database_url
        self._posted = 0

    @property
    def process(self) -> Ringpost:
        """The first one."""
        return self.processes[0]

    async def begin(self, processes: int = 1, **environment: str) -> None:
        """Start processes and make the tenants."""
        environment = {"RINGPOST_LEASE_SECONDS": str(LEASE_S), **environment}
        self.processes = [Ringpost(self._folder, self._url, workers=1, **environment) for _ in range(processes)]
        for process in self.processes:
            process.launcher = (sys.executable, str(quick_sweeps.__file__))
        await self.process.start()
        self.tokens = await new_tenants(self.process, self.servers.ports)
        for process in self.processes[1:]:
            await process.start()

    async def end(self) -> None:
        """Kill what still runs."""
        for process in self.processes:
            await process.kill()
        self.journal.close()

    def client(self, tenant: int = 0, process: int = 0) -> httpx.AsyncClient:
        """A tenant's client."""
        return self.processes[process].client(self.tokens[tenant])

    def events(self, count: int, kind: str = "EMERGENCY_CALL", **fields: Any) -> list[dict[str, Any]]:
        """New events, each with an id and a recipient of its own."""
        self._posted += count
        return [
            {"type": kind, "id": f"t-{n}", "recipients": [f"e{n}@example.com"], **fields}
            for n in range(self._posted - count, self._posted)
        ]

    async def post(self, events: list[dict[str, Any]], tenant: int = 0, process: int = 0) -> int:
        """Post events in one request and keep the receipts; the status of the answer."""
        async with self.client(tenant, process) as client:
            answer = await client.post("/events", json={"events": events})
        if answer.status_code == 202:
            taken = [result["event"] for result in answer.json()["results"] if result["status"] == 202]
            self.journal.keep(tenant, taken)
        return answer.status_code

    async def post_as_senders_do(self, events: list[dict[str, Any]], process: int) -> None:
        """Post events until they are taken: through the next process when one does not answer, as their ids allow."""
        for turn in range(process, process + len(self.processes)):
            with contextlib.suppress(httpx.TransportError, TimeoutError):
                async with asyncio.timeout(5):
                    if await self.post(events, process=turn % len(self.processes)) == 202:
                        return
        raise AssertionError("no process takes events")

    async def sleeps(self, sleeper: Ringpost) -> None:
        """Once it was stopped by a mail server, see to it that it does not keep everybody else from writing.

        On SQLite, a process that stands still in the middle of a commit does, until it goes on.
        """
        async with patience(60):
            await self.servers.happened.get()
            while not await asyncio.to_thread(self._others_can_write):
                sleeper.send(signal.SIGCONT)
                await asyncio.sleep(0.02)
                sleeper.send(signal.SIGSTOP)

    def _others_can_write(self) -> bool:
        if not self._url.startswith("sqlite:"):
            return True
        try:
            with writing_is_held_up(self._url, patience_s=0.5):
                return True
        except CannotWrite:
            return False

    async def posted(self, event: dict[str, Any]) -> None:
        """Post an event of the first tenant whose mail may end the process before it has answered."""
        with contextlib.suppress(httpx.TransportError):
            assert await self.post([event]) == 202

    async def accepted(self, count: int, tenant: int = 0, **fields: Any) -> None:
        """Post new events, all of which have to be taken."""
        before = len(self.journal.receipts)
        assert await self.post(self.events(count, **fields), tenant) == 202
        assert len(self.journal.receipts) == before + count

    async def verdict(self, *, stops: int = 0) -> Verdict:
        """Heal the servers, wait until the outbox is empty, and judge. `stops`: processes that slept beyond a lease."""
        await self.servers.heal()
        async with self._clients() as clients:
            await until_empty(clients, self.servers.ports, PATIENCE_S)
            self.taken.add(await self.servers.newly_taken())
            return await judge(self.journal, self.taken, clients, stops=stops)

    async def all_has_ended(self, tenant: int = 0) -> None:
        """Wait until a tenant has nothing in the outbox."""
        async with self.client(tenant) as client, patience(PATIENCE_S):
            while not await have_all_ended(client):
                await asyncio.sleep(0.05)

    async def has_arrived(self, count: int) -> None:
        """Wait until the servers have taken so many different mails."""
        async with patience(PATIENCE_S):
            while len(self.taken.copies) < count:
                await asyncio.sleep(0.1)
                self.taken.add(await self.servers.newly_taken())

    @asynccontextmanager
    async def _clients(self) -> AsyncGenerator[list[httpx.AsyncClient]]:
        async with AsyncExitStack() as stack:
            yield [await stack.enter_async_context(self.client(tenant)) for tenant in range(len(self.tokens))]
