"""What a worker has in hand: the mails that it is at, each in a task of its own."""

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any

import structlog
from sqlalchemy import Connection

from ringpost.domain.endpoints import Endpoint
from ringpost.storage.outbox import Claimed
from ringpost.transports.lease import Lease
from ringpost.usecases.deliver import Work
from ringpost.usecases.room import Room
from ringpost.worker.metrics import observe_error

_log = structlog.get_logger("ringpost.worker")


class InHand:
    """From when a claim is on disk until its outcome is."""

    def __init__(self) -> None:
        self._works: dict[asyncio.Task[None], Work] = {}
        self.unrecorded: set[str] = set()
        """Claims of mails that were tried although no outcome was recorded."""
        self.too_large = 0
        """Mails that there was no memory for when they were taken on."""
        self.probing = 0
        """Mails that a lane on hold is tried out with."""

    def __len__(self) -> int:
        return len(self._works)

    def begin(self, work: Work, handling: Coroutine[Any, Any, None]) -> None:
        """It is in hand as long as it is being handled."""
        task = asyncio.get_running_loop().create_task(handling)
        self._works[task] = work
        self.too_large += work.counts_as is not None
        self.probing += work.claimed.probe
        task.add_done_callback(self._let_go)

    def _let_go(self, task: asyncio.Task[None]) -> None:
        work = self._works.pop(task)
        self.too_large -= work.counts_as is not None
        self.probing -= work.claimed.probe
        if task.cancelled():  # a stop has cut it short
            self.unrecorded.add(work.claimed.claim)
        elif (fault := task.exception()) is not None:
            self.unrecorded.add(work.claimed.claim)
            _log.error("attempt_lost", delivery=work.claimed.id, tenant=work.claimed.tenant, exc_info=fault)
            observe_error()

    def claims(self) -> set[str]:
        """Under which there is something in hand."""
        return {work.claimed.claim for work in self._works.values()}

    def leases(self) -> set[Lease]:
        """Of all that is in hand."""
        return {work.lease for work in self._works.values()}

    def endpoints(self) -> set[Endpoint]:
        """Mail servers that something in hand goes through."""
        return {work.server.endpoint for work in self._works.values() if work.server}

    def probes(self) -> list[Claimed]:
        """Those that try out a lane that is on hold."""
        return sorted(work.claimed for work in self._works.values() if work.claimed.probe)

    async def finish(self, grace_s: float) -> Sequence[Work]:
        """Let it end; what has not by then is cut short, and returned."""
        if self._works:
            await asyncio.wait(list(self._works), timeout=grace_s)
        left = dict(self._works)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        return list(left.values())


async def settle(room: Room) -> None:
    """Wait for the commits in which something was taken on: what was put into them before this is in hand after."""
    await room.database.write(_nothing)


def _nothing(_connection: Connection) -> None:
    """A write that only waits for its turn."""
