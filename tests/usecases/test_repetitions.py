"""What is posted again after an upgrade. What is posted again otherwise: `api/test_bad_input_events`."""

import base64
from dataclasses import replace

import httpx
import pytest
from sqlalchemy import Connection, select
from tests.conftest import client_with, make_key

from ringpost.api.app import create_app
from ringpost.domain.tenants import TenantId
from ringpost.storage.keyring import KEY_BYTES, KeyRing
from ringpost.storage.sealing import Sealer
from ringpost.storage.tables import events
from ringpost.usecases.room import Room

FILE = {"filename": "report.txt", "content_type": "text/plain", "content": base64.b64encode(b"71.5 %").decode()}
EVENT = {
    "id": "pbx-7f40",
    "type": "QUEUE_SLA",
    "occurred_at": "2026-03-01T10:00:00.250+01:00",
    "variables": {"QUEUE_NAME": "Sales", "MINIMUM_SLA": 80, "AVERAGE_SLA": 71.5, "OPEN": True},
    "recipients": ["Ann <Ann@Example.com>", "bob@münchen.example"],
    "attachments": [FILE],
}
RING = KeyRing({"first": bytes(KEY_BYTES)})


@pytest.mark.parametrize("version", [b"", b"\x01", b"\x03"], ids=["without", "earlier", "later"])
async def test_what_another_version_accepted_is_known_by_its_id(
    room: Room, tenant_client: httpx.AsyncClient, version: bytes
) -> None:
    first = await tenant_client.post("/events", json=EVENT)
    await room.database.write(
        _set, version + room.sealer.fingerprint(b"the event, as another version tells its content")
    )
    again = await tenant_client.post("/events", json=EVENT)
    assert (again.status_code, again.json()) == (202, first.json())
    assert again.headers["Idempotent-Replayed"] == "true"


async def test_another_fingerprint_of_the_same_event_is_of_another_version(room: Room, acme: TenantId) -> None:
    """When this fails, the events of before would be refused: count on the version in `usecases/plan`."""
    async with client_with(create_app(replace(room, sealer=Sealer(RING))), await make_key(room, acme)) as client:
        await client.post("/events", json=EVENT)
    fingerprint = await room.database.read(_fingerprint)
    version, hashed = fingerprint[0], fingerprint[-32:].hex()
    assert (version, hashed) == (2, "ffab35ec914c5c4338de6ec4806660e94db2d7c94546965efc534651831ce1c2")


def _fingerprint(connection: Connection) -> bytes:
    return connection.execute(select(events.c.fingerprint)).scalar_one()


def _set(connection: Connection, fingerprint: bytes) -> None:
    connection.execute(events.update().values(fingerprint=fingerprint))
