"""Bad input, lists of events: what is wrong with one of them stops no other."""

import itertools
from typing import Any

import httpx
import pytest
from tests.api.posting import codes, post
from tests.turns import turns_of_others

from ringpost.domain.tenants import TenantId
from ringpost.usecases import accept_events, plan

pytestmark = pytest.mark.usefixtures("told")


async def test_1001_in_a_list_422_and_1000_fine(tenant_client: httpx.AsyncClient) -> None:
    event = {"type": "TRUNK_CONNECTED"}
    assert (await tenant_client.post("/events", json={"events": [event] * 1001})).status_code == 422
    answer = await tenant_client.post("/events", json={"events": [event] * 1000})
    assert answer.status_code == 202
    assert len(answer.json()["results"]) == 1000


async def test_while_a_list_is_read_others_get_their_turn(tenant_client: httpx.AsyncClient) -> None:
    names = (f"mañana{number}.example" for number in itertools.count())  # each is looked at letter by letter
    events = [{"type": "NOPE", "recipients": [f"a@{next(names)}" for _ in range(25)]} for _ in range(1000)]
    async with turns_of_others() as gaps:
        answer = await tenant_client.post("/events", json={"events": events})
    assert {result["status"] for result in answer.json()["results"]} == {422}
    assert gaps
    assert max(gaps) < sum(gaps) / 3


async def test_one_bad_item_does_not_stop_the_others(tenant_client: httpx.AsyncClient) -> None:
    events = [{"type": "TRUNK_CONNECTED", "id": "a"}, {"type": "NOPE"}, 7, {"type": "DISK_LOW", "id": "b"}]
    answer = await tenant_client.post("/events", json={"events": events})
    assert [result["status"] for result in answer.json()["results"]] == [202, 422, 422, 202]
    assert answer.json()["results"][1]["errors"][0]["detail"]["field"] == "type"
    assert (await tenant_client.get("/events/b")).status_code == 200


async def test_one_item_with_half_a_surrogate_does_not_stop_the_others(tenant_client: httpx.AsyncClient) -> None:
    body = rb'{"events": [{"type": "DISK_LOW", "id": "\ud800"}, {"type": "DISK_LOW", "id": "good"}]}'
    answer = await tenant_client.post("/events", content=body, headers={"Content-Type": "application/json"})
    assert [result["status"] for result in answer.json()["results"]] == [422, 202]


async def test_the_same_id_twice_in_one_list_is_one_event(tenant_client: httpx.AsyncClient) -> None:
    event = {"type": "TRUNK_CONNECTED", "id": "a"}
    other = {"type": "TRUNK_CONNECTED", "id": "a", "variables": {"TRUNK_NAME": "West"}}
    answer = await tenant_client.post("/events", json={"events": [event, event, other]})
    assert [result["status"] for result in answer.json()["results"]] == [202, 202, 409]
    assert len((await tenant_client.get("/deliveries", params={"event": "a"})).json()["items"]) == 1


@pytest.mark.parametrize("listed", [{}, "x", [], 7])
async def test_no_list_422(tenant_client: httpx.AsyncClient, listed: object) -> None:
    answer = await tenant_client.post("/events", json={"events": listed})
    assert (answer.status_code, answer.json()["errors"][0]["message"][:10]) == (422, "This must ")


@pytest.mark.parametrize("tenant", [[1], {}, {"a": 1}, 7, True])
async def test_a_tenant_that_is_no_text_does_not_stop_the_others(
    admin_client: httpx.AsyncClient, tenant_client: httpx.AsyncClient, tenant: object
) -> None:
    del tenant_client  # it is there
    domain = (await admin_client.get("/tenants")).json()["items"][0]["domain"]
    events = [{"type": "TRUNK_CONNECTED", "tenant": tenant}, {"type": "TRUNK_CONNECTED", "tenant": domain}]
    answer = await admin_client.post("/events", json={"events": events})
    assert [result["status"] for result in answer.json()["results"]] == [422, 202]
    assert (await post(admin_client, tenant=tenant)).status_code == 422


@pytest.mark.parametrize("kind_of_database", ["sqlite", "postgresql"])
@pytest.mark.parametrize("tenant", ["acme\\u0000", "\\ud800"])
async def test_a_tenant_that_no_database_can_be_asked_for_does_not_stop_the_others(
    admin_client: httpx.AsyncClient, acme: TenantId, tenant: str
) -> None:
    body = f'{{"events": [{{"type": "DISK_LOW", "tenant": "{acme}"}}, {{"type": "DISK_LOW", "tenant": "{tenant}"}}]}}'
    answer = await admin_client.post("/events", content=body, headers={"Content-Type": "application/json"})
    assert [result["status"] for result in answer.json()["results"]] == [202, 422]
    assert answer.json()["results"][1]["errors"][0]["detail"] == {"field": "tenant"}


@pytest.mark.parametrize(
    ("room_of", "fails_in"),
    [(plan, "_render"), (plan, "_seal_variables"), (vars(accept_events)["_Desk"], "_queue")],
    ids=lambda one: one if isinstance(one, str) else "",
)
async def test_a_fault_of_ours_is_of_one_event_only(
    tenant_client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, room_of: Any, fails_in: str
) -> None:
    works = getattr(room_of, fails_in)

    def fails(*arguments: Any, **named: Any) -> Any:
        if any("bad" in (getattr(one, "id", ""), getattr(getattr(one, "event", None), "id", "")) for one in arguments):
            raise OverflowError("canary-inside")
        return works(*arguments, **named)

    monkeypatch.setattr(room_of, fails_in, fails)
    events = [{"type": "TRUNK_CONNECTED", "id": name, "variables": {"X": 1}} for name in ("a", "bad", "b")]
    answer = await tenant_client.post("/events", json={"events": events})
    assert [result["status"] for result in answer.json()["results"]] == [202, 500, 202]
    assert answer.json()["results"][1]["errors"][0]["code"] == "INTERNAL"
    alone = await post(tenant_client, id="bad", variables={"X": 1})
    assert (alone.status_code, codes(alone)) == (500, ["INTERNAL"])
    assert "canary-inside" not in answer.text + alone.text
    assert (await tenant_client.get("/events/bad")).status_code == 404
    assert len((await tenant_client.get("/deliveries")).json()["items"]) == 2
