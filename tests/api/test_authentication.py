"""Who is let in: tokens, roles and scopes, revocation, and what happens to those who guess."""

import time
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from fastapi import FastAPI
from starlette.requests import Request

from ringpost.api import authentication
from ringpost.api.authentication import authenticate, may_administer, may_edit, may_read, may_send_events
from ringpost.domain.access import Principal, Role, Scope
from ringpost.domain.secrets import Secret
from ringpost.domain.tenants import SYSTEM, TenantId
from ringpost.errors import Forbidden
from ringpost.usecases.create_token import NewKey, create_token
from ringpost.usecases.create_user import NewUser, create_user
from ringpost.usecases.revoke_token import revoke_token
from ringpost.usecases.room import Room

if TYPE_CHECKING:
    from tests.conftest import Clock

ADMIN = "the-operators-own-token-from-the-environment"
PASSWORD = "correct horse battery"
Client = httpx.AsyncClient


def client_at(app: FastAPI, address: str) -> Client:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app, client=(address, 50000)), base_url="http://ringpost")


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[Client]:
    async with client_at(app, "192.0.2.1") as client:
        yield client


@pytest.fixture
async def key(room: Room, acme: TenantId) -> tuple[str, str]:
    """Id and text of a key that may do everything in its tenant."""
    token, secret = await create_token(room, acme, NewKey("PBX", frozenset({Scope.EVENTS_WRITE, Scope.SETTINGS})))
    return token.id, secret.reveal()


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def unauthorized(answer: httpx.Response) -> bool:
    error: dict[str, Any] = answer.json()["errors"][0]
    return (answer.status_code, error["code"], answer.headers.get("www-authenticate")) == (
        401,
        "UNAUTHORIZED",
        "Bearer",
    )


async def test_a_good_token_is_let_in_however_the_scheme_is_written(client: Client, key: tuple[str, str]) -> None:
    for scheme in ("Bearer", "bearer", "BEARER"):
        assert (await client.get("/deliveries", headers={"Authorization": f"{scheme} {key[1]}"})).status_code == 200


async def test_all_that_is_no_good_gets_the_same_answer(
    client: Client, room: Room, acme: TenantId, key: tuple[str, str], clock: "Clock"
) -> None:
    expired = (await create_token(room, acme, NewKey("old", expires_in_s=1)))[1].reveal()
    clock.advance(1)
    await revoke_token(room, acme, key[0])
    tries: list[dict[str, str]] = [
        {},
        {"Authorization": ""},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer "},
        {"Authorization": "Basic YWxhZGRpbjpvcGVuc2VzYW1l"},
        {"Authorization": key[1]},
        bearer("rp_key_unknown"),
        bearer("ä" * 50),
        bearer("x" * 10_000),
        bearer(expired),
        bearer(key[1]),
    ]
    answers = [await client.get("/deliveries", headers=_latin(headers)) for headers in tries]
    assert [unauthorized(answer) for answer in answers] == [True] * len(tries)
    assert len({answer.content for answer in answers}) == 1


@pytest.mark.parametrize("name", ["access_token", "token", "ACCESS_TOKEN"])
async def test_a_token_in_the_query_is_no_token(client: Client, key: tuple[str, str], name: str) -> None:
    assert unauthorized(await client.get("/deliveries", params={name: key[1]}))
    assert unauthorized(await client.get("/deliveries", params={name: key[1]}, headers=bearer(key[1])))


async def test_two_authorization_headers_are_refused(client: Client, app: FastAPI, key: tuple[str, str]) -> None:
    headers = [("Authorization", f"Bearer {key[1]}"), ("Authorization", f"Bearer {key[1]}")]
    assert (await client.get("/deliveries", headers=headers)).status_code == 400
    with pytest.raises(Exception, match="two Authorization headers"):
        await authenticate(_request(app, key[1], key[1]))


async def test_the_eleventh_bad_token_a_minute_from_one_address_has_to_wait(
    app: FastAPI, client: Client, key: tuple[str, str], clock: "Clock"
) -> None:
    for number in range(10):
        assert unauthorized(await client.get("/deliveries", headers=bearer(f"guess-{number}")))
        assert (await client.get("/deliveries", headers=bearer(key[1]))).status_code == 200, "a good one resets nothing"
        assert unauthorized(await client.get("/deliveries")), "none at all is no guess"
    clock.advance(20)
    answer = await client.get("/deliveries", headers=bearer("guess-11"))
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "40")
    assert answer.json()["errors"][0]["code"] == "RATE_LIMITED"
    assert (await client.get("/deliveries", headers=bearer(key[1]))).status_code == 200, "good ones go on"
    async with client_at(app, "192.0.2.2") as other:
        assert unauthorized(await other.get("/deliveries", headers=bearer("guess-11")))
    clock.advance(40)
    assert unauthorized(await client.get("/deliveries", headers=bearer("guess-11")))


async def test_an_ipv6_network_counts_as_one_address(app: FastAPI) -> None:
    for number in range(11):
        async with client_at(app, f"2001:db8:1:2::{number + 1:x}") as client:
            answer = await client.get("/deliveries", headers=bearer("guess"))
    assert answer.status_code == 429  # pyright: ignore[reportPossiblyUnboundVariable]


async def test_an_ipv4_address_behind_an_ipv6_socket_counts_as_itself(app: FastAPI) -> None:
    for number in range(11):
        async with client_at(app, f"::ffff:192.0.2.{number + 1}") as client:
            assert unauthorized(await client.get("/deliveries", headers=bearer("guess")))
    for _ in range(9):
        async with client_at(app, "192.0.2.1") as client:
            assert unauthorized(await client.get("/deliveries", headers=bearer("guess")))
    async with client_at(app, "::ffff:192.0.2.1") as client:
        assert (await client.get("/deliveries", headers=bearer("guess"))).status_code == 429


async def test_a_revocation_is_in_force_within_five_seconds(
    client: Client, room: Room, acme: TenantId, key: tuple[str, str], clock: "Clock"
) -> None:
    assert (await client.get("/deliveries", headers=bearer(key[1]))).status_code == 200
    clock.advance(2.9)
    await revoke_token(room, acme, key[0])
    clock.advance(4.9)
    assert unauthorized(await client.get("/deliveries", headers=bearer(key[1])))


async def test_a_token_is_not_remembered_beyond_its_end(
    client: Client, room: Room, acme: TenantId, clock: "Clock"
) -> None:
    _, secret = await create_token(room, acme, NewKey("short", expires_in_s=2))
    assert (await client.get("/deliveries", headers=bearer(secret.reveal()))).status_code == 200
    clock.advance(2)
    assert unauthorized(await client.get("/deliveries", headers=bearer(secret.reveal())))


async def test_a_remembered_token_costs_no_query_and_little_time(
    app: FastAPI, key: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    request = _request(app, key[1])
    principal = await authenticate(request)
    monkeypatch.setattr(authentication, "find_principal", None)
    best = min([await _timed(request) for _ in range(50)])
    assert await authenticate(request) is principal
    assert best < 0.000_2, "about ten microseconds; the bound leaves room for a slow machine"


async def test_what_is_remembered_is_bounded(
    app: FastAPI, room: Room, acme: TenantId, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(authentication, "MOST_REMEMBERED", 3)
    requests = [_request(app, (await create_token(room, acme, NewKey(str(n))))[1].reveal()) for n in range(5)]
    for request in requests:
        await authenticate(request)

    monkeypatch.setattr(authentication, "find_principal", None)
    for remembered in requests[2:]:
        await authenticate(remembered)
    for forgotten in requests[:2]:
        with pytest.raises(TypeError):
            await authenticate(forgotten)


async def test_the_operators_token_is_a_system_administrator(client: Client, app: FastAPI) -> None:
    assert (await client.get("/tenants", headers=bearer(ADMIN))).status_code == 200
    principal = await authenticate(_request(app, ADMIN))
    assert (principal.tenant, principal.role, principal.scopes) == (SYSTEM, Role.SYSTEM_ADMIN, frozenset(Scope))


async def test_without_an_operators_token_none_is_accepted(room: Room, app: FastAPI, client: Client) -> None:
    authentication.set_up(app, room, None)
    assert unauthorized(await client.get("/tenants", headers=bearer(ADMIN)))
    authentication.set_up(app, room, Secret(""))
    assert unauthorized(await client.get("/tenants", headers={"Authorization": "Bearer "}))


async def test_a_disabled_tenant_is_told_so_when_its_token_is_good(
    client: Client, acme: TenantId, key: tuple[str, str]
) -> None:
    draft = {"name": "Acme", "domain": "acme.example", "enabled": False}
    assert (await client.post(f"/tenants/{acme}", json=draft, headers=bearer(ADMIN))).status_code == 200
    answer = await client.get("/deliveries", headers=bearer(key[1]))
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (403, "FORBIDDEN")


# Rules --------------------------------------------------------------------------------------------------------------

TENANT = TenantId("t")
ALL, NONE = frozenset({Scope.EVENTS_WRITE, Scope.SETTINGS}), frozenset[Scope]()
WHO = {
    "tenant admin": Principal(TENANT, Role.TENANT_ADMIN, ALL, "", ""),
    "settings key": Principal(TENANT, Role.TENANT_ADMIN, frozenset({Scope.SETTINGS}), "", ""),
    "events key": Principal(TENANT, Role.TENANT_ADMIN, frozenset({Scope.EVENTS_WRITE}), "", ""),
    "read only": Principal(TENANT, Role.READ_ONLY, NONE, "", ""),
    "system admin": Principal(SYSTEM, Role.SYSTEM_ADMIN, frozenset(Scope), "", ""),
    "system events key": Principal(SYSTEM, Role.SYSTEM_ADMIN, frozenset({Scope.EVENTS_WRITE}), "", ""),
}
MAY: dict[str, tuple[Callable[[Principal], Principal], set[str]]] = {
    "read": (may_read, {"tenant admin", "settings key", "read only"}),
    "edit": (may_edit, {"tenant admin", "settings key"}),
    "send events": (may_send_events, {"tenant admin", "events key", "system admin", "system events key"}),
    "administer": (may_administer, {"system admin"}),
}


@pytest.mark.parametrize("who", WHO)
@pytest.mark.parametrize("what", MAY)
def test_everyone_may_do_what_the_table_says_and_no_more(who: str, what: str) -> None:
    check, allowed = MAY[what]
    if who in allowed:
        assert check(WHO[who]) is WHO[who]
    else:
        with pytest.raises(Forbidden):
            check(WHO[who])


async def test_a_tenants_token_does_not_reach_the_tenants(client: Client, acme: TenantId, key: tuple[str, str]) -> None:
    draft = {"name": "Acme", "domain": "acme.example"}
    answers = [
        await client.get("/tenants", headers=bearer(key[1])),
        await client.post("/tenants", json=draft, headers=bearer(key[1])),
        await client.get(f"/tenants/{acme}", headers=bearer(key[1])),
        await client.post(f"/tenants/{acme}", json=draft, headers=bearer(key[1])),
        await client.post(f"/tenants/{acme}/destroy", headers=bearer(key[1])),
    ]
    assert [answer.status_code for answer in answers] == [403] * 5


# Sessions -----------------------------------------------------------------------------------------------------------

LOGIN = {"username": "anna", "password": PASSWORD, "domain": "acme.example"}


@pytest.fixture
async def anna(room: Room, acme: TenantId) -> None:
    await create_user(room, acme, NewUser("anna", PASSWORD, Role.TENANT_ADMIN))


@pytest.mark.usefixtures("anna")
async def test_from_login_to_logout(client: Client) -> None:
    answer = await client.post("/login", json=LOGIN)
    first: dict[str, Any] = answer.json()
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    assert (first["token_type"], first["expires_in"]) == ("Bearer", 3600)
    assert set(first) == {"access_token", "refresh_token", "expires_in", "token_type"}

    second = (await client.post("/auth/refresh_token", json={"refresh_token": first["refresh_token"]})).json()
    mine = bearer(second["access_token"])
    assert (await client.get("/deliveries", headers=mine)).status_code == 200

    assert (await client.post("/logout", headers=mine)).status_code == 204
    assert unauthorized(await client.get("/deliveries", headers=mine)), "at once, in the process that was told"
    assert unauthorized(await client.post("/auth/refresh_token", json={"refresh_token": second["refresh_token"]}))
    assert unauthorized(await client.post("/logout", headers=mine))


@pytest.mark.usefixtures("anna")
async def test_the_eleventh_bad_refresh_token_a_minute_from_one_address_has_to_wait(
    app: FastAPI, client: Client, clock: "Clock"
) -> None:
    good = (await client.post("/login", json=LOGIN)).json()["refresh_token"]
    for number in range(9):
        assert unauthorized(await client.post("/auth/refresh_token", json={"refresh_token": f"guess-{number}"}))
    assert unauthorized(await client.get("/deliveries", headers=bearer("guess-10"))), "all kinds count together"
    clock.advance(20)
    answer = await client.post("/auth/refresh_token", json={"refresh_token": "guess-11"})
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "40")
    assert answer.json()["errors"][0]["code"] == "RATE_LIMITED"
    assert (await client.post("/auth/refresh_token", json={"refresh_token": good})).status_code == 200, (
        "good ones go on"
    )
    async with client_at(app, "192.0.2.2") as other:
        assert unauthorized(await other.post("/auth/refresh_token", json={"refresh_token": "guess-11"}))


@pytest.mark.usefixtures("anna")
async def test_a_wrong_password_and_an_unknown_user_get_the_same_answer(client: Client) -> None:
    answers = [
        await client.post("/login", json=LOGIN | change)
        for change in ({"password": "wrong"}, {"username": "bob"}, {"domain": "other.example"}, {"domain": None})
    ]
    assert all(unauthorized(answer) for answer in answers)
    assert len({answer.content for answer in answers}) == 1


@pytest.mark.usefixtures("anna")
@pytest.mark.parametrize("field", ["username", "password", "domain"])
async def test_a_login_with_thousands_of_combining_marks_is_refused_without_sorting_them(
    client: Client, normalised: list[int], field: str
) -> None:
    answer = await client.post("/login", json=LOGIN | {field: "a" + "\u0301" * 2000 + "\u0323" * 2000})

    assert unauthorized(answer)
    assert max(normalised, default=0) <= 1024


@pytest.mark.usefixtures("anna")
async def test_guessing_a_password_takes_longer_each_time(app: FastAPI, client: Client, clock: "Clock") -> None:
    wrong = LOGIN | {"password": "wrong"}
    for _ in range(6):
        assert unauthorized(await client.post("/login", json=wrong))
    waits: list[int] = []
    for _ in range(4):
        answer = await client.post("/login", json=LOGIN | {"username": " ANNA "})
        assert answer.status_code == 429, "also with the right password, however the name is written"
        waits.append(int(answer.headers["retry-after"]))
        clock.advance(waits[-1])
        assert unauthorized(await client.post("/login", json=wrong))
    assert waits == [1, 2, 4, 8]
    async with client_at(app, "192.0.2.2") as other:
        assert (await other.post("/login", json=LOGIN)).status_code == 200, "the account is not locked for others"
    clock.advance(16)
    assert (await client.post("/login", json=LOGIN)).status_code == 200
    assert unauthorized(await client.post("/login", json=wrong)), "a good login begins anew"


@pytest.mark.parametrize(
    "body",
    [{}, {"username": "anna"}, LOGIN | {"password": 1}, LOGIN | {"username": None}, LOGIN | {"domain": True}, []],
)
async def test_a_login_of_the_wrong_shape_is_refused_without_echo(client: Client, body: Any) -> None:
    answer = await client.post("/login", json=body)
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (422, "VALIDATE_FAILED")
    assert PASSWORD not in answer.text


async def test_a_key_does_not_log_out(client: Client, key: tuple[str, str]) -> None:
    assert (await client.post("/logout", headers=bearer(key[1]))).status_code == 403
    assert (await client.get("/deliveries", headers=bearer(key[1]))).status_code == 200


def _request(app: FastAPI, *tokens: str) -> Request:
    headers = [(b"authorization", f"Bearer {token}".encode()) for token in tokens]
    return Request({"type": "http", "headers": headers, "query_string": b"", "app": app, "client": ("192.0.2.9", 1)})


def _latin(headers: dict[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]


async def _timed(request: Request) -> float:
    begin = time.perf_counter()
    for _ in range(20):
        await authenticate(request)
    return (time.perf_counter() - begin) / 20
