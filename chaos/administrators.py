"""Administrators of the tenants: they save settings and templates, retry and cancel while mails are being sent."""

import asyncio
import random
from collections import Counter
from collections.abc import Sequence
from typing import Any

import httpx

from chaos.processes import Ringpost, settings
from chaos.senders import Journal

FINE = {200, 201, 204, 404, 409, 503}
"""409: it is being sent right now, or has ended. 404: there was nothing to be done to."""
PATIENCE_S = 10.0


class Administrators:
    """Each acts on a tenant, now this and now that, through some process."""

    def __init__(
        self,
        processes: Sequence[Ringpost],
        tokens: Sequence[str],
        mail_ports: Sequence[int],
        journal: Journal,
        seed: int,
    ) -> None:
        """`mail_ports`: of the first tenants, who have mail servers of their own."""
        self.counted: Counter[str] = Counter()
        self._processes = processes
        self._tokens = tokens
        self._mail_ports = mail_ports
        self._journal = journal
        self._random = random.Random(seed)  # noqa: S311  a run can be told by its seed

    async def act_for_ever(self, together: int, every_s: float) -> None:
        """So many of them do something every so many seconds, on average."""
        async with asyncio.TaskGroup() as group:
            for _ in range(together):
                group.create_task(self._act(every_s))

    async def _act(self, every_s: float) -> None:
        acts = (self._save, self._save, self._remove, self._write, self._move, self._retry, self._cancel)
        while True:
            await asyncio.sleep(self._random.uniform(0.2, 1.8) * every_s)
            tenant = self._random.randrange(len(self._tokens))
            headers = {"Authorization": f"Bearer {self._tokens[tenant]}"}
            url = self._random.choice(self._processes).url
            try:
                async with httpx.AsyncClient(base_url=url, headers=headers, timeout=PATIENCE_S) as client:
                    await self._random.choice(acts)(client, tenant)
            except httpx.TransportError:
                self.counted["acts in vain"] += 1

    async def _save(self, client: httpx.AsyncClient, tenant: int) -> None:
        if tenant < len(self._mail_ports):
            answer = await client.post("/tenant/notification", json=settings(self._mail_ports[tenant]))
            self._look_at(answer, "settings saved")

    async def _remove(self, client: httpx.AsyncClient, tenant: int) -> None:
        """The tenant borrows the system's from now on, and so does its mail that waits."""
        if tenant < len(self._mail_ports):
            answer = await client.post("/tenant/notification", json={"type": None})
            self._look_at(answer, "servers removed")

    async def _write(self, client: httpx.AsyncClient, _tenant: int) -> None:
        name = self._random.choice(("VOICEMAIL_RECEIVED", "EMERGENCY_CALL"))
        if self._random.random() < 0.3:
            self._look_at(await client.post(f"/custom_email_templates/{name}/destroy"), "templates removed")
            return
        words = f"No. {self._random.randrange(1000)}: %%CALLER_NAME%% "
        parts = {"subject": words + "%%CALLER_NUMBER%%", "body": f"<p>{words * self._random.choice((1, 100))}</p>"}
        answer = await client.post("/custom_email_templates", json={"name": name, **parts})
        if answer.status_code == 409:  # there is one
            answer = await client.post(f"/custom_email_templates/{name}", json=parts)
        self._look_at(answer, "templates saved")

    async def _move(self, client: httpx.AsyncClient, _tenant: int) -> None:
        """What was exported is imported a little later, over what others have changed meanwhile."""
        exported = await client.get("/tenant/export")
        self._look_at(exported, "exports")
        if exported.status_code == 200:
            await asyncio.sleep(self._random.uniform(0, 2))
            self._look_at(await client.post("/tenant/import", json=exported.json()), "imports")

    async def _retry(self, client: httpx.AsyncClient, _tenant: int) -> None:
        state = self._random.choice(("queued", "rejected", "cancelled"))
        if delivery := await self._one(client, state):
            self._look_at(await client.post(f"/deliveries/{delivery['id']}/retry"), "retries by hand")

    async def _cancel(self, client: httpx.AsyncClient, _tenant: int) -> None:
        state = self._random.choice(("queued", "sending"))
        if delivery := await self._one(client, state):
            self._look_at(await client.post(f"/deliveries/{delivery['id']}/cancel"), "cancellations")

    async def _one(self, client: httpx.AsyncClient, state: str) -> dict[str, Any] | None:
        answer = await client.get("/deliveries", params={"state": state, "top": 20})
        self._look_at(answer, "looks")
        found: list[dict[str, Any]] = answer.json()["items"] if answer.status_code == 200 else []
        return self._random.choice(found) if found else None

    def _look_at(self, answer: httpx.Response, act: str) -> None:
        if answer.status_code in (200, 201, 204):
            self.counted[act] += 1
        elif answer.status_code not in FINE:
            request = answer.request
            self._journal.complaints.append(f"{request.method} {request.url.path}: {answer.status_code} {answer.text}")
