"""What the demo does as a client: sets up the tenant Northwind Traders and reports what happened at its phones.

All of it goes over HTTP, as a real client's requests would; only users and keys come from the command line's use cases,
because nobody makes those over the API.
"""

import io
import math
import struct
import wave
from base64 import b64encode
from dataclasses import dataclass
from typing import Any, Final, cast

import httpx

from ringpost.domain.catalogue import CATALOGUE, Audience, EventType

CONFLICT: Final = 409
DOMAIN: Final = "northwind.example.com"
TENANT: Final = {"name": "Northwind Traders", "domain": DOMAIN, "timezone": "Europe/Berlin", "locale": "en"}
JANE: Final = f"jane.doe@{DOMAIN}"
CUSTOMISED: Final = "QUEUE_SLA"
CUSTOM_TEMPLATE: Final = {
    "from": "%%TENANT_NAME%% front desk",
    "subject": "%%QUEUE_NAME%%: somebody has waited longer than %%SLA_TIME%% seconds",
    "body": (
        '<div style="font-family:system-ui,sans-serif;max-width:32em;margin:0 auto;padding:24px;line-height:1.5">'
        '<p style="font-size:20px;margin:0 0 16px"><b>Please take the next call of %%QUEUE_NAME%%.</b></p>'
        '<p style="margin:0 0 16px">%%CALLER_NAME%% (<a href="tel:%%CALLER_NUMBER%%">%%CALLER_NUMBER%%</a>) has waited '
        "longer than %%SLA_TIME%% seconds. %%WAITSESSIONNO%% callers are waiting now.</p>"
        '<p style="margin:0;color:#71717a;font-size:14px">%%DATE_TIME%%. Northwind wrote this template itself: '
        "it replaces the default one for this type of event.</p></div>"
    ),
}


class DemoFailed(Exception):
    """The demo did not come out as it must. The message says what went wrong."""


@dataclass(frozen=True, slots=True)
class Reported:
    """An event that was accepted, and the one delivery that it caused."""

    type: str
    event: str
    delivery: str


class Client:
    """Talks to the API with a token."""

    def __init__(self, url: str, token: str) -> None:
        headers = {"Authorization": f"Bearer {token}"}
        self._http = httpx.AsyncClient(base_url=url, headers=headers, timeout=30, trust_env=False)

    async def close(self) -> None:
        """Close its connections."""
        await self._http.aclose()

    async def get(self, path: str, **query: Any) -> Any:
        """GET, read as JSON. Raises ApiRefused."""
        return _checked(await self._http.get(path, params=query)).json()

    async def post(self, path: str, body: object) -> Any:
        """POST; the answer as JSON, None when it is empty. Raises ApiRefused."""
        answer = _checked(await self._http.post(path, json=body))
        return answer.json() if answer.content else None


class ApiRefused(Exception):
    """An answer other than success."""

    def __init__(self, answer: httpx.Response) -> None:
        request = answer.request
        super().__init__(f"{request.method} {request.url.path} answered {answer.status_code}: {answer.text[:500]}")
        self.status = answer.status_code


async def create_tenant(admin: Client) -> str:
    """The tenant's id; it may be there from an earlier demo in the same folder."""
    try:
        return (await admin.post("/tenants", TENANT))["id"]
    except ApiRefused as refused:
        if refused.status != CONFLICT:
            raise
    found = (await admin.get("/tenants"))["items"]
    return next(tenant["id"] for tenant in found if tenant["domain"] == DOMAIN)


async def set_up(client: Client, mail_port: int) -> None:
    """Tell Ringpost the tenant's mail server and recipients, turn everything on, and customise one template."""
    toggles = {kind.toggle: True for kind in CATALOGUE.values() if kind.toggle}
    mail_server = {
        "type": "SMTP",
        "server": "127.0.0.1",
        "port": mail_port,
        "username": f"phones@{DOMAIN}",
        "auth": "DISABLE",
        "enable_tls_ssl": False,
        "enable_starttls_auto": False,
        "reply_to": f"it@{DOMAIN}",
        "recipients": f"Operations <operations@{DOMAIN}>",
    }
    await client.post("/tenant/notification", mail_server | toggles)
    try:
        await client.post("/custom_email_templates", {"name": CUSTOMISED, **CUSTOM_TEMPLATE})
    except ApiRefused as refused:
        if refused.status != CONFLICT:
            raise
        await client.post(f"/custom_email_templates/{CUSTOMISED}", CUSTOM_TEMPLATE)


async def report(client: Client, kind: EventType) -> Reported:
    """Send one event of this type. Raises ApiRefused, and DemoFailed when it causes not one mail."""
    receipt = await client.post("/events", event_of(kind))
    deliveries = cast("list[dict[str, str]]", receipt["deliveries"])
    if len(deliveries) != 1:
        raise DemoFailed(f"{kind.name} caused {len(deliveries)} deliveries instead of one ({receipt['skipped']})")
    return Reported(kind.name, receipt["id"], deliveries[0]["id"])


def event_of(kind: EventType) -> dict[str, Any]:
    """An event of this type as a phone system would post it."""
    own = {name: value for name, value in kind.samples.items() if name not in ("TENANT_NAME", "PBX_WEB_DOMAIN")}
    own.pop("DATE_TIME")
    event: dict[str, Any] = {"type": kind.name, "variables": own}
    if kind.audience in (Audience.EVENT, Audience.USER):
        event["recipients"] = [JANE]
    if kind.name == "VOICEMAIL_RECEIVED":
        event["attachments"] = [
            {"filename": own["VOICEMAIL_NAME"], "content_type": "audio/wav", "content": b64encode(_ring()).decode()}
        ]
    return event


def _checked(answer: httpx.Response) -> httpx.Response:
    if not answer.is_success:
        raise ApiRefused(answer)
    return answer


def _ring(seconds: float = 1, rate: int = 8000) -> bytes:
    """A recording: the ringing tone of North American telephones, 440 Hz and 480 Hz."""
    waves = (
        0.2 * (math.sin(2 * math.pi * 440 * at / rate) + math.sin(2 * math.pi * 480 * at / rate))
        for at in range(int(seconds * rate))
    )
    file = io.BytesIO()
    with wave.open(file, "wb") as recording:
        recording.setnchannels(1)
        recording.setsampwidth(2)
        recording.setframerate(rate)
        recording.writeframes(b"".join(struct.pack("<h", int(value * 32767)) for value in waves))
    return file.getvalue()
