"""Several processes on one database: stopped and continued, told to stop, racing for one event, stopped by one mail."""

import asyncio
import signal

import pytest
from chaos.mischief import Kind, Mischief, Moment
from tests.faults.trial import LEASE_S, Trial
from tests.patience import patience

MOST_CLAIMS = 5
"""After so many claims without an outcome a mail is set aside."""


@pytest.mark.timeout(400)
async def test_of_three_workers_one_that_slept_through_its_lease_sends_nothing_twice_that_was_not_ambiguous(
    trial: Trial,
) -> None:
    await trial.begin(processes=3)
    sleeper = trial.processes[0]
    port = trial.servers.ports[0]
    fall_asleep = Mischief(Kind.SIGNAL, Moment.RCPT, times=1, pids=(sleeper.pid,), signal=signal.SIGSTOP)
    await trial.servers.misbehave(port, fall_asleep, Mischief(Kind.SLOW, Moment.DOT, share=0.05))
    falls_asleep = asyncio.create_task(trial.sleeps(sleeper))
    for number in range(20):
        await trial.post_as_senders_do(
            trial.events(20, "VOICEMAIL_RECEIVED"), process=1 + number % 2 if falls_asleep.done() else number % 3
        )
    await falls_asleep
    await trial.has_arrived(len(trial.journal.receipts))  # the others took over what the sleeper had in hand
    sleeper.send(signal.SIGCONT)
    await asyncio.sleep(2 * LEASE_S)  # time to do harm
    verdict = await trial.verdict(stops=1)
    assert verdict.good, verdict
    assert verdict.sent == verdict.acknowledged == 400


@pytest.mark.timeout(400)
async def test_a_process_that_is_told_to_stop_ends_what_it_has_in_hand_and_nothing_is_sent_twice(trial: Trial) -> None:
    await trial.begin()
    await trial.servers.misbehave(trial.servers.ports[0], Mischief(Kind.SLOW, Moment.DOT))
    await trial.accepted(60)
    await trial.has_arrived(1)
    trial.process.send(signal.SIGTERM)
    assert await trial.process.ended() == 0
    await trial.servers.heal()
    await trial.process.start()
    verdict = await trial.verdict()
    assert verdict.good, verdict.faults
    assert (verdict.sent, verdict.twice) == (60, 0)


@pytest.mark.timeout(400)
async def test_the_same_event_a_thousand_times_through_two_processes_is_one_mail(trial: Trial) -> None:
    await trial.begin(processes=2)
    (event,) = trial.events(1)
    async with trial.client(process=0) as one, trial.client(process=1) as other:
        turn = asyncio.Semaphore(50)

        async def post(number: int) -> tuple[int, str]:
            async with turn:
                answer = await (one, other)[number % 2].post("/events", json=event)
                return answer.status_code, answer.text

        answers = set(await asyncio.gather(*(post(number) for number in range(1000))))
    assert len(answers) == 1, "every answer is the first one's"
    assert next(iter(answers))[0] == 202
    assert await trial.post([event]) == 202
    verdict = await trial.verdict()
    assert verdict.good, verdict.faults
    assert (verdict.acknowledged, verdict.sent, verdict.twice) == (1, 1, 0)


@pytest.mark.timeout(400)
async def test_a_mail_that_stops_its_worker_again_and_again_is_set_aside_and_others_go(trial: Trial) -> None:
    await trial.begin()
    await trial.process.kill()
    await trial.process.start()
    port = trial.servers.ports[0]
    kill = Mischief(Kind.SIGNAL, Moment.RCPT, pids=(trial.process.pid,))
    await trial.servers.misbehave(port, kill)
    (event,) = trial.events(1)
    await trial.posted(event)
    for claim in range(1, MOST_CLAIMS + 1):
        assert await trial.process.ended() == -signal.SIGKILL, claim
        if claim == MOST_CLAIMS:
            await trial.servers.heal()
        await trial.process.launch()
        kill = Mischief(Kind.SIGNAL, Moment.RCPT, pids=(trial.process.pid,))
        if claim < MOST_CLAIMS:
            await trial.servers.misbehave(port, kill)
    await trial.process.answers()
    assert await trial.post([event]) == 202, "the receipt, if its answer was lost"
    (delivery,) = trial.journal.receipts
    async with trial.client() as client, patience(100):
        while (story := (await client.get(f"/deliveries/{delivery}")).json())["state"] != "rejected":
            await asyncio.sleep(0.1)
    assert "set aside" in story["last_attempt"]["hint"]
    await trial.accepted(3)
    verdict = await trial.verdict()
    assert verdict.good, verdict.faults
    assert (verdict.sent, verdict.ended_otherwise, verdict.twice) == (3, 1, 0)
