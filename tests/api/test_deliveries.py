"""The list of deliveries, cancelling, and what is counted of the variables that nobody filled."""

import asyncio

import httpx
import pytest
from structlog.testing import capture_logs

from ringpost.domain.access import SCOPES_OF_ROLE, Principal, Role
from ringpost.domain.deliveries import State
from ringpost.domain.tenants import TenantId
from ringpost.storage import audit
from ringpost.storage.audit import Filter
from ringpost.usecases.cancel_delivery import cancel_deliveries
from ringpost.usecases.many_deliveries import Chosen
from ringpost.usecases.room import Room


async def report(client: httpx.AsyncClient, recipient: str) -> None:
    """An emergency, which is queued without a mail server too."""
    event = {"type": "EMERGENCY_CALL", "recipients": [recipient], "variables": {"CALLEE_NUMBER": "112-canary"}}
    answer = await client.post("/events", json=event)
    assert answer.status_code == 202
    assert len(answer.json()["deliveries"]) == 1, answer.text


async def recipients(client: httpx.AsyncClient, **query: str) -> list[str]:
    answer = await client.get("/deliveries", params=query)
    assert answer.status_code == 200, answer.text
    return [one["recipient"] for one in answer.json()["items"]]


async def test_an_empty_query_value_is_not_given(tenant_client: httpx.AsyncClient) -> None:
    await report(tenant_client, "a@example.com")

    empty = {"state": "", "recipient": "", "event": "", "top": "", "skip": ""}

    assert await recipients(tenant_client, **empty) == ["a@example.com"]
    assert await recipients(tenant_client, **empty | {"state": State.SENT}) == []
    assert (await tenant_client.get("/deliveries", params={"top": "many"})).status_code == 422


@pytest.mark.parametrize("field", ["top", "skip"])
@pytest.mark.parametrize("number", ["1.0", "1_0", " 1", "1 ", "+1", "1e1", "0x1", "\u0661", "-1"])
async def test_a_number_in_a_query_is_digits_only(tenant_client: httpx.AsyncClient, field: str, number: str) -> None:
    answer = await tenant_client.get("/deliveries", params={field: number})

    assert (answer.status_code, answer.json()["errors"][0]["detail"]) == (422, {"field": field})
    assert (await tenant_client.get("/deliveries", params={field: "07"})).status_code == 200


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("top=0", "This must be 1 or more."),
        ("top=201", "This must be 200 or less."),
        ("skip=-1", "This must be 0 or more."),
        ("state=SENT", "This must be queued, sending, sent, rejected, expired or cancelled, spelled exactly so."),
        (f"recipient={'x' * 321}", "This is too long: at most 320 characters."),
    ],
)
async def test_what_is_wrong_with_a_filter_is_told_in_plain_words(
    tenant_client: httpx.AsyncClient, query: str, message: str
) -> None:
    answer = await tenant_client.get(f"/deliveries?{query}")

    assert (answer.status_code, answer.json()["errors"][0]["message"]) == (422, message)


@pytest.mark.parametrize("query", ["state=sent&state=queued", "top=1&top=1", "%74op=1&top=", "x=1&x=2"])
async def test_a_parameter_that_is_given_twice_is_refused(tenant_client: httpx.AsyncClient, query: str) -> None:
    answer = await tenant_client.get(f"/deliveries?{query}")

    field = query.partition("=")[0].replace("%74", "t")
    assert (answer.status_code, answer.json()["errors"][0]["detail"]) == (422, {"field": field})


@pytest.mark.parametrize(
    ("posted", "kept", "asked"),
    [
        ("Ann@Example.COM", "Ann@example.com", ["Ann@example.com", "Ann@EXAMPLE.com", " Ann@Example.COM "]),
        (
            "ann@B\u00dcCHER.example",
            "ann@b\u00fccher.example",
            ["ann@b\u00fccher.example", "ann@XN--bcher-kva.example"],
        ),
    ],
)
async def test_a_recipient_is_found_however_the_domain_is_written(
    tenant_client: httpx.AsyncClient, posted: str, kept: str, asked: list[str]
) -> None:
    await report(tenant_client, posted)
    await report(tenant_client, "other@example.com")

    for recipient in asked:
        assert await recipients(tenant_client, recipient=recipient) == [kept]
    assert await recipients(tenant_client, recipient=kept.replace("nn@", "NN@")) == []
    assert await recipients(tenant_client, recipient="no address") == []


async def test_cancelling_twice_is_once(tenant_client: httpx.AsyncClient, room: Room, acme: TenantId) -> None:
    await report(tenant_client, "a@example.com")
    (delivery,) = (await tenant_client.get("/deliveries")).json()["items"]

    answers = [(await tenant_client.post(f"/deliveries/{delivery['id']}/cancel")).status_code for _ in range(2)]

    assert answers == [204, 204]
    log = await room.database.read(audit.page, acme, Filter(), 99)
    assert [one.subject for one in log if one.action == "cancel_delivery"] == [delivery["id"]]


async def test_who_retried_a_mail_by_hand_is_in_the_audit_log(
    tenant_client: httpx.AsyncClient, room: Room, acme: TenantId
) -> None:
    await report(tenant_client, "a@example.com")
    (delivery,) = (await tenant_client.get("/deliveries")).json()["items"]

    assert (await tenant_client.post(f"/deliveries/{delivery['id']}/retry")).status_code == 204

    log = await room.database.read(audit.page, acme, Filter(), 99)
    assert [(one.actor, one.subject) for one in log if one.action == "retry_delivery"] == [("test", delivery["id"])]


async def test_of_two_who_cancel_the_same_mails_only_one_has_done_it(
    tenant_client: httpx.AsyncClient, room: Room, acme: TenantId
) -> None:
    await report(tenant_client, "a@example.com")
    (delivery,) = (await tenant_client.get("/deliveries")).json()["items"]
    admin, chosen = (
        Principal(acme, Role.TENANT_ADMIN, SCOPES_OF_ROLE[Role.TENANT_ADMIN], "anna", "t"),
        Chosen((delivery["id"],)),
    )

    one, other = await asyncio.gather(*(cancel_deliveries(room, admin, chosen) for _ in range(2)))

    assert (*one.changed, *other.changed) == chosen.ids
    log = await room.database.read(audit.page, acme, Filter(), 99)
    assert len([entry for entry in log if entry.action == "cancel_deliveries"]) == 1


async def test_variables_that_nobody_filled_are_counted_and_named_without_values(
    tenant_client: httpx.AsyncClient,
) -> None:
    template = {"name": "EMERGENCY_CALL", "body": "%%NOBODY_KNOWS%% %%CALLER_NAME%% %%CALLEE_NUMBER%%"}
    assert (await tenant_client.post("/custom_email_templates", json=template)).status_code == 201
    before = await counted(tenant_client)

    with capture_logs() as logs:
        await report(tenant_client, "a@example.com")

    after = await counted(tenant_client)
    assert after["unknown"] - before["unknown"] == 1
    assert after["empty"] - before["empty"] >= 1
    (line,) = [line for line in logs if line["event"] == "variables_unfilled"]
    assert line["unknown"] == ("NOBODY_KNOWS",)
    assert "CALLER_NAME" in line["empty"]
    assert "112-canary" not in str(line)


async def counted(client: httpx.AsyncClient) -> dict[str, float]:
    counts = {"unknown": 0.0, "empty": 0.0}
    for line in (await client.get("/metrics")).text.splitlines():
        for kind in counts:
            if line.startswith(f'ringpost_variables_unfilled_total{{kind="{kind}",type="EMERGENCY_CALL"}} '):
                counts[kind] = float(line.rsplit(" ", 1)[1])
    return counts
