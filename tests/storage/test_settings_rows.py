"""Settings at rest, and which mail server is in force for whom."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Connection, event, update

from ringpost.domain.endpoints import SmtpEndpoint
from ringpost.domain.server_rules import ServerRules
from ringpost.domain.settings import Settings, SystemSettings, parse_settings, parse_system_settings
from ringpost.domain.tenants import SYSTEM, TenantId
from ringpost.storage import settings, tables
from ringpost.storage.keyring import KeyRing
from ringpost.storage.sealing import SealBroken, Sealer
from ringpost.storage.settings import InForce, ServerInForce
from ringpost.usecases.room import Room

ACME, OTHER = TenantId("acme"), TenantId("other")
PASSWORD = "a-password-nobody-may-read"
RAW: dict[str, Any] = {
    "type": "SMTP",
    "server": "mail.example.com",
    "username": "pbx@acme.example",
    "password": PASSWORD,
    "recipients": "ann@example.com, bob@example.com",
    "notify_queue_callback": True,
}


def own(**changes: Any) -> Settings:
    return parse_settings(RAW | changes, ServerRules())


def system(**changes: Any) -> SystemSettings:
    return parse_system_settings(RAW | {"username": "system@example.com"} | changes, ServerRules(restricted=False))


async def save(room: Room, tenant: TenantId, wanted: Settings) -> None:
    await room.database.write(settings.save, room.sealer, tenant, wanted)


async def in_force(room: Room, tenant: TenantId = ACME) -> ServerInForce | None:
    return await room.database.read(settings.mail_server_in_force, room.sealer, tenant)


async def test_what_was_saved_is_loaded_again(room: Room) -> None:
    await save(room, ACME, own())
    await save(room, SYSTEM, system(cpu_threshold=0.75, enable_tenant_access=False))

    assert await room.database.read(settings.load, room.sealer, ACME) == own()
    loaded = await room.database.read(settings.load, room.sealer, SYSTEM)
    assert loaded == system(cpu_threshold=0.75, enable_tenant_access=False)


async def test_saving_again_replaces(room: Room) -> None:
    await save(room, ACME, own())
    await save(room, ACME, own(recipients=None, server="other.example.com"))

    loaded = await room.database.read(settings.load, room.sealer, ACME)

    assert loaded == own(recipients=None, server="other.example.com")


async def test_nothing_saved_is_the_defaults(room: Room) -> None:
    assert await room.database.read(settings.load, room.sealer, ACME) == Settings()
    assert await room.database.read(settings.load, room.sealer, SYSTEM) == SystemSettings()


async def test_showing_opens_no_password(room: Room) -> None:
    await save(room, ACME, own())

    shown = await room.database.read(settings.show, ACME)

    assert shown.mail_server is not None
    assert shown.mail_server.password is not None, "that there is one is known"
    assert shown.mail_server.password.reveal() != PASSWORD


async def test_the_password_is_not_in_the_database_files(room: Room, stored_bytes: Callable[[], bytes]) -> None:
    await save(room, ACME, own())

    stored = stored_bytes()
    assert b"pbx@acme.example" in stored, "the right files were read"
    assert PASSWORD.encode() not in stored


async def test_a_password_opens_only_with_its_key_and_in_its_place(room: Room) -> None:
    await save(room, ACME, own())

    with pytest.raises(SealBroken):
        await room.database.read(settings.load, Sealer(KeyRing.fresh()), ACME)


async def test_the_tenants_own_server_is_in_force(room: Room) -> None:
    await save(room, SYSTEM, system())
    await save(room, ACME, own(reply_to="office@acme.example"))

    server = await in_force(room)

    assert server is not None
    assert (server.lane, server.sender.spec) == (ACME, "pbx@acme.example")
    assert server.reply_to is not None
    assert server.reply_to.spec == "office@acme.example"
    assert isinstance(server.endpoint, SmtpEndpoint)
    assert server.endpoint.restricted
    assert server.endpoint.password is not None
    assert server.endpoint.password.reveal() == PASSWORD


async def test_without_its_own_a_tenant_borrows_the_systems(room: Room) -> None:
    await save(room, SYSTEM, system(reply_to="operator@example.com"))

    server = await in_force(room)

    assert server is not None
    assert isinstance(server.endpoint, SmtpEndpoint)
    assert (server.lane, server.sender.spec, server.endpoint.restricted) == (SYSTEM, "system@example.com", False)
    assert server.reply_to is not None
    assert server.reply_to.spec == "operator@example.com"


async def test_answers_to_borrowed_mail_go_to_the_tenant(room: Room) -> None:
    await save(room, SYSTEM, system(reply_to="operator@example.com"))
    await save(room, ACME, own(reply_to="office@acme.example"))

    server = await room.database.read(settings.borrowed_server, room.sealer, ACME)

    assert server is not None
    assert server.reply_to is not None
    assert (server.lane, server.reply_to.spec) == (SYSTEM, "office@acme.example")


async def test_a_server_that_is_not_lent_is_in_force_for_the_system_only(room: Room) -> None:
    await save(room, SYSTEM, system(enable_tenant_access=False))

    assert await in_force(room) is None
    assert await in_force(room, SYSTEM) is not None
    assert not await room.database.read(settings.system_server_offered)


async def test_settings_that_cannot_send_are_not_in_force(room: Room) -> None:
    await save(room, ACME, own(username="pbx"))  # no address to send from

    assert await in_force(room) is None
    await save(room, SYSTEM, system())
    borrowed = await in_force(room)
    assert borrowed is not None
    assert borrowed.lane == SYSTEM


async def test_nobody_has_a_server_when_nothing_was_saved(room: Room) -> None:
    assert await in_force(room) is None
    assert await in_force(room, SYSTEM) is None


async def test_a_reply_to_that_is_the_sender_is_left_out(room: Room) -> None:
    await save(room, ACME, own(reply_to="pbx@ACME.example"))

    server = await in_force(room)

    assert server is not None
    assert server.reply_to is None


async def test_many_tenants_are_looked_up_at_once(room: Room) -> None:
    await save(room, ACME, own())

    found = await room.database.read(settings.settings_in_force, [ACME, OTHER, ACME])

    assert found[ACME].recipients == own().recipients
    assert found[ACME].is_on("notify_queue_callback")
    assert not found[ACME].is_on("notify_queue_call_lost")
    assert (found[ACME].own_server, found[ACME].system_server) == (True, False)
    assert found[OTHER] == InForce()

    await save(room, SYSTEM, system())
    found = await room.database.read(settings.settings_in_force, [ACME, OTHER])
    assert (found[OTHER].own_server, found[OTHER].system_server) == (False, True)
    assert found[ACME].own_server


async def test_the_look_at_many_agrees_with_the_look_at_one(room: Room) -> None:
    for number, changes in enumerate(
        [{}, {"username": "pbx"}, {"type": "GMAIL"}, {"password": None, "auth": "DISABLE"}]
    ):
        wanted = own(**changes)
        await save(room, TenantId(f"tenant-{number}"), wanted)

    tenants = [TenantId(f"tenant-{number}") for number in range(5)]
    many = await room.database.read(settings.settings_in_force, tenants)

    for tenant in tenants:
        assert many[tenant].own_server == (await in_force(room, tenant) is not None), tenant


async def test_of_many_tenants_the_same_servers_are_in_force_as_of_each_alone_and_it_takes_one_query(
    room: Room,
) -> None:
    """A claim asks for those of all tenants whose mail it takes."""
    await save(room, SYSTEM, system())
    await save(room, ACME, own(reply_to="desk@acme.example"))
    await save(room, OTHER, own(username="nobody", password="another-that-is-secret"))  # cannot send: it borrows
    broken, nothing = TenantId("broken"), TenantId("nothing")
    await save(room, broken, own())
    await room.database.write(_break_seal, broken)
    asked = [ACME, OTHER, broken, nothing]

    found, statements = await room.database.read(_counted, room.sealer, asked)

    assert found == {tenant: await in_force(room, tenant) for tenant in asked if tenant != broken}
    assert {tenant: server.lane for tenant, server in found.items() if server} == {
        ACME: ACME,
        OTHER: SYSTEM,
        nothing: SYSTEM,
    }
    assert statements == 1


def _break_seal(connection: Connection, tenant: TenantId) -> None:
    connection.execute(update(tables.settings).where(tables.settings.c.tenant == tenant).values(password=b"broken"))


def _counted(
    connection: Connection, sealer: Sealer, tenants: list[TenantId]
) -> tuple[dict[TenantId, ServerInForce | None], int]:
    statements = list[str]()

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if statement.startswith("SELECT"):
            statements.append(statement)

    event.listen(connection, "before_cursor_execute", note)
    try:
        return settings.mail_servers_in_force(connection, sealer, tenants), len(statements)
    finally:
        event.remove(connection, "before_cursor_execute", note)
