"""The story of a mail that was not taken has what was said, word for word."""

import httpx
from tests.journeys.running import mailbox
from tests.transports.scripted_server import ScriptedServer, polite
from tests.worker.posts import is_sent, report, save, story

from ringpost.worker import Worker


async def test_a_refused_mail_tells_what_was_said_and_a_sent_one_does_not(
    tenant_client: httpx.AsyncClient, worker: Worker
) -> None:
    assert worker
    async with ScriptedServer(polite({"RCPT": b"550 5.1.1 <script>nobody</script>\r\n"})) as server:
        await save(tenant_client, server.port)
        [refused] = await report(tenant_client, "DISK_LOW")
        found = await story(tenant_client, refused, lambda one: one["state"] == "rejected")
    [attempt] = found["all_attempts"]
    assert "S: 550 5.1.1 <script>nobody</script>" in attempt["dialogue"].splitlines()
    assert any(line.startswith("C: RCPT TO:<") for line in attempt["dialogue"].splitlines())

    async with mailbox() as box:
        await save(tenant_client, box.port)
        [taken] = await report(tenant_client, "DISK_LOW")
        found = await story(tenant_client, taken, is_sent)
    assert [attempt["dialogue"] for attempt in found["all_attempts"]] == [None]
