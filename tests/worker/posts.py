"""What tests of the worker do over the API."""

import asyncio
from base64 import b64encode
from collections.abc import Callable
from typing import Any

import httpx
from tests.conftest import ADMIN_TOKEN
from tests.journeys.running import settings_for
from tests.patience import patience


async def save(client: httpx.AsyncClient, port: int, **fields: Any) -> None:
    """Save the mail server of the tenant, or of the system."""
    is_admin = client.headers["authorization"].endswith(ADMIN_TOKEN)
    path = "/admin/notification" if is_admin else "/tenant/notification"
    answer = await client.post(path, json=settings_for(port, **fields))
    assert answer.status_code == 200, answer.text


async def borrow(client: httpx.AsyncClient, **fields: Any) -> None:
    """Save settings of a tenant that has recipients and no mail server that can send."""
    await save(client, 25, username="nobody", **fields)


async def report(client: httpx.AsyncClient, kind: str, count: int = 1) -> list[str]:
    """Report events; the ids of their deliveries."""
    answer = await client.post("/events", json={"events": [{"type": kind}] * count})
    assert answer.status_code == 202, answer.text
    return [one["id"] for result in answer.json()["results"] for one in result["event"]["deliveries"]]


async def report_large(client: httpx.AsyncClient, octets: int) -> None:
    """Report a voicemail whose recording has so many octets."""
    recording = {"filename": "a.wav", "content_type": "audio/wav", "content": b64encode(b"\1" * octets).decode()}
    voicemail = {"type": "VOICEMAIL_RECEIVED", "recipients": ["a@example.com"], "attachments": [recording]}
    answer = await client.post("/events", json=voicemail)
    assert answer.status_code == 202, answer.text


async def story(client: httpx.AsyncClient, delivery: str, until: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """The delivery, as soon as it is as wanted."""
    async with patience(15):
        while not until(found := (await client.get(f"/deliveries/{delivery}")).json()):
            await asyncio.sleep(0.02)
    return found


async def sent(client: httpx.AsyncClient, count: int) -> None:
    """Wait until so many deliveries are recorded as sent; the clock may be moved then, as nothing is in hand."""
    async with patience(15):
        while len((await client.get("/deliveries?state=sent")).json()["items"]) < count:
            await asyncio.sleep(0.02)


def is_sent(found: dict[str, Any]) -> bool:
    """Until it is sent."""
    return found["state"] == "sent"


def is_waiting(found: dict[str, Any]) -> bool:
    """Until its queue waits."""
    return found["waiting_for_server"] is not None


def tried(times: int) -> Callable[[dict[str, Any]], bool]:
    """Until it was tried so often."""
    return lambda found: found["attempts"] >= times and found["state"] != "sending"
