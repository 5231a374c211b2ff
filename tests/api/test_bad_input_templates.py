"""Bad input, templates: every row of the list."""

import asyncio
import time
from typing import Any

import httpx
import pytest

from ringpost.domain.templates import MOST_ATTRIBUTES, MOST_TAGS
from ringpost.usecases.aside import MOST_IN_LINE

CUSTOM = "/custom_email_templates"
CHECK = "/email_templates/QUEUE_SLA/check"
LINE_BREAKS = ["\n", "\r", "\r\n", "\v", "\f", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029"]


def errors_of(answer: httpx.Response) -> list[tuple[str, Any]]:
    return [(one["code"], one["detail"]["field"] if one["detail"] else None) for one in answer.json()["errors"]]


@pytest.mark.parametrize("name", ["NOTHING_KNOWN", "queue_sla", " QUEUE_SLA", "", None, 1, ...])
async def test_an_unknown_name_in_a_body_is_422(tenant_client: httpx.AsyncClient, name: object) -> None:
    answer = await tenant_client.post(CUSTOM, json={"subject": "x"} | ({} if name is ... else {"name": name}))

    assert (answer.status_code, errors_of(answer)) == (422, [("VALIDATE_FAILED", "name")])
    assert (await tenant_client.get(CUSTOM)).json() == {"items": []}


@pytest.mark.parametrize("name", ["NOTHING_KNOWN", "queue_sla", "QUEUE_SLA%20"])
@pytest.mark.parametrize("path", ["/default_email_templates/{}", "/custom_email_templates/{}"])
async def test_an_unknown_name_in_a_path_is_404(tenant_client: httpx.AsyncClient, path: str, name: str) -> None:
    answer = await tenant_client.get(path.format(name))

    assert (answer.status_code, errors_of(answer)) == (404, [("NOT_FOUND", None)])


@pytest.mark.parametrize("path", [f"{CUSTOM}/{{}}", f"{CUSTOM}/{{}}/destroy", "/email_templates/{}/check"])
async def test_an_unknown_name_is_404_when_it_is_posted_to(tenant_client: httpx.AsyncClient, path: str) -> None:
    assert (await tenant_client.post(path.format("queue_sla"), json={})).status_code == 404


async def test_what_is_not_customised_cannot_be_changed_or_destroyed(tenant_client: httpx.AsyncClient) -> None:
    assert (await tenant_client.post(f"{CUSTOM}/QUEUE_SLA", json={"subject": "x"})).status_code == 404
    assert (await tenant_client.post(f"{CUSTOM}/QUEUE_SLA/destroy")).status_code == 404


async def test_created_twice_is_409(tenant_client: httpx.AsyncClient) -> None:
    assert (await tenant_client.post(CUSTOM, json={"name": "QUEUE_SLA", "subject": "first"})).status_code == 201

    answer = await tenant_client.post(CUSTOM, json={"name": "QUEUE_SLA", "subject": "second"})

    assert (answer.status_code, errors_of(answer)) == (409, [("ALREADY_EXISTS", None)])
    assert (await tenant_client.get(f"{CUSTOM}/QUEUE_SLA")).json()["subject"] == "first"


@pytest.mark.parametrize("field", ["subject", "from"])
@pytest.mark.parametrize("line_break", LINE_BREAKS, ids=ascii)
async def test_a_line_break_of_any_kind_in_subject_or_from_is_422(
    tenant_client: httpx.AsyncClient, field: str, line_break: str
) -> None:
    text = f"Late{line_break}Bcc: z@example.com"

    created = await tenant_client.post(CUSTOM, json={"name": "QUEUE_SLA", field: text})
    assert (created.status_code, errors_of(created)) == (422, [("VALIDATE_FAILED", field)])

    await tenant_client.post(CUSTOM, json={"name": "QUEUE_SLA", "subject": "before"})
    updated = await tenant_client.post(f"{CUSTOM}/QUEUE_SLA", json={field: text})
    assert (updated.status_code, errors_of(updated)) == (422, [("VALIDATE_FAILED", field)])
    assert (await tenant_client.get(f"{CUSTOM}/QUEUE_SLA")).json()["subject"] == "before"


@pytest.mark.parametrize("field", ["subject", "from", "body", "text_body"])
async def test_a_part_that_is_no_text_is_422(tenant_client: httpx.AsyncClient, field: str) -> None:
    answer = await tenant_client.post(CUSTOM, json={"name": "QUEUE_SLA", field: 1})

    assert (answer.status_code, errors_of(answer)) == (422, [("VALIDATE_FAILED", field)])


@pytest.mark.parametrize("text", ["{{7*7}}", "${x}", "{0.__class__}", "{% for x in y %}", "#{7*7}", "%s %(x)s"])
async def test_the_languages_of_other_templates_are_text(tenant_client: httpx.AsyncClient, text: str) -> None:
    draft = {"subject": text, "body": text, "from": text}

    preview = (await tenant_client.post(CHECK, json=draft)).json()["preview"]

    assert (preview["subject"], preview["from"], preview["text"].strip()) == (text, text, text)


async def test_a_value_that_looks_like_a_variable_is_not_expanded(tenant_client: httpx.AsyncClient) -> None:
    await accept(tenant_client, {"QUEUE_NAME": "%%CALLER_NUMBER%%", "CALLER_NUMBER": "12345"})

    preview = await last_event(tenant_client, {"subject": "%%QUEUE_NAME%%", "body": "%%QUEUE_NAME%%"})

    assert preview["subject"] == preview["text"].strip() == "%%CALLER_NUMBER%%"


async def test_markup_in_a_value_is_escaped(tenant_client: httpx.AsyncClient) -> None:
    await accept(tenant_client, {"QUEUE_NAME": "<script>alert(1)</script>"})

    preview = await last_event(tenant_client, {"body": "<p title='%%QUEUE_NAME%%'>%%QUEUE_NAME%%</p>"})

    assert "<script" not in preview["html"]
    assert "&lt;script&gt;" in preview["html"]


async def test_half_a_mebibyte_of_percent_signs_is_checked_in_no_time(tenant_client: httpx.AsyncClient) -> None:
    await tenant_client.post(CHECK, json={"body": "warm"})
    body = {"body": "%" * (512 * 1024)}
    started = time.perf_counter()

    answer = await tenant_client.post(CHECK, json=body)

    assert answer.status_code == 200
    assert time.perf_counter() - started < 2  # the figure itself is held by a test of the rendering


async def test_a_body_that_is_too_large_is_422(tenant_client: httpx.AsyncClient) -> None:
    answer = await tenant_client.post(CUSTOM, json={"name": "QUEUE_SLA", "body": "x" * (512 * 1024 + 1)})

    assert (answer.status_code, errors_of(answer)) == (422, [("VALIDATE_FAILED", "body")])


@pytest.mark.parametrize("tag", ["<p{}>", "</p{}>", "<p{}"], ids=["start", "end", "unclosed"])
async def test_a_body_with_too_many_attributes_is_422(tenant_client: httpx.AsyncClient, tag: str) -> None:
    begun = time.process_time()
    body = "<p>" + tag.format(" a" * (MOST_ATTRIBUTES + 1)) * 3
    answer = await tenant_client.post(CHECK, json={"body": body})

    assert (answer.status_code, errors_of(answer)) == (422, [("VALIDATE_FAILED", "body")])
    assert "attributes" in answer.json()["errors"][0]["message"]
    assert time.process_time() - begun < 2


async def test_a_body_with_as_many_attributes_as_there_may_be_is_fine(tenant_client: httpx.AsyncClient) -> None:
    half = " a" * (MOST_ATTRIBUTES // 2)
    answer = await tenant_client.post(CUSTOM, json={"name": "QUEUE_SLA", "body": f"<p{half}>x</p{half}>"})

    assert answer.status_code == 201


async def test_a_text_has_no_attributes(tenant_client: httpx.AsyncClient) -> None:
    text = "a <b" + " a" * (MOST_ATTRIBUTES + 1)
    assert (await tenant_client.post(CUSTOM, json={"name": "QUEUE_SLA", "body": text})).status_code == 201


async def test_who_has_many_templates_checked_keeps_nobody_else_waiting(
    tenant_client: httpx.AsyncClient, other_client: httpx.AsyncClient
) -> None:
    """Nobody who only looks something up, and nobody else who writes a template."""
    large = {"body": "<p>" * MOST_TAGS}
    checks = [asyncio.create_task(tenant_client.post(CHECK, json=large)) for _ in range(MOST_IN_LINE)]
    await asyncio.sleep(0.05)

    assert (await other_client.get("/tenant/notification")).status_code == 200
    assert (await other_client.post(CHECK, json={"body": "<p>Soon"})).status_code == 200
    assert sum(check.done() for check in checks) <= 2

    assert {(await check).status_code for check in checks} == {200}


async def test_more_checks_than_anybody_waits_for_are_429(tenant_client: httpx.AsyncClient) -> None:
    large = {"body": "<p>" * MOST_TAGS}
    answers = await asyncio.gather(*(tenant_client.post(CHECK, json=large) for _ in range(3 * MOST_IN_LINE)))

    refused = [answer for answer in answers if answer.status_code == 429]
    assert {answer.status_code for answer in answers} == {200, 429}
    assert {answer.headers["Retry-After"] for answer in refused} == {"1"}
    assert (await tenant_client.post(CHECK, json={})).status_code == 200


async def test_what_renders_to_over_2_mib_is_422(tenant_client: httpx.AsyncClient) -> None:
    await accept(tenant_client, {"QUEUE_NAME": "x" * 60_000})

    answer = await tenant_client.post(CHECK, json={"body": "<p>%%QUEUE_NAME%%</p>" * 100, "values": "last_event"})

    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (422, "VALIDATE_FAILED")


async def accept(client: httpx.AsyncClient, variables: dict[str, Any]) -> None:
    """Have an event of type QUEUE_SLA, which sends nothing as long as nothing is set."""
    answer = await client.post("/events", json={"type": "QUEUE_SLA", "variables": variables})
    assert answer.status_code == 202


async def last_event(client: httpx.AsyncClient, draft: dict[str, Any]) -> dict[str, Any]:
    """The preview of a draft, filled from the last event."""
    answer = await client.post(CHECK, json=draft | {"values": "last_event"})
    preview: dict[str, Any] = answer.json()["preview"]
    assert preview["values"] == "last_event"
    return preview
