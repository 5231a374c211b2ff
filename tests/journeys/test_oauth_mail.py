"""An event becomes a mail through Microsoft Graph and the Gmail API, with everything put together as it is in use."""

import asyncio
import io
import json
import ssl
from base64 import b64decode, urlsafe_b64decode
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import httpx
import pytest
import trustme
from tests.conftest import client_with, make_key
from tests.journeys.running import mailbox, settings_for
from tests.patience import patience
from tests.transports.oauth_samples import CLIENT, REFRESH, SECRET, key_file, key_pem
from tests.transports.provider_stand_in import DIRECTORY, Say, StandIn, stand_in

from ringpost import logs, wiring
from ringpost.config import Config
from ringpost.domain.access import Role
from ringpost.domain.tenants import SYSTEM, TenantDraft
from ringpost.usecases.create_tenant import create_tenant

MICROSOFT: dict[str, Any] = {"provider": "MS365", "tenant": DIRECTORY, "client_id": CLIENT, "client_secret": SECRET}
GOOGLE: dict[str, Any] = {"provider": "GMAIL", "service_account": key_file()}
MAIL = {"recipient": "ann@example.com", "subject": "Test", "content": "It works."}


@asynccontextmanager
async def service(
    folder: Path, credentials: dict[str, Any], per_minute: int = 30, *, lent_port: int | None = None
) -> AsyncGenerator[tuple[StandIn, httpx.AsyncClient]]:
    """A tenant that sends by OAuth, a worker, and the provider; `lent_port` is that of the system's mail server."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)  # pyright: ignore[reportUnknownMemberType]
    async with stand_in(context) as provider:
        config = Config(
            data_dir=folder / "data",
            mail_ca_file=folder / "ca.pem",
            microsoft_authority_url=provider.url,
            microsoft_graph_url=provider.url,
            google_token_url=f"{provider.url}/token",
            gmail_api_url=provider.url,
            microsoft_messages_per_minute=per_minute,
            gmail_messages_per_minute=per_minute,
        )
        async with wiring.open_room(config) as room:
            app = wiring.site(room, config).app
            tenant = await create_tenant(room, TenantDraft("Acme", "acme.example"))
            worker = wiring.worker(room, config)
            running = asyncio.create_task(worker.run())
            if lent_port is not None:
                async with client_with(app, await make_key(room, SYSTEM, Role.SYSTEM_ADMIN)) as admin:
                    saved = await admin.post("/admin/notification", json=settings_for(lent_port))
                    assert saved.status_code == 200
            async with client_with(app, await make_key(room, tenant)) as client:
                settings = {"type": credentials["provider"], "username": "pbx@acme.example"}
                await client.post("/tenant/notification", json={**settings, "recipients": "ann@example.com"})
                assert (await client.post("/tenant/notification/oauth", json=credentials)).status_code == 200
                yield provider, client
            worker.stop()
            await running


async def ended(client: httpx.AsyncClient) -> dict[str, Any]:
    """The one delivery, when it has been sent."""
    for _ in range(200):
        (delivery,) = (await client.get("/deliveries")).json()["items"]
        if delivery["state"] != "queued" and delivery["state"] != "sending":
            return (await client.get(f"/deliveries/{delivery['id']}")).json()
        await asyncio.sleep(0.05)
    raise AssertionError("nothing was sent")


@pytest.mark.parametrize("credentials", [MICROSOFT, GOOGLE], ids=["microsoft", "google"])
async def test_an_event_becomes_a_mail(tmp_path: Path, credentials: dict[str, Any]) -> None:
    async with service(tmp_path, credentials) as (provider, client):
        event = {"type": "DISK_LOW", "variables": {"FREE_SIZE": "1 GB"}}
        assert (await client.post("/events", json=event)).status_code == 202
        delivery = await ended(client)
        body = provider.of("send")[0].body

    raw = b64decode(body) if credentials is MICROSOFT else urlsafe_b64decode(json.loads(body)["raw"])
    mail = message_from_bytes(raw, policy=policy.default)
    assert (delivery["state"], delivery["attempts"]) == ("sent", 1)
    assert delivery["all_attempts"][0]["server"] == ("Microsoft Graph" if credentials is MICROSOFT else "Gmail API")
    assert (str(mail["To"]), str(mail["From"]).endswith("<pbx@acme.example>")) == ("ann@example.com", True)


@pytest.mark.parametrize("credentials", [MICROSOFT, GOOGLE], ids=["microsoft", "google"])
async def test_an_emergency_goes_through_a_mailbox_whose_minute_a_flood_has_used_up(
    tmp_path: Path, credentials: dict[str, Any]
) -> None:
    async with service(tmp_path, credentials, per_minute=11) as (provider, client):
        flood = {"type": "DISK_LOW", "variables": {"FREE_SIZE": "1 GB"}}
        assert (await client.post("/events", json={"events": [flood] * 30})).status_code == 202
        await taken(provider, 9)
        await asyncio.sleep(1)  # in which the flood would take the rest, if it were not kept
        for count in (10, 11):  # the first one of all is tried before anything is known of the mailbox
            answer = await client.post("/events", json={"type": "EMERGENCY_CALL"})
            delivery = f"/deliveries/{answer.json()['deliveries'][0]['id']}"
            async with patience(20):
                while (await client.get(delivery)).json()["state"] != "sent":
                    await asyncio.sleep(0.05)
            assert len(provider.of("send")) == count


async def test_emergencies_do_not_wait_for_a_mailbox_that_rests_when_the_systems_server_stands_by(
    tmp_path: Path,
) -> None:
    throttled = {"error": {"code": "ApplicationThrottled", "message": "no"}}
    rest = Say(429, throttled, headers={"Retry-After": "600"})
    async with mailbox() as box, service(tmp_path, MICROSOFT, lent_port=box.port) as (provider, client):
        provider.say("send", *[rest] * 30)
        answer = await client.post("/events", json={"events": [{"type": "EMERGENCY_CALL"}] * 30})
        assert answer.status_code == 202
        await box.holds(30)
        assert len(provider.of("send")) < 10, "the others were told without asking there"


async def taken(provider: StandIn, mails: int) -> None:
    """Wait until the provider has been given so many."""
    async with patience(20):
        while len(provider.of("send")) < mails:
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("credentials", [MICROSOFT, GOOGLE], ids=["microsoft", "google"])
async def test_a_test_mail_says_where_it_came_to_and_no_secret_is_seen(
    tmp_path: Path, credentials: dict[str, Any]
) -> None:
    seen = io.StringIO()
    logs.configure("json", "debug", seen)
    async with service(tmp_path, credentials) as (provider, client):
        good = await client.post("/tenant/notification/test_email", json=MAIL)
        for token in ("access-1", "access-2"):  # the one that was kept, and a fresh one
            provider.say("send", Say(403, {"error": {"code": "ErrorAccessDenied", "message": f"Bearer {token} no"}}))
        of_api = await client.post("/tenant/notification/test_email", json=MAIL)
        changed = {**credentials, **({"client_secret": "another"} if credentials is MICROSOFT else {})}
        await client.post("/tenant/notification/oauth", json=changed)
        provider.say("send", Say(401), Say(401))
        provider.say("token", Say(400, {"error": "invalid_grant", "error_description": f"AADSTS65001 {SECRET} x"}))
        of_token = await client.post("/tenant/notification/test_email", json=MAIL)

    stages = [answer.json()["errors"][0]["detail"]["stage"] for answer in (of_api, of_token)]
    assert (good.status_code, of_api.status_code, of_token.status_code) == (200, 424, 424)
    assert stages == ["api", "token"]
    text = seen.getvalue() + of_api.text
    for canary in (SECRET, "another", REFRESH, "access-1", "access-2", key_pem()[60:100]):
        assert canary not in text


@pytest.mark.parametrize("credentials", [MICROSOFT, GOOGLE], ids=["microsoft", "google"])
async def test_a_token_that_cannot_be_sent_on_is_told_as_the_providers_fault(
    tmp_path: Path, credentials: dict[str, Any]
) -> None:
    async with service(tmp_path, credentials) as (provider, client):
        provider.say("token", Say(body={"access_token": "t\u00f6ken", "expires_in": 3599}))
        answer = await client.post("/tenant/notification/test_email", json=MAIL)

    detail = answer.json()["errors"][0]["detail"]
    assert answer.status_code == 424
    assert (detail["stage"], detail["finding"]) == ("token", "NOT_AN_AUTHORITY")
