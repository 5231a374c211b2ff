"""A custom template that another process goes back to the default from, at the moment at which somebody saves it."""

import asyncio

import psycopg
import pytest
from tests.postgresql import somebody_waits

from ringpost.domain.access import SCOPES_OF_ROLE, Principal, Role
from ringpost.domain.templates import Parts
from ringpost.domain.tenants import TenantId
from ringpost.errors import NotFound
from ringpost.storage import templates
from ringpost.storage.templates import Revision
from ringpost.usecases.edit_template import create_template, update_template
from ringpost.usecases.export_tenant import export_tenant
from ringpost.usecases.import_tenant import import_tenant
from ringpost.usecases.restore_template import restore_template
from ringpost.usecases.room import Room
from ringpost.usecases.save_template import ChangedMeanwhile, Edited, save_template

RESET = "DELETE FROM custom_templates"


@pytest.fixture
def kind_of_database() -> str:
    """The one that processes write at the same time."""
    return "postgresql"


@pytest.fixture
def ann(acme: TenantId) -> Principal:
    """Who saves."""
    return Principal(acme, Role.TENANT_ADMIN, SCOPES_OF_ROLE[Role.TENANT_ADMIN], "ann", "token")


@pytest.fixture
async def saved(room: Room, ann: Principal) -> Revision:
    """What is in force."""
    return await create_template(room, ann, "RECHARGE", Parts(subject="One"))


async def test_what_is_posted_for_it_is_not_found(
    room: Room, ann: Principal, saved: Revision, slow: psycopg.AsyncConnection
) -> None:
    await slow.execute(RESET)
    posted = asyncio.create_task(update_template(room, ann, saved.name, Parts(subject="Two")))
    await somebody_waits(slow)
    await slow.commit()
    with pytest.raises(NotFound):
        await posted


async def test_who_edited_it_is_told(
    room: Room, ann: Principal, saved: Revision, slow: psycopg.AsyncConnection
) -> None:
    await slow.execute(RESET)
    posted = asyncio.create_task(save_template(room, ann, Edited(saved.name, Parts(subject="Two"), saved.id)))
    await somebody_waits(slow)
    await slow.commit()
    with pytest.raises(ChangedMeanwhile) as told:
        await posted
    assert told.value.now is None


async def test_a_revision_that_is_restored_is_in_force(
    room: Room, ann: Principal, saved: Revision, slow: psycopg.AsyncConnection
) -> None:
    await update_template(room, ann, saved.name, Parts(subject="Two"))
    await slow.execute(RESET)
    posted = asyncio.create_task(restore_template(room, ann, saved.name, saved.number))
    await somebody_waits(slow)
    await slow.commit()
    assert await posted == await room.database.read(templates.show, ann.tenant, saved.name)


async def test_what_is_imported_is_in_force(
    room: Room, ann: Principal, saved: Revision, slow: psycopg.AsyncConnection
) -> None:
    file = await export_tenant(room, ann.tenant)
    await update_template(room, ann, saved.name, Parts(subject="Two"))
    await slow.execute(RESET)
    posted = asyncio.create_task(import_tenant(room, ann, file))
    await somebody_waits(slow)
    await slow.commit()
    await posted
    in_force = await room.database.read(templates.show, ann.tenant, saved.name)
    assert in_force is not None
    assert in_force.parts == saved.parts
