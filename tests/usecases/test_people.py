"""Logging in, and the people who do: what lets whom in."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import Connection, select
from tests.usecases.people import ANNA, DRAFT, PASSWORD, login
from tests.usecases.tokens import who

from ringpost.domain.access import Principal, Role, Scope, User
from ringpost.domain.secrets import Secret
from ringpost.domain.tenants import SYSTEM, TenantDraft, TenantId
from ringpost.errors import AlreadyExists, Forbidden, Invalid, NotFound, Unauthorized
from ringpost.storage import access, audit, passwords, tables
from ringpost.storage.audit import Filter
from ringpost.usecases.accept_invitation import accept_invitation
from ringpost.usecases.change_tenant import change_tenant
from ringpost.usecases.change_user import UserChange, change_user
from ringpost.usecases.create_tenant import create_tenant
from ringpost.usecases.create_token import NewKey, create_token
from ringpost.usecases.create_user import NewUser, create_user
from ringpost.usecases.destroy_tenant import destroy_tenant
from ringpost.usecases.destroy_user import destroy_user
from ringpost.usecases.invite_user import Guest, invite_user
from ringpost.usecases.log_in import Login, log_in
from ringpost.usecases.refresh_login import refresh_login
from ringpost.usecases.revoke_token import revoke_token
from ringpost.usecases.room import Room
from ringpost.usecases.sign_in import sign_in
from ringpost.usecases.sign_out import sign_out_everywhere
from ringpost.usecases.withdraw_invitation import withdraw_invitation

if TYPE_CHECKING:
    from tests.conftest import Clock


def sign_in_somewhere(room: Room, who: Login) -> Awaitable[Secret]:
    return sign_in(room, who, "a browser")


async def test_a_login_stands_for_its_user(room: Room, acme: TenantId, anna: User) -> None:
    pair = await log_in(room, login())
    principal = await who(room, pair.access)
    assert (principal.tenant, principal.role, principal.name) == (acme, Role.TENANT_ADMIN, anna.username)
    assert principal.scopes == {Scope.EVENTS_WRITE, Scope.SETTINGS}
    assert pair.access.reveal().startswith("rp_access_")
    assert pair.refresh.reveal().startswith("rp_refresh_")
    assert pair.expires_in == 3600


@pytest.mark.usefixtures("anna")
@pytest.mark.parametrize("domain", ["acme.example", "ACME.Example", " acme.example "])
@pytest.mark.parametrize("username", ["anna", "ANNA", " Anna", "\uff21\uff4e\uff4e\uff41"])
async def test_case_and_width_of_names_do_not_matter(room: Room, username: str, domain: str) -> None:
    assert await log_in(room, login(username, domain=domain))


@pytest.mark.usefixtures("anna")
async def test_a_password_may_be_typed_in_either_unicode_form(room: Room, acme: TenantId) -> None:
    await create_user(room, acme, NewUser("zoe", "pässwörd pässwörd", Role.READ_ONLY))
    assert await log_in(room, login("zoe", "pa\u0308sswo\u0308rd pa\u0308sswo\u0308rd"))


@pytest.mark.usefixtures("anna")
@pytest.mark.parametrize(
    "wrong",
    [
        login(password="correct horse batteri"),
        login(password=""),
        login(password=PASSWORD + " "),
        login(password="x" * 100_000),
        login(password="\ud800" * 12),
        login(username="bob"),
        login(username=""),
        login(username="anna\0"),
        login(username="x" * 100_000),
        login(domain="other.example"),
        login(domain="not a domain"),
        login(domain=None),
    ],
    ids=range(12),
)
async def test_whatever_is_wrong_gets_the_same_answer(room: Room, wrong: Login) -> None:
    with pytest.raises(Unauthorized) as caught:
        await log_in(room, wrong)
    assert caught.value.message == "The username or the password is wrong."


@pytest.mark.usefixtures("anna")
async def test_a_hash_is_verified_also_when_there_is_no_such_user(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    verified: list[str] = []
    verify = passwords._verify  # pyright: ignore[reportPrivateUsage]

    def counted(password: str, stored: str) -> bool:
        verified.append(stored)
        return verify(password, stored)

    monkeypatch.setattr(passwords, "_verify", counted)
    for wrong in (login("bob"), login(domain="other.example"), login(password="wrong")):
        with pytest.raises(Unauthorized):
            await log_in(room, wrong)
    assert len(verified) == 3
    shapes = {(stored.rsplit("$", 2)[0], *map(len, stored.rsplit("$", 2)[1:])) for stored in verified}
    assert shapes == {("$argon2id$v=19$m=19456,t=2,p=1", 22, 43)}, "the same work for all"


@pytest.mark.usefixtures("anna")
async def test_the_password_of_nobody_lets_nobody_in(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "_NOBODY", await passwords.hash_password(Secret("the password of nobody")))
    with pytest.raises(Unauthorized):
        await log_in(room, login("bob", "the password of nobody"))


async def test_a_disabled_user_cannot_log_in_and_is_logged_out(room: Room, acme: TenantId, anna: User) -> None:
    pair = await log_in(room, login())
    await change_user(room, acme, anna.id, UserChange(enabled=False))
    for refused in (who(room, pair.access), refresh_login(room, pair.refresh), log_in(room, login())):
        with pytest.raises(Unauthorized):
            await refused


async def test_the_people_of_a_disabled_tenant_are_kept_out(room: Room, acme: TenantId, anna: User) -> None:
    pair = await log_in(room, login())
    await change_tenant(room, acme, TenantDraft("Acme", "acme.example", enabled=False))
    with pytest.raises(Forbidden):
        await who(room, pair.access)
    for refused in (refresh_login(room, pair.refresh), log_in(room, login(anna.username))):
        with pytest.raises(Unauthorized):
            await refused
    await change_tenant(room, acme, DRAFT)
    assert (await who(room, pair.access)).tenant == acme


async def test_another_password_ends_all_sessions(room: Room, acme: TenantId, anna: User) -> None:
    pair = await log_in(room, login())
    await change_user(room, acme, anna.id, UserChange(password="another long password"))
    for refused in (who(room, pair.access), refresh_login(room, pair.refresh), log_in(room, login())):
        with pytest.raises(Unauthorized):
            await refused
    assert await log_in(room, login(password="another long password"))


@pytest.mark.parametrize("begin", [pytest.param(log_in, id="login"), pytest.param(sign_in_somewhere, id="console")])
async def test_a_password_that_is_changed_while_it_is_checked_lets_nobody_in(
    room: Room, acme: TenantId, anna: User, monkeypatch: pytest.MonkeyPatch, begin: Callable[..., Awaitable[Any]]
) -> None:
    check = passwords.verify_password

    async def check_slowly(password: Secret, stored: str | None) -> bool:
        right = await check(password, stored)
        monkeypatch.setattr(passwords, "verify_password", check)
        await change_user(room, acme, anna.id, UserChange(password="another long password"))
        return right

    monkeypatch.setattr(passwords, "verify_password", check_slowly)
    with pytest.raises(Unauthorized):
        await begin(room, login())
    assert await begin(room, login(password="another long password"))


async def test_another_role_is_in_force_for_tokens_that_are_out(room: Room, acme: TenantId, anna: User) -> None:
    pair = await log_in(room, login())
    await change_user(room, acme, anna.id, UserChange(role=Role.READ_ONLY))
    principal = await who(room, pair.access)
    assert (principal.role, principal.scopes) == (Role.READ_ONLY, frozenset())


async def test_a_user_that_was_destroyed_is_gone_with_all_sessions(room: Room, acme: TenantId, anna: User) -> None:
    pair = await log_in(room, login())
    await destroy_user(room, acme, anna.id)
    for refused in (who(room, pair.access), refresh_login(room, pair.refresh), log_in(room, login())):
        with pytest.raises(Unauthorized):
            await refused
    with pytest.raises(NotFound):
        await destroy_user(room, acme, anna.id)


@pytest.mark.usefixtures("anna")
async def test_an_access_token_expires(room: Room, clock: "Clock") -> None:
    pair = await log_in(room, login())
    clock.advance(3599)
    assert await who(room, pair.access)
    clock.advance(1)
    with pytest.raises(Unauthorized):
        await who(room, pair.access)


@pytest.mark.usefixtures("anna")
async def test_hashes_with_other_parameters_are_renewed_at_the_next_login(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stored(connection: Connection) -> str:
        return connection.execute(select(tables.users.c.password_hash)).scalar_one()

    before = await room.database.read(stored)
    stronger = passwords.PasswordHasher(time_cost=3, memory_cost=19 * 1024, parallelism=1)
    monkeypatch.setattr(passwords, "_hasher", stronger)
    await log_in(room, login())
    after = await room.database.read(stored)
    assert "t=2" in before
    assert "t=3" in after
    await log_in(room, login())
    assert await room.database.read(stored) == after


@pytest.mark.usefixtures("anna")
async def test_logins_at_once_that_renew_the_hash_all_let_in(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    stronger = passwords.PasswordHasher(time_cost=3, memory_cost=19 * 1024, parallelism=1)
    monkeypatch.setattr(passwords, "_hasher", stronger)
    for pair in await asyncio.gather(*(log_in(room, login()) for _ in range(4))):
        assert await who(room, pair.access)


# People -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("new", "field"),
    [
        (NewUser("", PASSWORD, Role.READ_ONLY), "username"),
        (NewUser("a\nb", PASSWORD, Role.READ_ONLY), "username"),
        (NewUser("x" * 129, PASSWORD, Role.READ_ONLY), "username"),
        (NewUser("bob", "elevenchars", Role.READ_ONLY), "password"),
        (NewUser("bob", "ä" * 513, Role.READ_ONLY), "password"),
        (NewUser("bob", "\ud800" * 12, Role.READ_ONLY), "password"),
        (NewUser("bob", PASSWORD, Role.SYSTEM_ADMIN), "role"),
    ],
)
async def test_a_wrong_user_is_refused_by_field(room: Room, acme: TenantId, new: NewUser, field: str) -> None:
    with pytest.raises(Invalid) as caught:
        await create_user(room, acme, new)
    assert [error.field for error in caught.value.errors] == [field]
    assert new.password not in str(caught.value)


@pytest.mark.usefixtures("anna")
async def test_a_username_is_taken_once_per_tenant(room: Room, acme: TenantId) -> None:
    with pytest.raises(AlreadyExists):
        await create_user(room, acme, NewUser("ANNA", PASSWORD, Role.READ_ONLY))
    other = await create_tenant(room, TenantDraft("Other", "other.example"))
    assert await create_user(room, other, ANNA)


async def test_a_system_administrator_logs_in_without_a_domain(room: Room) -> None:
    await create_user(room, SYSTEM, NewUser("root", PASSWORD, Role.SYSTEM_ADMIN))
    pair = await log_in(room, login("root", domain=None))
    assert (await who(room, pair.access)).scopes == frozenset(Scope)
    assert (await refresh_login(room, pair.refresh)).access != pair.access


async def test_a_token_stands_for_nobody_whose_user_is_disabled_or_that_only_refreshes(
    room: Room, acme: TenantId, anna: User
) -> None:
    pair = await log_in(room, login())
    with pytest.raises(Unauthorized):
        await who(room, pair.refresh)
    assert (await who(room, pair.access)).name == anna.username
    await room.database.write(access.change_user, acme, anna.id, {"enabled": False})  # and its sessions live on
    with pytest.raises(Unauthorized):
        await who(room, pair.access)


async def test_a_link_that_is_followed_twice_at_once_sets_one_password(room: Room, acme: TenantId) -> None:
    secret = await invite_user(room, acme, Guest("zoe", Role.READ_ONLY))
    chosen = ("the first long password", "the other long password")
    begun = await asyncio.gather(
        *(accept_invitation(room, secret, one, "a browser") for one in chosen), return_exceptions=True
    )
    assert {type(one) for one in begun} == {Secret, NotFound}
    (right,) = (one for one, session in zip(chosen, begun, strict=True) if isinstance(session, Secret))
    assert await log_in(room, login("zoe", right))


# What is kept -------------------------------------------------------------------------------------------------------


async def test_every_change_is_in_the_audit_log_without_values(room: Room, acme: TenantId, anna: User) -> None:
    actor = Principal(SYSTEM, Role.SYSTEM_ADMIN, frozenset(), "root", "t")
    token, _ = await create_token(room, acme, NewKey("PBX"), actor)
    await revoke_token(room, acme, token.id, actor)
    await change_user(room, acme, anna.id, UserChange(password="another long password", role=Role.READ_ONLY), actor)
    await change_tenant(room, acme, TenantDraft("Acme", "acme.example", locale="de"), actor)
    await change_tenant(room, acme, TenantDraft("Acme", "acme.example", locale="de"), actor)
    await destroy_tenant(room, acme, actor)
    mine = await room.database.read(audit.page, acme, Filter(), 99)
    of_the_system = await room.database.read(audit.page, SYSTEM, Filter(), 99)
    assert {(entry.action, entry.subject, entry.fields) for entry in mine} == {
        ("create_user", anna.id, ()),
        ("create_token", token.id, ()),
        ("revoke_token", token.id, ()),
        ("change_user", anna.id, ("role", "password")),
    }
    assert {(entry.action, entry.actor, entry.fields) for entry in of_the_system} == {
        ("create_tenant", "cli", ()),
        ("change_tenant", "root", ("locale",)),
        ("destroy_tenant", "root", ()),
    }
    assert len(of_the_system) == 3


async def test_every_invitation_and_what_becomes_of_it_is_in_the_audit_log(room: Room, acme: TenantId) -> None:
    actor = Principal(acme, Role.TENANT_ADMIN, frozenset(), "boss", "t")
    await invite_user(room, acme, Guest("ben", Role.READ_ONLY), actor)
    await withdraw_invitation(room, acme, "ben", actor)
    secret = await invite_user(room, acme, Guest("zoe", Role.READ_ONLY), actor)
    await accept_invitation(room, secret, PASSWORD, "a browser")
    (zoe,) = await room.database.read(access.list_users, acme)
    await sign_out_everywhere(room, zoe)
    await destroy_user(room, acme, zoe.id, actor)

    log = await room.database.read(audit.page, acme, Filter(), 99)
    assert sorted((entry.action, entry.actor, entry.subject, entry.fields) for entry in log) == [
        ("accept_invitation", "zoe", zoe.id, ("password",)),
        ("destroy_user", "boss", zoe.id, ()),
        ("invite_user", "boss", "ben", ()),
        ("invite_user", "boss", "zoe", ()),
        ("sign_out_everywhere", "zoe", zoe.id, ()),
        ("withdraw_invitation", "boss", "ben", ()),
    ]


@pytest.mark.usefixtures("anna")
async def test_no_token_and_no_password_is_in_the_database_file(
    room: Room, acme: TenantId, stored_bytes: Callable[[], bytes]
) -> None:
    _, key = await create_token(room, acme, NewKey("PBX"))
    first = await log_in(room, login())
    second = await refresh_login(room, first.refresh)
    canaries = [PASSWORD.encode()]
    secrets = (key, first.access, first.refresh, second.access, second.refresh)
    canaries += [secret.reveal().split("_", 2)[2].encode() for secret in secrets]
    files = stored_bytes()
    assert b"acme.example" in files, "the right files were read"
    assert [canary for canary in canaries if canary in files] == []
    for secret in (key, first, second):
        assert "rp_" not in repr(secret)


async def test_keys_and_users_need_a_tenant_that_exists(room: Room) -> None:
    nowhere = TenantId("nowhere")
    with pytest.raises(NotFound):
        await create_token(room, nowhere, NewKey("x"))
    with pytest.raises(NotFound):
        await create_user(room, nowhere, ANNA)
