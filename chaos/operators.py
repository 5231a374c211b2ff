"""Operators: they change the keys that seal everything, and tenants come and go, while mails are being sent."""

import asyncio
import random
import signal
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence

import httpx

from chaos.processes import MAKE_TOKENS, Ringpost, settings
from chaos.senders import Journal

GONE = "gone-"
"""The addresses of those that tenants of a day write to begin with this: nobody keeps receipts for them."""
AGAIN_S = 0.5
EVENTS = 60
LIVES_S = 0.2, 5.0
"""How long a tenant of a day stays after its events were taken."""


class Operators:
    """They have a shell on the machine, and the token of the system's administrator."""

    def __init__(self, processes: Sequence[Ringpost], mail_ports: Sequence[int], journal: Journal, seed: int) -> None:
        """`mail_ports`: of servers that a new tenant may name as its own."""
        self.counted: Counter[str] = Counter()
        self._processes = processes
        self._mail_ports = mail_ports
        self._journal = journal
        self._random = random.Random(seed)  # noqa: S311  a run can be told by its seed
        self._days = 0

    async def act_for_ever(self, keys_every_s: float, tenant_every_s: float) -> None:
        """New keys, and a tenant of a day, so often on average."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._again_and_again(keys_every_s, self._change_keys))
            group.create_task(self._again_and_again(tenant_every_s, self._come_and_go))

    async def _again_and_again(self, every_s: float, do: Callable[[], Awaitable[None]]) -> None:
        while True:
            await asyncio.sleep(self._random.uniform(0.2, 1.8) * every_s)
            await do()

    async def _change_keys(self) -> None:
        """As docs/operating.md says: rotate, restart all, reseal, retire."""
        await self._until_done("rotate")
        await asyncio.gather(*(_restart(process) for process in self._processes))
        await self._until_done("reseal")
        await self._until_done("retire")
        self.counted["changes of keys"] += 1

    async def _until_done(self, step: str) -> None:
        """The database may be away, full or locked, and a worker that was killed counts as alive for a while."""
        while not await self._command("keys", step):
            self.counted["commands in vain"] += 1
            await asyncio.sleep(AGAIN_S)

    async def _command(self, *arguments: str) -> bool:
        process = self._processes[0]
        running = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "ringpost", *arguments,
            env=process.environment, cwd=process.folder,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        try:
            said, _ = await running.communicate()
        except asyncio.CancelledError:
            running.kill()
            await running.wait()
            raise
        if b"Traceback" in said:
            self._journal.complaints.append(f"ringpost {' '.join(arguments)}: {said.decode()[-1000:]}")
        return running.returncode == 0

    async def _come_and_go(self) -> None:
        """A tenant comes, posts, and is removed while its mails are in the outbox and in hand."""
        self._days += 1
        domain = f"day{self._days}.example.com"
        if await self._admin("/tenants", {"name": domain, "domain": domain}, fine=201):
            await self._live(domain)
            await self._admin(f"/tenants/{domain}/destroy", None, fine=204)
            self.counted["tenants come and gone"] += 1

    async def _live(self, domain: str) -> None:
        process = self._random.choice(self._processes)
        try:
            token = (await process.python(MAKE_TOKENS, domain)).strip()
        except ChildProcessError:
            return  # the database is away
        own = self._random.random() < 0.7
        mails = [
            {
                "type": self._random.choice(("VOICEMAIL_RECEIVED", "EMERGENCY_CALL")),
                "id": f"{domain}-{number}",
                "recipients": [f"{GONE}{number}@example.com"],
                "variables": {"CALLER_NUMBER": "+15550100"},
            }
            for number in range(EVENTS)
        ]
        try:
            async with process.client(token) as tenant:
                if own:
                    port = self._random.choice(self._mail_ports)
                    self._expect(await tenant.post("/tenant/notification", json=settings(port)), 200)
                for part in range(0, EVENTS, EVENTS // 3):
                    body = {"events": mails[part : part + EVENTS // 3]}
                    self._expect(await tenant.post("/events", json=body), 202)
        except httpx.TransportError:
            pass
        await asyncio.sleep(self._random.uniform(*LIVES_S))

    async def _admin(self, path: str, body: object, *, fine: int) -> bool:
        """Ask until an answer comes that says what became of it."""
        while True:
            try:
                async with self._random.choice(self._processes).client() as admin:
                    answer = await admin.post(path, json=body)
            except httpx.TransportError:
                answer = None
            if answer is not None and answer.status_code in (fine, 404, 409):  # an answer before may have been lost
                return True
            if answer is not None:
                self._expect(answer, fine)
            await asyncio.sleep(AGAIN_S)

    def _expect(self, answer: httpx.Response, fine: int) -> None:
        if answer.status_code not in (fine, 503):
            request = answer.request
            self._journal.complaints.append(f"{request.method} {request.url.path}: {answer.status_code} {answer.text}")


async def _restart(process: Ringpost) -> None:
    """End it gently. Whoever keeps it running starts it again; return when it is another and serves."""
    before = process.pid
    process.send(signal.SIGTERM)
    while process.pid == before or not process.serves:
        await asyncio.sleep(0.1)
