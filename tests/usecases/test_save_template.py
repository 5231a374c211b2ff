"""Saving what was edited for a while, and restoring what was saved before."""

import pytest
from tests.conftest import Clock

from ringpost.domain.access import SCOPES_OF_ROLE, Principal, Role
from ringpost.domain.templates import Parts
from ringpost.domain.tenants import TenantId
from ringpost.errors import Invalid, NotFound
from ringpost.storage import audit, templates
from ringpost.storage.audit import Filter
from ringpost.usecases.edit_template import destroy_template
from ringpost.usecases.restore_template import restore_template
from ringpost.usecases.room import Room
from ringpost.usecases.save_template import ChangedMeanwhile, Edited, save_template

pytestmark = pytest.mark.usefixtures("acme_itself")

ACME = TenantId("acme")
ANN = Principal(ACME, Role.TENANT_ADMIN, SCOPES_OF_ROLE[Role.TENANT_ADMIN], "ann", "token")
BOB = Principal(ACME, Role.TENANT_ADMIN, SCOPES_OF_ROLE[Role.TENANT_ADMIN], "bob", "token")


async def test_nobody_overwrites_what_they_have_not_seen(room: Room, clock: Clock) -> None:
    first = await save_template(room, ANN, Edited("RECHARGE", Parts(subject="One"), ""))
    assert first is not None
    clock.advance(1)
    second = await save_template(room, BOB, Edited("RECHARGE", Parts(subject="Two"), first.id))

    with pytest.raises(ChangedMeanwhile) as refused:
        await save_template(room, ANN, Edited("RECHARGE", Parts(subject="Three"), first.id))

    assert refused.value.now == second
    assert (await room.database.read(templates.get, ACME, "RECHARGE")).parts.subject == "Two"


async def test_a_reset_meanwhile_is_a_change_too(room: Room) -> None:
    first = await save_template(room, ANN, Edited("RECHARGE", Parts(subject="One"), ""))
    assert first is not None
    await destroy_template(room, BOB, "RECHARGE")

    with pytest.raises(ChangedMeanwhile) as refused:
        await save_template(room, ANN, Edited("RECHARGE", Parts(subject="Two"), first.id))

    assert refused.value.now is None


async def test_who_says_the_same_is_not_refused(room: Room) -> None:
    first = await save_template(room, ANN, Edited("RECHARGE", Parts(subject="One"), ""))

    assert await save_template(room, BOB, Edited("RECHARGE", Parts(subject="One"), "")) == first


async def test_without_any_part_of_its_own_it_is_the_default(room: Room) -> None:
    first = await save_template(room, ANN, Edited("RECHARGE", Parts(subject="One"), ""))
    assert first is not None

    assert await save_template(room, ANN, Edited("RECHARGE", Parts(), first.id)) is None

    assert await room.database.read(templates.show, ACME, "RECHARGE") is None


async def test_what_no_mail_can_hold_is_refused(room: Room) -> None:
    with pytest.raises(Invalid):
        await save_template(room, ANN, Edited("RECHARGE", Parts(subject="two\nlines"), ""))


async def test_an_old_revision_comes_back_as_a_new_one(room: Room, clock: Clock) -> None:
    first = await save_template(room, ANN, Edited("RECHARGE", Parts(subject="One"), ""))
    assert first is not None
    clock.advance(1)
    await save_template(room, ANN, Edited("RECHARGE", Parts(subject="Two"), first.id))
    clock.advance(1)

    restored = await restore_template(room, BOB, "RECHARGE", 1)

    assert (restored.number, restored.author, restored.parts) == (3, "bob", Parts(subject="One"))
    assert await room.database.read(templates.get, ACME, "RECHARGE") == restored
    saved = await room.database.read(templates.list_saved, ACME, "RECHARGE", 2)
    assert [(one.number, one.author) for one in saved] == [(3, "bob"), (2, "ann")]
    newest = (await room.database.read(audit.page, ACME, Filter(), 99))[0]
    assert (newest.action, newest.subject, newest.fields) == ("update_template", "RECHARGE", ("subject",))


async def test_a_revision_is_restored_after_going_back_to_the_default(room: Room, clock: Clock) -> None:
    await save_template(room, ANN, Edited("RECHARGE", Parts(subject="One"), ""))
    clock.advance(1)
    await destroy_template(room, ANN, "RECHARGE")
    clock.advance(1)

    assert (await restore_template(room, ANN, "RECHARGE", 1)).number == 2
    in_force = await room.database.read(templates.list_in_force, ACME)
    assert [(name, one.number) for name, one in in_force.items()] == [("RECHARGE", 2)]


async def test_there_is_nothing_to_restore_of_others(room: Room) -> None:
    await save_template(room, ANN, Edited("RECHARGE", Parts(subject="One"), ""))
    stranger = Principal(TenantId("other"), Role.TENANT_ADMIN, ANN.scopes, "eve", "token")

    with pytest.raises(NotFound):
        await restore_template(room, stranger, "RECHARGE", 1)
