"""The whole way: an event over HTTP into a real Ringpost, a mail in the mailbox of a real mail server."""

import asyncio
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import httpx
from tests.journeys.running import new_tenant, service
from tests.left_out import left_out
from tests.mail_servers.cells import PASSWORD, USERNAME
from tests.mail_servers.conftest import Site, Sites
from tests.mail_servers.measuring import PRODUCTS, arrival
from tests.mail_servers.processes import can_listen_below_1024
from tests.patience import patience

EVENT = {"type": "QUEUE_CALL_LOST", "variables": {"QUEUE_NAME": "Größe & Söhne", "CALLER_NUMBER": "+15550100"}}
WAYS = {
    "implicit": {"enable_tls_ssl": True, "enable_starttls_auto": False},
    "STARTTLS": {"enable_tls_ssl": True, "enable_starttls_auto": True},
}


def settings(site: Site, **fields: object) -> dict[str, Any]:
    return {"server": site.server.address, "username": USERNAME, "password": PASSWORD, "auth": "AUTO", **fields}


async def report(tenant: httpx.AsyncClient) -> str:
    answer = await tenant.post("/events", json=EVENT)
    assert answer.status_code == 202, answer.text
    return answer.json()["deliveries"][0]["id"]


async def test_an_event_becomes_a_mail_in_every_mailbox(sites: Sites, tmp_path: Path) -> None:
    if not can_listen_below_1024():
        left_out("some ports: ports below 1024 are not for ordinary users")
    served = [sites(name) for name, product in PRODUCTS.items() if product.missing() is None]
    trusted = tmp_path / "authorities.pem"
    trusted.write_text("".join(site.authority.read_text(encoding="ascii") for site in served), encoding="ascii")
    async with (
        service(tmp_path / "data", RINGPOST_MAIL_CA_FILE=str(trusted)) as running,
        new_tenant(running, 0, **settings(served[0], enable_tls_ssl=True)) as tenant,
    ):
        for site in served:
            for flags in WAYS.values():
                now = (await tenant.get("/tenant/notification")).json() | settings(site, **flags)
                answer = await tenant.post("/tenant/notification", json=now)
                assert answer.status_code == 200, answer.text
                check(await arrival(site.server, f"<{await report(tenant)}@pbx.example.com>"))


def check(arrived: bytes) -> None:
    """It is the mail that the event makes, and it came encrypted and with a login."""
    mail = message_from_bytes(arrived, policy=policy.default)
    body = mail.get_body(("plain",))
    assert body is not None
    assert "Größe & Söhne" in mail["Subject"] + body.get_content()
    assert "with esmtpsa" in " ".join(mail["Received"].split()).lower()
    assert arrived.isascii(), "no server needs 8BITMIME for it"


async def test_a_corrected_password_heals_what_waits(sites: Sites, tmp_path: Path) -> None:
    site = sites("Postfix")
    wrong = settings(site, enable_tls_ssl=True, password="wrong")
    async with (
        service(tmp_path / "data", RINGPOST_MAIL_CA_FILE=str(site.authority)) as running,
        new_tenant(running, 2465, **wrong) as tenant,
    ):
        delivery = await report(tenant)
        async with patience(20):
            while not (waiting := (await tenant.get(f"/deliveries/{delivery}")).json()["waiting_for_server"]):
                await asyncio.sleep(0.05)
        assert (waiting["stage"], waiting["code"]) == ("auth", 535)

        saved = (await tenant.get("/tenant/notification")).json()
        answer = await tenant.post("/tenant/notification", json={**saved, "password": PASSWORD})
        assert answer.status_code == 200, answer.text

        assert await arrival(site.server, f"<{delivery}@pbx.example.com>")
