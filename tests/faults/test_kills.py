"""kill -9 at every moment of a mail, and of a request."""

import asyncio
import base64
import random
import signal

import httpx
import pytest
from chaos.locks import writing_is_held_up
from chaos.mischief import Kind, Mischief, Moment
from tests.faults.trial import Trial
from tests.patience import patience

BEFORE_THE_DOT = (Moment.CONNECT, Moment.EHLO, Moment.MAIL, Moment.RCPT, Moment.DATA, Moment.BODY)
A_RECORDING = base64.b64encode(random.Random(1).randbytes(700_000)).decode()  # noqa: S311  noise


async def kill_at(trial: Trial, moment: Moment) -> None:
    """Post one event; the mail server kills Ringpost at this moment; Ringpost is started again."""
    kill = Mischief(Kind.SIGNAL, moment, times=1, pids=(trial.process.pid,))
    await trial.servers.misbehave(trial.servers.ports[0], kill)
    await trial.servers.hang_up()
    recording = {"filename": "message.wav", "content_type": "audio/wav", "content": A_RECORDING}
    (event,) = trial.events(1, attachments=[recording] if moment is Moment.BODY else [])
    await trial.posted(event)
    assert (await asyncio.wait_for(trial.servers.happened.get(), 120))["moment"] == moment
    assert await trial.process.ended() == -signal.SIGKILL
    await trial.process.start()
    assert await trial.post([event]) == 202, "the receipt, if its answer was lost"
    await trial.all_has_ended()


@pytest.mark.timeout(400)
async def test_a_worker_killed_before_the_final_dot_sends_the_mail_once(trial: Trial) -> None:
    await trial.begin()
    for moment in BEFORE_THE_DOT:
        await kill_at(trial, moment)
    verdict = await trial.verdict()
    assert verdict.good, verdict.faults
    assert (verdict.sent, verdict.twice) == (len(BEFORE_THE_DOT), 0)


@pytest.mark.timeout(400)
async def test_a_worker_killed_after_the_final_dot_sends_the_mail_again_with_the_same_message_id(trial: Trial) -> None:
    await trial.begin()
    await kill_at(trial, Moment.DOT)
    await kill_at(trial, Moment.REPLIED)
    verdict = await trial.verdict()
    assert verdict.good, verdict.faults
    assert verdict.sent == 2
    assert verdict.twice >= 1, "the server had the first one, and Ringpost could not know"
    assert verdict.unknown.total() >= verdict.twice, "which its story tells"
    assert all("Ringpost was stopped" in why for why in verdict.unknown)


@pytest.mark.timeout(400)
async def test_a_worker_killed_after_its_commit_does_not_send_the_mail_again(trial: Trial) -> None:
    await trial.begin()
    await trial.accepted(1)
    await trial.all_has_ended()
    trial.process.send(signal.SIGKILL)
    await trial.process.ended()
    await trial.process.start()
    verdict = await trial.verdict()
    assert verdict.good, verdict.faults
    assert (verdict.sent, verdict.twice) == (1, 0)


@pytest.mark.timeout(400)
async def test_what_the_api_had_not_committed_when_it_was_killed_can_be_posted_again(
    trial: Trial, database_url: str
) -> None:
    await trial.begin()
    (event,) = trial.events(1)
    with writing_is_held_up(database_url):
        async with trial.client() as client:
            posting = asyncio.create_task(client.post("/events", json=event))
            await asyncio.sleep(1)
            assert not posting.done(), "nothing is acknowledged that is not committed"
            trial.process.send(signal.SIGKILL)
            with pytest.raises(httpx.TransportError):
                await posting
        await trial.process.ended()
    await trial.process.start()
    async with trial.client() as client:
        assert (await client.get(f"/events/{event['id']}")).status_code == 404
    assert await trial.post([event]) == 202
    verdict = await trial.verdict()
    assert verdict.good, verdict.faults
    assert (verdict.sent, verdict.twice) == (1, 0)


@pytest.mark.timeout(400)
async def test_what_the_api_had_committed_when_it_was_killed_is_the_same_event_when_posted_again(trial: Trial) -> None:
    await trial.begin()
    (event,) = trial.events(1)
    unheard, writer = await asyncio.open_connection("127.0.0.1", trial.process.port)
    async with trial.client() as client:
        request = client.build_request("POST", "/events", json=event)
        head = "".join(f"{name}: {value}\r\n" for name, value in request.headers.items())
        writer.write(f"POST /events HTTP/1.1\r\n{head}\r\n".encode() + request.content)
        async with patience(60):
            while (await client.get(f"/events/{event['id']}")).status_code != 200:
                await asyncio.sleep(0.01)
    trial.process.send(signal.SIGKILL)
    await trial.process.ended()
    writer.close()
    del unheard  # the answer, if there was one, was never read
    await trial.process.start()
    assert await trial.post([event]) == 202
    verdict = await trial.verdict()
    assert verdict.good, verdict.faults
    assert verdict.sent == 1
    assert verdict.twice <= 1


@pytest.mark.timeout(400)
async def test_requests_cut_off_by_a_kill_lose_nothing_that_was_answered(trial: Trial) -> None:
    await trial.begin()
    rng = random.Random(7)  # noqa: S311  always the same
    for _ in range(4):
        batches = [trial.events(5) for _ in range(20)]
        posting = [asyncio.create_task(trial.post(batch)) for batch in batches]
        await asyncio.sleep(rng.uniform(0, 0.15))
        trial.process.send(signal.SIGKILL)
        answers = await asyncio.gather(*posting, return_exceptions=True)
        assert all(answer == 202 or isinstance(answer, httpx.TransportError) for answer in answers), answers
        await trial.process.ended()
        await trial.process.start()
        for batch in batches:  # as a phone system does that has heard nothing; and what was answered, once more
            assert await trial.post(batch) == 202
    verdict = await trial.verdict()
    assert verdict.good, verdict.faults
    assert verdict.sent == verdict.acknowledged == 400
