"""Servers that put unknown senders off for a while get the mail a little later."""

import httpx
import pytest
from tests.conftest import Clock
from tests.transports.scripted_server import ScriptedServer, polite
from tests.worker.test_emergency_failover import is_sent, save, story, tried

EVENT = {"type": "QUEUE_CALL_LOST", "variables": {"QUEUE_NAME": "Sales"}}

pytestmark = pytest.mark.usefixtures("worker")


@pytest.mark.parametrize("reply", [b"450 4.2.0 greylisted\r\n", b"451 4.7.1 try again later\r\n"])
async def test_a_mail_that_is_greylisted_is_tried_again_and_sent(
    tenant_client: httpx.AsyncClient, clock: Clock, reply: bytes
) -> None:
    async with ScriptedServer(polite({"RCPT": [reply, reply]}, capabilities=["SIZE"])) as server:
        await save(tenant_client, server.port)
        answer = await tenant_client.post("/events", json=EVENT)
        delivery = answer.json()["deliveries"][0]["id"]
        for attempt in (1, 2):
            await story(tenant_client, delivery, tried(attempt))
            assert server.mails == []
            clock.advance(150)  # more than 2 min with their jitter

        found = await story(tenant_client, delivery, is_sent)

        assert [attempt["verdict"] for attempt in found["all_attempts"]] == ["retry", "retry", "sent"]
        assert {attempt["code"] for attempt in found["all_attempts"][:2]} == {int(reply[:3])}
        assert len(server.mails) == 1
