"""Tenants over HTTP, for system administrators."""

import re
from typing import TYPE_CHECKING, Any

import httpx
import pytest

if TYPE_CHECKING:
    from tests.conftest import Clock

ACME = {"name": "Acme Ltd.", "domain": "acme.example", "enabled": True, "timezone": "Europe/Berlin", "locale": "de-CH"}
Client = httpx.AsyncClient


@pytest.fixture
def client(admin_client: Client) -> Client:
    """The system administrator."""
    return admin_client


async def created(client: Client, **fields: Any) -> str:
    answer = await client.post("/tenants", json=ACME | fields)
    assert answer.status_code == 201, answer.text
    return answer.json()["id"]


async def test_a_tenant_is_shown_as_it_was_created(client: Client) -> None:
    tenant = await created(client)
    shown = (await client.get(f"/tenants/{tenant}")).json()
    assert shown == ACME | {"id": tenant, "created_at": "2027-01-15T08:00:00.000Z"}
    assert (await client.get("/tenants")).json() == {"items": [shown]}
    assert (await client.get(f"/api/tenants/{tenant}")).json() == shown


async def test_what_is_left_out_or_null_takes_its_default(client: Client) -> None:
    tenant = await created(client)
    for fields in ({"name": "A", "domain": "a.example"}, ACME | {"enabled": None, "timezone": None, "locale": None}):
        answer = await client.post(f"/tenants/{tenant}", json=fields)
        assert (answer.status_code, answer.content) == (200, b"")
        shown = (await client.get(f"/tenants/{tenant}")).json()
        assert (shown["enabled"], shown["timezone"], shown["locale"]) == (True, "UTC", "en")


async def test_what_was_read_and_posted_back_changes_nothing(client: Client, clock: "Clock") -> None:
    tenant = await created(client)
    before = (await client.get(f"/tenants/{tenant}")).json()
    clock.advance(60)
    assert (await client.post(f"/tenants/{tenant}", json=before)).status_code == 200
    assert (await client.get(f"/tenants/{tenant}")).json() == before


async def test_a_domain_belongs_to_one_tenant_however_it_is_written(client: Client) -> None:
    await created(client, domain="münchen.example")
    for same in ("MÜNCHEN.example", " xn--mnchen-3ya.example ", "mu\u0308nchen.example"):
        answer = await client.post("/tenants", json=ACME | {"domain": same})
        assert (answer.status_code, answer.json()["errors"][0]["code"]) == (409, "ALREADY_EXISTS")
    other = await created(client)
    assert (await client.post(f"/tenants/{other}", json=ACME | {"domain": "münchen.example"})).status_code == 409
    assert [item["domain"] for item in (await client.get("/tenants")).json()["items"]].count("münchen.example") == 1


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", None),
        ("name", ""),
        ("name", "   "),
        ("name", "x" * 129),
        ("name", "a\r\nb"),
        ("name", 1),
        ("domain", None),
        ("domain", ""),
        ("domain", "a b"),
        ("domain", "http://a.example"),
        ("domain", "a.example:443"),
        ("domain", "-a.example"),
        ("domain", "a..example"),
        ("domain", "x" * 64 + ".example"),
        ("domain", "192.0.2.1"),
        ("domain", "2001:db8::1"),
        ("domain", "2130706433"),
        ("domain", "a_b.example"),
        ("enabled", "true"),
        ("enabled", 1),
        ("timezone", "Mars/Olympus"),
        ("timezone", "localtime"),
        ("timezone", "posixrules"),
        ("timezone", "../../etc/passwd"),
        ("timezone", "europe/berlin"),
        ("locale", "deutsch!"),
        ("locale", "de_CH"),
        ("locale", "x" * 36),
        ("locale", "en-u-ca-buddhist"),
        ("locale", "x-private"),
    ],
)
async def test_a_wrong_field_is_refused_by_name_and_changes_nothing(client: Client, field: str, value: Any) -> None:
    tenant = await created(client)
    before = (await client.get("/tenants")).json()
    for path in ("/tenants", f"/tenants/{tenant}"):
        answer = await client.post(path, json=ACME | {"domain": "new.example"} | {field: value})
        (error,) = answer.json()["errors"]
        assert (answer.status_code, error["code"], error["detail"]["field"]) == (422, "VALIDATE_FAILED", field)
    assert (await client.get("/tenants")).json() == before


@pytest.mark.parametrize(
    ("field", "good", "bad"),
    [
        ("name", ["Acme Ltd.", "x" * 128], ["", "x" * 129, "a\nb", "a\x9fb"]),
        ("domain", ["acme.example"], ["", "x" * 254]),
        ("timezone", ["Europe/Berlin", "Etc/GMT+12", "", None], ["../etc", "x" * 65, "Europe/Berlin\n"]),
        ("locale", ["de-CH", "sr-Latn-RS", "de-1996", "", None], ["de_CH", "x-private", "en-u-ca-buddhist", "x" * 36]),
    ],
)
async def test_the_document_tells_what_fields_may_be(
    client: Client, field: str, good: list[Any], bad: list[Any]
) -> None:
    schemas = (await client.get("/openapi.json")).json()["components"]["schemas"]
    told = schemas["TenantRequest"]["properties"][field]
    shapes = [one for one in told.get("anyOf", [told]) if one["type"] == "string"]

    def fits(value: str | None) -> bool:
        if value is None:
            return {"type": "null"} in told.get("anyOf", [])
        (shape,) = shapes
        long_enough = shape.get("minLength", 0) <= len(value) <= shape["maxLength"]
        return long_enough and re.search(shape.get("pattern", "").replace("$", r"\Z"), value) is not None

    assert [fits(value) for value in good] == [True] * len(good)
    assert [fits(value) for value in bad] == [False] * len(bad)


@pytest.mark.parametrize("nothing", [{}, {"name": None, "domain": None}])
async def test_a_field_that_is_needed_is_missing_when_it_is_null(client: Client, nothing: dict[str, Any]) -> None:
    errors = (await client.post("/tenants", json=nothing)).json()["errors"]

    assert [(error["detail"]["field"], error["message"]) for error in errors] == [
        ("name", "This field is required."),
        ("domain", "This field is required."),
    ]


async def test_all_wrong_fields_are_named_at_once(client: Client) -> None:
    answer = await client.post("/tenants", json={"name": "", "domain": "", "timezone": "x", "locale": "?"})
    fields = [error["detail"]["field"] for error in answer.json()["errors"]]
    assert fields == ["name", "domain", "timezone", "locale"]


@pytest.mark.parametrize("name", ["localhost", "pbx", "a-b.example", "例子.公司"])
async def test_domains_of_phone_systems_are_taken(client: Client, name: str) -> None:
    tenant = await created(client, domain=name)
    assert (await client.get(f"/tenants/{tenant}")).json()["domain"] == name


@pytest.mark.parametrize("tenant", ["nobody", "system", "%20", "' OR 1=1"])
async def test_a_tenant_that_is_not_there_is_not_found(client: Client, tenant: str) -> None:
    answers = [
        await client.get(f"/tenants/{tenant}"),
        await client.post(f"/tenants/{tenant}", json=ACME),
        await client.post(f"/tenants/{tenant}/destroy"),
    ]
    assert [answer.status_code for answer in answers] == [404] * 3


async def test_a_destroyed_tenant_is_gone_and_its_domain_is_free(client: Client) -> None:
    tenant = await created(client)
    answer = await client.post(f"/tenants/{tenant}/destroy")
    assert (answer.status_code, answer.content) == (204, b"")
    assert (await client.get(f"/tenants/{tenant}")).status_code == 404
    assert (await client.post(f"/tenants/{tenant}/destroy")).status_code == 404
    assert await created(client) != tenant


async def test_the_list_is_read_in_pages(client: Client) -> None:
    for number in range(5):
        await created(client, domain=f"t{number}.example")
    first = (await client.get("/tenants", params={"top": 3})).json()["items"]
    rest = (await client.get("/tenants", params={"top": 3, "skip": 3})).json()["items"]
    assert len(first) == 3
    assert {item["domain"] for item in first + rest} == {f"t{number}.example" for number in range(5)}
    assert (await client.get("/tenants", params={"top": 0})).status_code == 422
    assert (await client.get("/tenants", params={"skip": "1_0"})).status_code == 422
