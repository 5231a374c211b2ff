"""Saving the same once more: a person who does so means that what waits is tried; a program only repeats itself."""

import pytest
from tests.console.conftest import ClientOf
from tests.console.server_forms import FORM, SAVED, send

from ringpost.cli.opening import operator
from ringpost.domain.access import Role
from ringpost.domain.deliveries import RETRY, Outcome, Party, Stage
from ringpost.domain.tenants import TenantId
from ringpost.storage.outcomes import hold_queue, on_hold
from ringpost.usecases.change_oauth import change_oauth
from ringpost.usecases.change_settings import change_settings
from ringpost.usecases.room import Room

APP = {"directory": "acme.example", "client_id": "3f2504e0-4f89-41d3-9a0c-0305e82c3301", "cloud": "global"}
POSTED = {"provider": "MS365", "tenant": APP["directory"], "client_id": APP["client_id"], "client_secret": "made-up"}


async def wait(room: Room, tenant: TenantId) -> None:
    """The tenant's mail server has refused its password, and is tried again in a quarter of an hour."""
    now, why = room.clock(), Outcome(RETRY, Stage.AUTH, Party.CONFIGURATION, code=535)
    await room.database.write(hold_queue, tenant, now, now + 15 * 60_000, why)


@pytest.mark.parametrize(
    ("path", "form"),
    [("/mail-server", FORM), ("/mail-server/oauth", {**APP, "method": "client_secret", "client_secret": ""})],
)
async def test_a_person_who_saves_the_same_again_has_what_waits_tried_at_once(
    client_of: ClientOf, room: Room, acme: TenantId, path: str, form: dict[str, str]
) -> None:
    await change_settings(room, operator(acme), SAVED)
    await change_oauth(room, operator(acme), POSTED)
    await wait(room, acme)
    rung = room.bell.rings
    client = await client_of(Role.TENANT_ADMIN)

    assert (await send(client, path, **form)).headers["location"] == f"/console{path}?done=saved"

    assert await room.database.read(on_hold, [acme]) == set()
    assert room.bell.rings > rung


async def test_a_program_that_posts_the_same_again_has_nothing_tried(room: Room, acme: TenantId) -> None:
    await change_settings(room, operator(acme), SAVED)
    await change_oauth(room, operator(acme), POSTED)
    await wait(room, acme)

    await change_settings(room, operator(acme), SAVED)
    await change_oauth(room, operator(acme), POSTED)

    assert await room.database.read(on_hold, [acme]) == {acme}, "or a wrong password would be tried every minute"
