"""An event comes in over HTTP, the right mail goes out over SMTP, and what became of it can be looked up."""

import asyncio
from pathlib import Path
from typing import Any

import httpx
from tests.journeys.running import mailbox, new_tenant, service
from tests.patience import patience


async def ended(tenant: httpx.AsyncClient, delivery: str) -> dict[str, Any]:
    """The story of a delivery once it has ended."""
    async with patience(20):
        while True:
            story = (await tenant.get(f"/deliveries/{delivery}")).json()
            if story["ended_at"]:
                return story
            await asyncio.sleep(0.05)


async def test_an_event_becomes_the_right_mail(tmp_path: Path) -> None:
    event = {
        "type": "QUEUE_CALL_LOST",
        "id": "pbx-7f3a",
        "occurred_at": "2026-01-05T09:30:00Z",
        "variables": {"QUEUE_NAME": "Größe & Söhne", "QUEUE_NUMBER": "8001", "CALLER_NUMBER": "+15550100"},
        "recipients": ["lead@example.org"],
    }
    async with mailbox() as box, service(tmp_path / "data") as running:
        async with new_tenant(running, box.port) as tenant:
            answer = await tenant.post("/events", json=event)
            assert answer.status_code == 202
            deliveries = answer.json()["deliveries"]
            assert {item["recipient"] for item in deliveries} == {"manager@example.com", "lead@example.org"}
            await box.holds(2)
            story = await ended(tenant, deliveries[0]["id"])
        assert story["state"] == "sent"
        assert [attempt["verdict"] for attempt in story["all_attempts"]] == ["sent"]
        assert story["all_attempts"][0]["code"] == 250
        assert sorted(box.recipients) == ["lead@example.org", "manager@example.com"]
        mail = next(mail for mail in box.received if "manager@example.com" in mail["To"])
        assert "Größe & Söhne" in mail["Subject"]
        assert mail["From"] == "Northwind Traders <alerts@example.com>"
        assert mail["Auto-Submitted"] == "auto-generated"
        assert mail["Message-ID"] == f"<{deliveries[0]['id']}@pbx.example.com>"
        html, text = mail.get_body(("html",)), mail.get_body(("plain",))
        assert html is not None
        assert text is not None
        assert "Größe &amp; Söhne" in html.get_content()
        assert "Größe & Söhne" in text.get_content()
        assert "%%" not in html.get_content() + text.get_content()


async def test_a_mail_says_nothing_of_what_the_event_leaves_out_or_blank(tmp_path: Path) -> None:
    call = {"type": "EMERGENCY_CALL", "variables": {"CALLEE_NUMBER": "112", "CALLER_NAME": " ", "CALLER_NUMBER": "100"}}
    user = {"type": "USER_CREATION", "variables": {"DISPLAY_NAME": "Jane"}, "recipients": ["jane@example.com"]}
    async with mailbox() as box, service(tmp_path / "data") as running, new_tenant(running, box.port) as tenant:
        settings = (await tenant.get("/tenant/notification")).json() | {"notify_user_registration": True}
        assert (await tenant.post("/tenant/notification", json=settings)).status_code == 200
        assert (await tenant.post("/events", json={"events": [call, user]})).status_code == 202
        await box.holds(2)
    texts = {mail["Subject"]: mail.get_body(("plain",)) for mail in box.received}
    emergency, account = texts["112 EMERGENCY CALL: 100"], texts["Your phone account is ready"]
    assert emergency is not None
    assert account is not None
    assert "Caller:" not in emergency.get_content()
    assert "\r\n\r\nName: Jane\r\n\r\nThese details are yours alone." in account.get_content()


async def test_the_same_event_a_thousand_times_in_parallel_is_one_mail(tmp_path: Path) -> None:
    event = {"type": "TRUNK_DISCONNECTED", "id": "once", "variables": {"TRUNK_NAME": "Carrier East"}}
    async with mailbox() as box, service(tmp_path / "data") as running:
        async with new_tenant(running, box.port) as tenant:
            turn = asyncio.Semaphore(50)

            async def post() -> tuple[int, str]:
                async with turn:
                    answer = await tenant.post("/events", json=event)
                    return answer.status_code, answer.text

            answers = {await task for task in asyncio.as_completed([post() for _ in range(1000)])}
            assert len(answers) == 1, "every answer is the first one's"
            assert next(iter(answers))[0] == 202
            await box.holds(1)
            await ended(tenant, (await tenant.get("/events/once")).json()["deliveries"][0]["id"])
        assert len(box.received) == 1


async def test_a_stopped_service_ends_what_it_has_in_hand(tmp_path: Path) -> None:
    async with mailbox() as box, service(tmp_path / "data") as running:
        async with new_tenant(running, box.port) as tenant:
            events = [{"type": "TRUNK_CONNECTED", "variables": {"TRUNK_NAME": f"T{number}"}} for number in range(200)]
            answer = await tenant.post("/events", json={"events": events})
            assert answer.status_code == 202
            assert await running.stop() == 0
            early = len(box.received)
            await running.start()
            await box.holds(200)
        assert len(box.received) == 200, f"{early} before the stop, and nothing twice"


async def test_mail_that_waited_for_its_server_goes_when_the_settings_are_mended(tmp_path: Path) -> None:
    async with (
        mailbox() as box,
        service(tmp_path / "data") as running,
        new_tenant(running, 9) as tenant,  # the discard port: nobody listens
    ):
        answer = await tenant.post("/events", json={"type": "DISK_LOW", "variables": {"FREE_SIZE": "1 GB"}})
        delivery = answer.json()["deliveries"][0]["id"]
        async with patience(10):
            while not (await tenant.get(f"/deliveries/{delivery}")).json()["waiting_for_server"]:
                await asyncio.sleep(0.05)
        story = (await tenant.get(f"/deliveries/{delivery}")).json()
        assert story["waiting_for_server"]["stage"] == "connect"
        assert "refused the connection" in story["waiting_for_server"]["hint"]
        settings = (await tenant.get("/tenant/notification")).json() | {"port": box.port}
        assert (await tenant.post("/tenant/notification", json=settings)).status_code == 200
        await box.holds(1, within_s=10)
