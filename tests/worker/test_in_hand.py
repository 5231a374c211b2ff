"""What a worker knows of the mails that it has in hand, and of those that it had."""

import asyncio
from dataclasses import replace

import pytest

from ringpost.domain.deliveries import Urgency
from ringpost.domain.tenants import TenantId
from ringpost.storage.outbox import Claimed
from ringpost.usecases.deliver import Work
from ringpost.worker.in_hand import InHand


@pytest.fixture
def kind_of_database() -> str:
    """None is asked."""
    return "sqlite"


def work(number: int) -> Work:
    """A claimed mail."""
    claimed = Claimed(
        f"e{number}-1", TenantId("acme"), f"e{number}", "a@example.com", Urgency.NORMAL, secret=False, queue="acme",
        attempts=0, retries=0, created_at=0, expires_at=0, claim=f"w-{number}",
    )  # fmt: skip
    return Work(claimed, None, None, 0)


async def fails() -> None:
    """A fault of ours."""
    raise RuntimeError


async def test_what_was_tried_without_an_outcome_is_remembered_so_that_nobody_gives_it_back_as_untried() -> None:
    in_hand = InHand()
    in_hand.begin(work(1), asyncio.sleep(0))
    in_hand.begin(work(2), fails())
    in_hand.begin(work(3), asyncio.sleep(60))
    (cut_short,) = await in_hand.finish(grace_s=0.05)
    assert cut_short.claimed.claim == "w-3"
    assert in_hand.claims() == set()
    assert in_hand.unrecorded == {"w-2", "w-3"}


async def test_a_mail_that_there_was_no_memory_for_counts_as_long_as_it_is_in_hand() -> None:
    in_hand = InHand()
    in_hand.begin(replace(work(1), counts_as=1), asyncio.sleep(60))
    in_hand.begin(work(2), asyncio.sleep(60))
    assert in_hand.too_large == 1
    await in_hand.finish(grace_s=0)
    assert in_hand.too_large == 0, "the next one may come"


async def test_probes_are_told_from_what_else_is_in_hand() -> None:
    in_hand, emergency = InHand(), work(1)
    in_hand.begin(emergency, asyncio.sleep(60))
    assert in_hand.probes() == []
    probe = emergency.claimed._replace(id="e2-1", queue="system:acme", claim="w-2.probe")
    in_hand.begin(replace(work(2), claimed=probe), asyncio.sleep(60))
    assert in_hand.probes() == [probe]
    await in_hand.finish(grace_s=0)
