"""The forms of a mail server, as they are sent without a browser."""

import httpx
from tests.console.conftest import csrf_of

from ringpost.domain.settings import Settings
from ringpost.domain.tenants import TenantId
from ringpost.storage import settings
from ringpost.usecases.room import Room

FORM = {
    "type": "SMTP",
    "server": "mail.example.com",
    "port": "",
    "tls": "implicit",
    "username": "pbx@example.com",
    "auth": "AUTO",
    "reply_to": "",
}
"""What is typed."""
SAVED = {
    "type": "SMTP",
    "server": "mail.example.com",
    "username": "pbx@example.com",
    "password": "made-up-secret",
    "recipients": "ann@example.com",
    "notify_queue_callback": True,
}
"""What is stored already, as the API takes it."""


async def send(client: httpx.AsyncClient, path: str, **fields: str) -> httpx.Response:
    """Send a form of the page without scripts."""
    return await client.post(f"/console{path}", data={"csrf": await csrf_of(client), **fields})


async def stored(room: Room, tenant: TenantId) -> Settings:
    """What is in force."""
    return await room.database.read(settings.load, room.sealer, tenant)
