"""Phone systems: they post events again and again until each is acknowledged, and keep the receipts.

Each event has an id of its own, so posting it again after an unanswered request is safe. Its recipient's address names
it, so that a mail tells which event it comes from whatever is in it.
"""

import asyncio
import base64
import os
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from chaos.processes import Ringpost

PATIENCE_S = 10.0
"""How long a sender waits for an answer before it asks another process."""
TOGETHER = 50
"""Events in one request at most."""
EMERGENCIES = 0.1
RECORDINGS = 0.002
"""Share of events with a large file, whose mail needs many writes."""
TWICE = 0.02
"""Share of requests that are made twice at the same time, as by a phone system that has two of everything."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """One delivery that was acknowledged."""

    delivery: str
    recipient: str
    tenant: int
    """Its place in the list of tenants."""


class Journal:
    """What was acknowledged: in memory to be checked, and on disk to be read when this machine dies."""

    def __init__(self, path: Path) -> None:
        self.receipts: dict[str, Receipt] = {}
        """By delivery."""
        self.complaints: list[str] = []
        """Answers that must never be."""
        self._file = path.open("a")
        self._delivery_of: dict[str, str] = {}

    def keep(self, tenant: int, results: Sequence[dict[str, Any]]) -> None:
        """Keep the receipts of one answer."""
        for result in results:
            for made in result["deliveries"]:
                receipt = Receipt(made["id"], made["recipient"], tenant)
                before = self._delivery_of.setdefault(receipt.recipient, receipt.delivery)
                if before != receipt.delivery:
                    self.complaints.append(f"{result['id']} was acknowledged as {before} and as {receipt.delivery}")
                self.receipts[receipt.delivery] = receipt
                self._file.write(f"{receipt.delivery} {receipt.recipient}\n")
            if not result["deliveries"]:
                self.complaints.append(f"{result['id']} was acknowledged and tells nobody: {result['skipped']}")

    async def sync_for_ever(self) -> None:
        """Bring it to the disk every second."""
        while True:
            await asyncio.sleep(1)
            self._file.flush()
            await asyncio.to_thread(os.fsync, self._file.fileno())

    def close(self) -> None:
        """Nothing more is kept."""
        self._file.close()


@dataclass(frozen=True, slots=True)
class Plan:
    """What is posted."""

    messages: int
    over_s: float
    """In how many seconds, evenly; slower when it cannot be done."""
    seed: int


class Senders:
    """Several of them, sharing one plan."""

    def __init__(self, plan: Plan, processes: Sequence[Ringpost], tokens: Sequence[str], journal: Journal) -> None:
        self._plan = plan
        self._processes = processes
        self._tokens = tokens
        self._journal = journal
        self._random = random.Random(plan.seed)  # noqa: S311  a run can be told by its seed
        self._batches = self._make_batches()
        self._began = time.monotonic()

    async def post_all(self, senders: int = 8) -> None:
        """Return when every event was acknowledged."""
        self._began = time.monotonic()
        async with httpx.AsyncClient(timeout=PATIENCE_S) as client, asyncio.TaskGroup() as group:
            for _ in range(senders):
                group.create_task(self._send(client))

    def _make_batches(self) -> Iterator[tuple[int, float, list[dict[str, Any]]]]:
        """Tenant, when to post (seconds from the start), and events."""
        posted = 0
        while posted < self._plan.messages:
            count = min(self._random.choice((1, 1, 5, TOGETHER, TOGETHER)), self._plan.messages - posted)
            tenant = self._random.randrange(len(self._tokens))
            events = [self._event(posted + number) for number in range(count)]
            yield tenant, self._plan.over_s * posted / self._plan.messages, events
            posted += count

    def _event(self, number: int) -> dict[str, Any]:
        emergency = self._random.random() < EMERGENCIES
        event: dict[str, Any] = {
            "type": "EMERGENCY_CALL" if emergency else "VOICEMAIL_RECEIVED",
            "id": f"chaos-{number}",
            "recipients": [f"e{number}@example.com"],
            "variables": {"CALLER_NUMBER": "+15550100", "CALLER_NAME": "Zoë Rivera"},
        }
        if self._random.random() < RECORDINGS:
            data = base64.b64encode(self._random.randbytes(300_000)).decode()
            event["attachments"] = [{"filename": "message.wav", "content_type": "audio/wav", "content": data}]
        return event

    async def _send(self, client: httpx.AsyncClient) -> None:
        for tenant, due, events in self._batches:
            await asyncio.sleep(max(0.0, self._began + due - time.monotonic()))
            doubly = self._random.random() < TWICE
            await asyncio.gather(*(self._until_acknowledged(client, tenant, events) for _ in range(1 + doubly)))

    async def _until_acknowledged(self, client: httpx.AsyncClient, tenant: int, events: list[dict[str, Any]]) -> None:
        while events:
            taken = await self._post(client, tenant, events)
            events = [event for event in events if event["id"] not in taken]
            if events:
                await asyncio.sleep(0.2)

    async def _post(self, client: httpx.AsyncClient, tenant: int, events: list[dict[str, Any]]) -> set[str]:
        """Post them to some process; the ids of those that were acknowledged."""
        process = self._random.choice(self._processes)
        headers = {"Authorization": f"Bearer {self._tokens[tenant]}"}
        body = events[0] if len(events) == 1 else {"events": events}
        try:
            answer = await client.post(f"{process.url}/events", headers=headers, json=body)
        except httpx.TransportError:
            return set()
        if answer.status_code == 503:
            return set()
        if answer.status_code != 202:
            self._journal.complaints.append(f"POST /events: {answer.status_code} {answer.text[:300]}")
            return {event["id"] for event in events}
        results = [answer.json()] if len(events) == 1 else [self._one(one) for one in answer.json()["results"]]
        receipts = [one for one in results if one is not None]
        self._journal.keep(tenant, receipts)
        return {one["id"] for one in receipts}

    def _one(self, result: dict[str, Any]) -> dict[str, Any] | None:
        if result["status"] == 202:
            return result["event"]
        if result["status"] != 503:
            self._journal.complaints.append(f"POST /events, one of many: {result}")
        return None
