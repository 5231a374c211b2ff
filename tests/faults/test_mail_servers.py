"""Mail servers that misbehave in every way at every moment, all at once, beside one that is well."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from chaos.mail_servers import mail_servers
from chaos.mischief import PLACES, Kind, Mischief, Moment
from tests.faults.trial import Trial
from tests.patience import patience

WAYS = [(kind, moment) for kind in Kind if kind is not Kind.SIGNAL for moment in PLACES[kind]]
EACH = 3
BLACK_HOLES = 10
EACH_SWALLOWS = 100
"""Many times what a server is given that has not answered yet."""


@pytest.fixture
async def trial(tmp_path: Path, database_url: str) -> AsyncIterator[Trial]:
    """A mail server for each way to misbehave, and a good one in front."""
    async with mail_servers(tmp_path, 1 + len(WAYS)) as servers:
        trial = Trial(tmp_path, database_url, servers)
        yield trial
        await trial.end()


@pytest.mark.timeout(600)
async def test_whatever_mail_servers_do_no_mail_is_lost_and_those_of_others_go(trial: Trial) -> None:
    await trial.begin()
    for port, (kind, moment) in zip(trial.servers.ports[1:], WAYS, strict=True):
        await trial.servers.misbehave(port, Mischief(kind, moment))
    for place in range(len(WAYS)):
        await trial.accepted(EACH, 1 + place)
    await trial.accepted(20)
    async with trial.client() as client, patience(100):
        while len((await client.get("/deliveries?state=sent")).json()["items"]) < 20:
            await asyncio.sleep(0.1)
    await asyncio.sleep(3)  # for the slow ones to do what they do
    verdict = await trial.verdict()
    assert verdict.good, verdict.faults
    assert verdict.acknowledged == 20 + EACH * len(WAYS)
    refused = sum(kind is Kind.NEVER for kind, _ in WAYS) * EACH
    assert verdict.ended_otherwise == refused, "only what a server refuses for good ends without being sent"
    assert verdict.twice <= EACH * sum(moment in (Moment.BODY, Moment.DOT, Moment.REPLIED) for _, moment in WAYS)


@pytest.mark.timeout(600)
async def test_ten_servers_that_say_nothing_hold_up_nobody_else(trial: Trial) -> None:
    await trial.begin()
    for port in trial.servers.ports[1 : 1 + BLACK_HOLES]:
        await trial.servers.misbehave(port, Mischief(Kind.SILENT, Moment.CONNECT))
    for place in range(1, 1 + BLACK_HOLES):
        await trial.accepted(EACH_SWALLOWS, place, kind="VOICEMAIL_RECEIVED")
    await trial.accepted(50, kind="VOICEMAIL_RECEIVED")
    async with trial.client() as client, patience(100):
        while len((await client.get("/deliveries?state=sent&top=200")).json()["items"]) < 50:
            await asyncio.sleep(0.1)
    verdict = await trial.verdict()
    assert verdict.good, verdict.faults
    assert (verdict.sent, verdict.twice) == (50 + EACH_SWALLOWS * BLACK_HOLES, 0)
