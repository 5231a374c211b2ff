"""Editing templates: what is refused changes nothing, and what is changed stands in the audit log."""

import pytest
from tests.conftest import Clock

from ringpost.domain.access import SCOPES_OF_ROLE, Principal, Role
from ringpost.domain.templates import Parts
from ringpost.domain.tenants import TenantId
from ringpost.errors import AlreadyExists, Invalid, NotFound
from ringpost.storage import audit, templates
from ringpost.storage.audit import Filter
from ringpost.usecases.edit_template import create_template, destroy_template, update_template
from ringpost.usecases.room import Room

pytestmark = pytest.mark.usefixtures("acme_itself")

ACME = TenantId("acme")
ANN = Principal(ACME, Role.TENANT_ADMIN, SCOPES_OF_ROLE[Role.TENANT_ADMIN], "ann", "token")


async def test_every_change_is_audited_by_the_names_of_its_parts(room: Room, clock: Clock) -> None:
    await create_template(room, ANN, "RECHARGE", Parts(from_="Phones", subject="Thank you"))
    clock.advance(1)
    await update_template(room, ANN, "RECHARGE", Parts(from_="Phones", subject="Thanks", body="<p>Paid</p>"))
    clock.advance(1)
    await destroy_template(room, ANN, "RECHARGE")

    entries = await room.database.read(audit.page, ACME, Filter(), 99)

    assert [(entry.action, entry.subject, entry.fields) for entry in reversed(entries)] == [
        ("create_template", "RECHARGE", ("from", "subject")),
        ("update_template", "RECHARGE", ("subject", "body")),
        ("destroy_template", "RECHARGE", ()),
    ]
    assert {entry.actor for entry in entries} == {"ann"}


async def test_what_changes_nothing_is_not_audited(room: Room) -> None:
    first = await create_template(room, ANN, "RECHARGE", Parts(subject="Thank you"))

    assert await update_template(room, ANN, "RECHARGE", Parts(subject="Thank you")) == first
    assert len(await room.database.read(audit.page, ACME, Filter(), 99)) == 1


async def test_what_is_refused_leaves_no_trace(room: Room) -> None:
    with pytest.raises(Invalid):
        await create_template(room, ANN, "RECHARGE", Parts(subject="two\nlines"))
    with pytest.raises(NotFound):
        await update_template(room, ANN, "RECHARGE", Parts(subject="Thanks"))
    with pytest.raises(NotFound):
        await destroy_template(room, ANN, "RECHARGE")
    assert await room.database.read(templates.list_saved, ACME, "RECHARGE", 9) == []
    assert await room.database.read(audit.page, ACME, Filter(), 99) == []


async def test_a_second_creation_leaves_the_first(room: Room) -> None:
    first = await create_template(room, ANN, "RECHARGE", Parts(subject="first"))

    with pytest.raises(AlreadyExists):
        await create_template(room, ANN, "RECHARGE", Parts(subject="second"))

    saved = await room.database.read(templates.list_saved, ACME, "RECHARGE", 9)
    assert [one.id for one in saved] == [first.id]
    assert len(await room.database.read(audit.page, ACME, Filter(), 99)) == 1
