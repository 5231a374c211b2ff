"""API keys: what they may, and until when."""

from typing import TYPE_CHECKING

import pytest
from tests.usecases.tokens import who

from ringpost.domain.access import Role, Scope, TokenKind
from ringpost.domain.tenants import SYSTEM, TenantDraft, TenantId
from ringpost.errors import Forbidden, Invalid, NotFound, Unauthorized
from ringpost.storage import access
from ringpost.usecases.create_tenant import create_tenant
from ringpost.usecases.create_token import NewKey, create_token
from ringpost.usecases.log_out import log_out
from ringpost.usecases.revoke_token import revoke_token
from ringpost.usecases.room import Room

if TYPE_CHECKING:
    from tests.conftest import Clock


async def test_a_key_has_the_scopes_it_was_made_with(room: Room, acme: TenantId, clock: "Clock") -> None:
    token, secret = await create_token(room, acme, NewKey("PBX", frozenset({Scope.EVENTS_WRITE})))
    clock.advance(10 * 366 * 24 * 3600)
    principal = await who(room, secret)
    assert secret.reveal().startswith("rp_key_")
    assert (principal.tenant, principal.name, principal.token_id) == (acme, "PBX", token.id)
    assert principal.scopes == {Scope.EVENTS_WRITE}
    with pytest.raises(Forbidden):
        await log_out(room, principal)


async def test_a_key_expires_when_told(room: Room, acme: TenantId, clock: "Clock") -> None:
    _, secret = await create_token(room, acme, NewKey("PBX", expires_in_s=60))
    clock.advance(60)
    with pytest.raises(Unauthorized):
        await who(room, secret)


async def test_a_revoked_key_is_no_good_and_stays_in_the_list(room: Room, acme: TenantId) -> None:
    token, secret = await create_token(room, acme, NewKey("PBX"))
    other = await create_tenant(room, TenantDraft("Other", "other.example"))
    with pytest.raises(NotFound):
        await revoke_token(room, other, token.id)
    assert await who(room, secret)
    await revoke_token(room, acme, token.id)
    await revoke_token(room, acme, token.id)
    with pytest.raises(Unauthorized):
        await who(room, secret)
    (listed,) = await room.database.read(access.list_keys, acme)
    assert (listed.id, listed.kind, listed.revoked_at) == (token.id, TokenKind.KEY, room.clock())


@pytest.mark.parametrize(
    ("tenant", "key"),
    [
        (SYSTEM, NewKey("x", role=Role.TENANT_ADMIN)),
        (SYSTEM, NewKey("x", role=Role.READ_ONLY)),
        (None, NewKey("x", role=Role.SYSTEM_ADMIN)),
        (None, NewKey("x", frozenset({Scope.ADMIN}))),
        (None, NewKey("x", frozenset({Scope.SETTINGS}), Role.READ_ONLY)),
        (None, NewKey("")),
        (None, NewKey("a\nb")),
        (None, NewKey("x" * 129)),
        (None, NewKey("x", expires_in_s=0)),
    ],
)
async def test_no_key_reaches_beyond_its_role_or_tenant(
    room: Room, acme: TenantId, tenant: TenantId | None, key: NewKey
) -> None:
    with pytest.raises(Invalid):
        await create_token(room, tenant or acme, key)
