"""A server that hangs up on many mails, again and again, does not keep those waiting for long that it would take."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import httpx
import pytest
from sqlalchemy import Connection, func, select
from tests.conftest import Clock
from tests.worker.posts import save
from tests.worker.test_memory import wanted

from ringpost.domain.deliveries import RETRY, SENT, Outcome, Party, Stage, State
from ringpost.storage.tables import deliveries, holds
from ringpost.usecases.claim_deliveries import Ring, Wanted
from ringpost.usecases.deliver import Start, judge
from ringpost.usecases.record_attempt import record_attempt
from ringpost.usecases.room import Room
from ringpost.worker.concurrency import FIRST_WINDOW

REFUSED, TAKEN = "manager@example.com", "ann@example.com"
OUTCOMES = {
    REFUSED: Outcome(RETRY, Stage.DATA, Party.MAIL_SERVER, hint="It hung up."),
    TAKEN: Outcome(SENT, Stage.ACCEPTED, code=250),
}


@dataclass(frozen=True)
class Worker:
    """Is told its outcomes at once, and lets time pass when there is nothing to do."""

    room: Room
    clock: Clock

    async def seconds_until_sent(self, count: int) -> float:
        """How long it takes until so many are sent."""
        begun, ring, looks = self.clock.ms, Ring(), 0
        while await self.room.database.read(mails_sent) < count:
            looks += 1
            look = await ring.claim_deliveries(self.room, of_a_window(f"w-{looks}"))
            for work in look.works:
                outcome = OUTCOMES[work.claimed.recipient]
                await record_attempt(self.room, judge(self.room, work, outcome, Start.now(self.room), jitter=0))
            if not look.works:
                self.clock.ms = await self.room.database.read(next_moment, self.clock.ms)
        return (self.clock.ms - begun) / 1000


def of_a_window(name: str) -> Wanted:
    """No more than a server that has just failed is given at once."""

    def share_out(queues: Sequence[str], *_: object) -> dict[str, int]:
        return dict.fromkeys(queues, FIRST_WINDOW)

    return replace(wanted(name, 1_000_000, one_however_large=False), share_out=share_out)


def mails_sent(connection: Connection) -> int:
    return connection.execute(select(func.count()).where(deliveries.c.state == State.SENT)).scalar_one()


def next_moment(connection: Connection, now: int) -> int:
    """When a hold ends or a mail is due."""
    ends = select(func.min(holds.c.until)).where(holds.c.until > now)
    due = select(func.min(deliveries.c.due_at)).where(deliveries.c.state == State.QUEUED, deliveries.c.due_at > now)
    return min(at for at in (connection.scalar(ends), connection.scalar(due)) if at is not None)


@pytest.mark.parametrize(
    "came",
    [[(REFUSED, 200), (TAKEN, 20)], [(REFUSED, 100), (TAKEN, 20), (REFUSED, 100)], [(TAKEN, 20), (REFUSED, 200)]],
    ids=["behind them", "among them", "before them"],
)
async def test_what_a_server_takes_goes_within_minutes_however_many_it_hangs_up_on(
    tenant_client: httpx.AsyncClient, room: Room, clock: Clock, came: list[tuple[str, int]]
) -> None:
    await save(tenant_client, 2525)
    for recipient, count in came:
        voicemails = [{"type": "VOICEMAIL_RECEIVED", "recipients": [recipient]}] * count
        assert (await tenant_client.post("/events", json={"events": voicemails})).status_code == 202
        clock.advance(1)

    assert await Worker(room, clock).seconds_until_sent(20) < 900
