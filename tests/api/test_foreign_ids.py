"""Every operation of the API, given what names things of another tenant wherever a name may stand.

Nothing of it is shown, and nothing of it changes.
"""

import re
from collections.abc import AsyncIterator, Iterator, Sequence
from itertools import product
from typing import Any, NamedTuple
from urllib.parse import quote

import httpx
import pytest
from tests.console import theirs
from tests.console.theirs import MARK, NAMED_BY_TYPE, TEMPLATE, Theirs

from ringpost.domain.tenants import TenantId
from ringpost.usecases.room import Room


class Operation(NamedTuple):
    """What the API's document says of one way to call it."""

    method: str
    path: str
    parameters: list[str]
    fields: list[str]

    @property
    def is_of_the_system(self) -> bool:
        """Whether no tenant's key may call it."""
        return "/admin/" in self.path or "/tenants" in self.path

    def path_to(self, name: str) -> str:
        """Its path with a name in the place of every part that says which thing is meant."""
        known = {"name": TEMPLATE, "number": "1"}
        return re.sub(r"{(\w+)}", lambda found: known.get(found[1], quote(name, safe="")), self.path)

    @property
    def names_a_thing(self) -> bool:
        """Whether its path says which of a tenant's things is meant."""
        return bool(set(re.findall(r"{(\w+)}", self.path)) - NAMED_BY_TYPE)


@pytest.fixture
async def foreign(room: Room, other: TenantId) -> Theirs:
    """All that there is of the other tenant."""
    await theirs.furnish(room, other, "other.example")
    return await theirs.of(room, other)


def operations(document: dict[str, Any]) -> Iterator[Operation]:
    """All that a key is asked for."""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            if operation.get("security", document.get("security")):
                parameters = [one["name"] for one in operation.get("parameters", ()) if one["in"] == "query"]
                body = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
                yield Operation(method, path, parameters, _fields(document, body.get("schema", {})))


def _fields(document: dict[str, Any], schema: dict[str, Any]) -> list[str]:
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    found = list(schema.get("properties", ()))
    for part in (*schema.get("anyOf", ()), *schema.get("oneOf", ()), *schema.get("allOf", ())):
        found += _fields(document, part)
    return found


async def ask(client: httpx.AsyncClient, operation: Operation, names: Sequence[str]) -> AsyncIterator[httpx.Response]:
    """Call an operation with each name in the place of every part of its path, and with each in every other place."""
    for name in names:
        path = operation.path_to(name)
        if operation.method == "post":
            yield await client.post(path, json=dict.fromkeys(operation.fields, name))
            continue
        yield await client.get(path)
        for parameter, value in product(operation.parameters, names):
            yield await client.get(path, params={parameter: value})


async def test_nothing_of_another_tenant_is_shown_or_changed_whatever_is_asked_for(
    tenant_client: httpx.AsyncClient, room: Room, other: TenantId, foreign: Theirs
) -> None:
    asked = list(operations((await tenant_client.get("/openapi.json")).json()))

    for operation in asked:
        async for answer in ask(tenant_client, operation, foreign.ids):
            assert MARK.lower() not in answer.text.lower(), (operation, answer.request.url)
            assert answer.status_code < 500, (operation, answer.request.url)
            if operation.is_of_the_system:
                assert answer.status_code == 403, (operation, answer.request.url)
            elif operation.names_a_thing:
                assert answer.status_code == 404, (operation, answer.request.url)

    assert len(asked) > 40
    assert (await theirs.of(room, other)).rows == foreign.rows


async def test_an_event_may_have_the_id_of_another_tenants(
    tenant_client: httpx.AsyncClient, room: Room, other: TenantId, foreign: Theirs
) -> None:
    taken = next(row["key"] for row in foreign.rows["events"])

    answer = await tenant_client.post("/events", json={"type": "TRUNK_DISCONNECTED", "id": taken})

    assert answer.status_code == 202
    assert (await theirs.of(room, other)).rows == foreign.rows
