"""Bad input, tokens: none, a wrong one, one that does not reach so far."""

import httpx
import pytest
from tests.api.octets import code_of

SETTINGS = "/tenant/notification"


async def test_no_token_and_basic_and_an_unknown_one_get_the_same_answer(anyone: httpx.AsyncClient) -> None:
    answers = [
        await anyone.get(SETTINGS, headers=headers)
        for headers in ({}, {"Authorization": "Basic dTpw"}, {"Authorization": "Bearer nobody"}, {"Authorization": ""})
    ]

    assert {answer.status_code for answer in answers} == {401}
    assert {answer.headers["www-authenticate"] for answer in answers} == {"Bearer"}
    assert len({answer.content for answer in answers}) == 1


@pytest.mark.parametrize("scheme", ["", "Token "])
async def test_who_leaves_bearer_out_learns_how_to_send_a_token(
    anyone: httpx.AsyncClient, acme_token: str, scheme: str
) -> None:
    answer = await anyone.get(SETTINGS, headers={"Authorization": f"{scheme}{acme_token}"})

    assert (answer.status_code, code_of(answer)) == (401, "UNAUTHORIZED")
    assert "Authorization: Bearer TOKEN" in answer.json()["errors"][0]["message"]


async def test_a_token_in_the_query_is_no_token(anyone: httpx.AsyncClient, acme_token: str) -> None:
    assert (await anyone.get(SETTINGS, params={"access_token": acme_token})).status_code == 401


async def test_two_authorization_headers_are_400(anyone: httpx.AsyncClient, acme_token: str) -> None:
    twice = [("Authorization", f"Bearer {acme_token}"), ("Authorization", f"Bearer {acme_token}")]

    answer = await anyone.get(SETTINGS, headers=twice)

    assert (answer.status_code, code_of(answer)) == (400, "BAD_REQUEST")


async def test_a_tenants_token_on_admin_is_403(tenant_client: httpx.AsyncClient) -> None:
    answer = await tenant_client.get("/admin/notification")

    assert (answer.status_code, code_of(answer)) == (403, "FORBIDDEN")


async def test_the_11th_bad_token_a_minute_from_one_address_is_429(anyone: httpx.AsyncClient) -> None:
    for number in range(10):
        assert (await anyone.get(SETTINGS, headers={"Authorization": f"Bearer guess-{number}"})).status_code == 401

    answer = await anyone.get(SETTINGS, headers={"Authorization": "Bearer guess-11"})

    assert (answer.status_code, code_of(answer)) == (429, "RATE_LIMITED")
    assert int(answer.headers["retry-after"]) > 0


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"type": 7}'])
async def test_a_stranger_gets_401_whatever_the_body(anyone: httpx.AsyncClient, content: bytes) -> None:
    for kind in ("application/json", "text/plain"):
        answer = await anyone.post("/tenant/notification", content=content, headers={"Content-Type": kind})
        assert answer.status_code == 401, answer.text
