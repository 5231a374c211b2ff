"""What is cancelled while another process claims it, where two can write at the same time."""

import asyncio
import threading

import pytest
from sqlalchemy import Connection, text
from tests.patience import patience
from tests.storage.mails import DOWN, NOW, claim, put, said

from ringpost.domain.deliveries import State
from ringpost.domain.tenants import TenantId
from ringpost.errors import NotFound, WrongState
from ringpost.storage import deliveries, outcomes, search
from ringpost.storage.database import Database

SOMEBODY_WAITS = text(
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
)


@pytest.fixture
def kind_of_database() -> str:
    """On the other one, who writes is alone."""
    return "postgresql"


async def test_what_is_just_being_claimed_is_not_said_to_be_cancelled(processes: tuple[Database, Database]) -> None:
    one, other = processes
    await one.write(put, "a")
    claimed, go_on = threading.Event(), threading.Event()

    def claim_slowly(connection: Connection) -> None:
        claim(connection)
        claimed.set()
        go_on.wait(20)

    claiming = asyncio.create_task(one.write(claim_slowly))
    assert await asyncio.to_thread(claimed.wait, 20)
    cancelling = asyncio.create_task(other.write(deliveries.cancel, TenantId("t1"), "a-1", NOW, NOW))
    async with patience(20):
        while not await one.read(lambda connection: connection.execute(SOMEBODY_WAITS).scalar_one()):
            await asyncio.sleep(0.02)
    go_on.set()
    await claiming

    with pytest.raises(WrongState, match="sending"):
        await cancelling


def test_nothing_of_another_tenant_is_found_or_changed_by_its_id(connection: Connection) -> None:
    """Whoever asks has looked before; each question holds by itself all the same."""
    put(connection, "a", "t1")
    (claimed,) = claim(connection)
    outcomes.record(connection, NOW, [said(claimed, DOWN, State.QUEUED)])
    other = TenantId("t2")
    with pytest.raises(NotFound):
        deliveries.cancel(connection, other, "a-1", NOW, NOW)
    with pytest.raises(NotFound):
        deliveries.retry(connection, other, "a-1", NOW, NOW, "t2")
    assert deliveries.content_of(connection, other, "a") is None
    assert deliveries.attempts_of(connection, other, "a-1") == []
    assert deliveries.rows_of(connection, other, ["a-1"]) == []
    assert search.newest_first(connection, other, ["a-1"], ()) == []
    assert len(deliveries.attempts_of(connection, TenantId("t1"), "a-1")) == 1
