"""Custom templates at rest: revisions that never change, and which of them is in force."""

import pytest

from ringpost.domain.templates import Parts
from ringpost.domain.tenants import TenantId
from ringpost.errors import AlreadyExists, NotFound
from ringpost.storage import templates
from ringpost.storage.templates import Edit
from ringpost.usecases.room import Room

ACME, OTHER = TenantId("acme"), TenantId("other")
FIRST, SECOND = Parts(subject="first"), Parts(subject="second", body="<p>second</p>")


def edit(at: int = 1) -> Edit:
    return Edit("ann", at)


async def test_a_template_is_created_once(room: Room) -> None:
    made = await room.database.write(templates.create, ACME, "RECHARGE", FIRST, edit())

    assert (made.number, made.parts, made.author, made.created_at) == (1, FIRST, "ann", 1)
    with pytest.raises(AlreadyExists):
        await room.database.write(templates.create, ACME, "RECHARGE", SECOND, edit())
    assert await room.database.read(templates.get, ACME, "RECHARGE") == made


async def test_an_update_is_a_new_revision_and_the_old_one_stays(room: Room) -> None:
    first = await room.database.write(templates.create, ACME, "RECHARGE", FIRST, edit())
    second = await room.database.write(templates.update, ACME, "RECHARGE", SECOND, edit(2))

    assert second.number == 2
    assert await room.database.read(templates.get, ACME, "RECHARGE") == second
    assert await room.database.read(templates.numbered, ACME, "RECHARGE", 1) == first
    saved = await room.database.read(templates.list_saved, ACME, "RECHARGE", 9)
    assert [one.id for one in saved] == [second.id, first.id]


async def test_an_update_that_says_the_same_is_no_new_revision(room: Room) -> None:
    first = await room.database.write(templates.create, ACME, "RECHARGE", FIRST, edit())

    assert await room.database.write(templates.update, ACME, "RECHARGE", FIRST, edit(2)) == first


async def test_a_destroyed_template_is_the_default_and_can_be_made_again(room: Room) -> None:
    await room.database.write(templates.create, ACME, "RECHARGE", FIRST, edit())
    await room.database.write(templates.destroy, ACME, "RECHARGE")

    assert await room.database.read(templates.show, ACME, "RECHARGE") is None
    assert (await room.database.write(templates.create, ACME, "RECHARGE", SECOND, edit(2))).number == 2


async def test_what_is_not_customised_is_not_found(room: Room) -> None:
    with pytest.raises(NotFound):
        await room.database.read(templates.get, ACME, "RECHARGE")
    with pytest.raises(NotFound):
        await room.database.write(templates.update, ACME, "RECHARGE", FIRST, edit())
    with pytest.raises(NotFound):
        await room.database.write(templates.destroy, ACME, "RECHARGE")


async def test_tenants_have_templates_of_their_own(room: Room) -> None:
    mine = await room.database.write(templates.create, ACME, "RECHARGE", FIRST, edit())
    theirs = await room.database.write(templates.create, OTHER, "RECHARGE", SECOND, edit())

    assert await room.database.read(templates.list_custom, ACME) == [mine]
    assert await room.database.read(templates.list_custom, OTHER) == [theirs]
    await room.database.write(templates.destroy, OTHER, "RECHARGE")
    assert await room.database.read(templates.list_custom, ACME) == [mine]


async def test_many_are_looked_up_at_once(room: Room) -> None:
    mine = await room.database.write(templates.create, ACME, "RECHARGE", FIRST, edit())
    await room.database.write(templates.create, OTHER, "RECHARGE", SECOND, edit())
    theirs = await room.database.write(templates.update, OTHER, "RECHARGE", FIRST, edit(2))
    keys = {(ACME, "RECHARGE"), (OTHER, "RECHARGE"), (ACME, "DISK_LOW"), (TenantId("nobody"), "RECHARGE")}

    found = await room.database.read(templates.templates_in_force, keys)

    assert found == {(ACME, "RECHARGE"): mine, (OTHER, "RECHARGE"): theirs}


async def test_a_look_at_more_than_a_statement_holds_is_no_problem(room: Room) -> None:
    mine = await room.database.write(templates.create, ACME, "RECHARGE", FIRST, edit())
    keys = [(TenantId(f"tenant-{number}"), "RECHARGE") for number in range(20_000)]

    found = await room.database.read(templates.templates_in_force, [*keys, (ACME, "RECHARGE")])

    assert found == {(ACME, "RECHARGE"): mine}
