"""Every row of bad input for events, named after its row. A refused event leaves nothing behind."""

import asyncio
import base64
import json
import re

import httpx
import pytest
from tests.api.posting import codes, post

from ringpost.domain.events import parse_event
from ringpost.domain.tenants import TenantId

pytestmark = pytest.mark.usefixtures("told")


async def test_same_id_other_content_409(tenant_client: httpx.AsyncClient) -> None:
    assert (await post(tenant_client, id="a")).status_code == 202
    answer = await post(tenant_client, id="a", variables={"TRUNK_NAME": "West"})
    assert answer.status_code == 409
    assert codes(answer) == ["ALREADY_EXISTS"]


async def test_same_id_same_content_answers_as_the_first_time(tenant_client: httpx.AsyncClient) -> None:
    first = await post(tenant_client, id="a", variables={"TRUNK_NAME": "East", "X": 1})
    again = await post(tenant_client, id="a", variables={"X": 1, "TRUNK_NAME": "East"})
    assert (again.status_code, again.json()) == (first.status_code, first.json())
    assert again.headers["Idempotent-Replayed"] == "true"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("type", "UNKNOWN"), ("type", "queue_sla"), ("type", None), ("type", 7),
        ("id", ""), ("id", "x" * 256), ("id", "a\nb"), ("id", 7),
        ("occurred_at", "yesterday"), ("occurred_at", "2026-01-05 09:30"), ("occurred_at", "2026-13-05T09:30:00Z"),
        ("id", "."), ("id", ".."),
        ("occurred_at", "9999-12-31T23:59:59Z"), ("occurred_at", "9998-12-31T23:59:59-01:00"),
        ("occurred_at", "2016-12-31T23:59:61Z"), ("occurred_at", "2016-12-31T23:58:60Z"),
        ("occurred_at", "2016-12-31T23:59:60-08:00"), ("occurred_at", "1969-12-31T23:59:60Z"),
        ("occurred_at", "1969-12-31T23:59:59Z"), ("occurred_at", "1970-01-01T00:00:00+01:00"),
        ("occurred_at", "0001-01-01T00:00:00+23:59"), ("occurred_at", "9999-12-31T23:59:59-23:59"),
        ("variables", {"QR_CODE": "x" * 1201}), ("variables", {"QR_CODE_URL": "\u6f22" * 401}),
        ("occurred_at", 7), ("occurred_at", "2026-01-05T09:30:00"),
        ("variables", []), ("variables", {"lower": "x"}), ("variables", {"X": []}), ("variables", {"X" * 65: "x"}),
        ("variables", {f"X{number}": "x" for number in range(201)}), ("variables", {"X": "x" * 65_537}),
        ("recipients", "a@example.com"), ("recipients", [7]), ("recipients", ["a@localhost"]),
        ("recipients", ["a@example.com\r\nBcc: b@example.com"]), ("recipients", ["a@example.com"] * 101),
        ("attachments", {}), ("attachments", [7]), ("attachments", [{"filename": "a.wav", "content": "&&"}]),
        ("attachments", [{"filename": "", "content": ""}]), ("attachments", [{"filename": "a\r\nX: y", "content": ""}]),
        ("attachments", [{"filename": "a", "content": "", "content_type": "audio/wav\r\nX: y"}]),
        ("attachments", [{"filename": "a", "content": "", "content_type": "multipart/mixed"}]),
        ("attachments", [{"filename": "a", "content": "", "content_type": "Message/RFC822"}]),
        ("attachments", [{"filename": "recordings/", "content": ""}]),
        ("attachments", [{"filename": "..", "content": ""}]),
        ("attachments", [{"filename": "a", "content": ""}] * 11),
    ],
)  # fmt: skip
async def test_a_wrong_field_422(tenant_client: httpx.AsyncClient, field: str, value: object) -> None:
    answer = await post(tenant_client, **{field: value})
    assert answer.status_code == 422, answer.text
    assert codes(answer) == ["VALIDATE_FAILED"]
    (error,) = answer.json()["errors"]
    assert error["detail"]["field"] == field
    assert re.fullmatch(r"(?s)(variables\.\S+: |[A-Z]).*\.", error["message"]), "it is a sentence for a person"
    assert (await tenant_client.get("/deliveries")).json()["items"] == []


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00Z", "1969-12-31T23:59:59Z", "9999-12-31T23:59:59Z"])
async def test_a_time_out_of_range_is_told_as_such(tenant_client: httpx.AsyncClient, moment: str) -> None:
    """The first is what some programs send for a time that was never set."""
    (error,) = (await post(tenant_client, occurred_at=moment)).json()["errors"]
    assert error["message"] == "This time is before 1970 or after the year 9998. Leave it out when it is not known."


async def test_all_wrong_fields_are_told_at_once(tenant_client: httpx.AsyncClient) -> None:
    answer = await post(tenant_client, type="X", id="", occurred_at="x")
    assert [error["detail"]["field"] for error in answer.json()["errors"]] == ["type", "id", "occurred_at"]


@pytest.mark.parametrize("body", [[], None, "x", 7])
async def test_no_object_422(tenant_client: httpx.AsyncClient, body: object) -> None:
    as_json = {"Content-Type": "application/json"}
    assert (await tenant_client.post("/events", content=json.dumps(body), headers=as_json)).status_code == 422


async def test_attachments_have_a_limit_of_their_own(tenant_client: httpx.AsyncClient) -> None:
    megabytes = base64.b64encode(b"x" * 3 * 1024 * 1024).decode()
    fine = await post(tenant_client, attachments=[{"filename": "voice.wav", "content": megabytes}])
    assert fine.status_code == 202, fine.text
    eleven = base64.b64encode(b"x" * 11 * 1024 * 1024).decode()
    answer = await post(tenant_client, attachments=[{"filename": "voice.wav", "content": eleven}])
    assert answer.status_code == 422


async def test_a_body_over_1_mib_without_attachments_413(tenant_client: httpx.AsyncClient) -> None:
    variables = {f"X{number}": "x" * 60_000 for number in range(20)}
    answer = await post(tenant_client, variables=variables)
    assert answer.status_code == 413
    assert codes(answer) == ["TOO_LARGE"]


async def test_a_system_token_names_the_tenant_of_each_event(
    admin_client: httpx.AsyncClient, tenant_client: httpx.AsyncClient
) -> None:
    domain = (await admin_client.get("/tenants")).json()["items"][0]["domain"]
    assert (await post(admin_client)).status_code == 422
    assert (await post(admin_client, tenant="nobody.example.com")).status_code == 422
    answer = await post(admin_client, tenant=domain, id="from-the-system")
    assert answer.status_code == 202
    assert (await tenant_client.get("/events/from-the-system")).status_code == 200


async def test_a_tenants_token_cannot_name_another_tenant(
    tenant_client: httpx.AsyncClient, other_client: httpx.AsyncClient, admin_client: httpx.AsyncClient
) -> None:
    for tenant in (await admin_client.get("/tenants")).json()["items"]:
        answer = await post(tenant_client, id=f"for-{tenant['id']}", tenant=tenant["id"])
        assert answer.status_code == 202, "the field is ignored"
        assert (await other_client.get(f"/events/for-{tenant['id']}")).status_code == 404


async def test_the_same_event_many_times_in_parallel_is_one_event(tenant_client: httpx.AsyncClient) -> None:
    answers = await asyncio.gather(*(post(tenant_client, id="once") for _ in range(100)))
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.text for answer in answers}) == 1
    assert len((await tenant_client.get("/deliveries", params={"event": "once"})).json()["items"]) == 1


async def test_no_variables_are_shown_as_none_and_not_as_erased(tenant_client: httpx.AsyncClient) -> None:
    await post(tenant_client, type="RECHARGE", id="left-out", variables={})
    await post(tenant_client, type="RECHARGE", id="empty", variables={"TIME": None})
    for event in ("left-out", "empty"):
        assert (await tenant_client.get(f"/events/{event}")).json()["variables"] == {}


async def test_secret_variables_are_not_shown_again(tenant_client: httpx.AsyncClient) -> None:
    variables = {"USER_NAME": "jane", "USER_PASSWORD": "hunter2-canary", "USER_EMAIL": "jane@example.com"}
    await post(tenant_client, type="USER_CREATION", id="u", variables=variables)
    shown = await tenant_client.get("/events/u")
    assert shown.status_code == 200
    assert "hunter2-canary" not in shown.text


async def test_a_secret_under_another_name_is_not_shown_again(tenant_client: httpx.AsyncClient) -> None:
    variables = {"USER_NAME": "jane", "QR_CODE_URL": "canary-provisioning", "USER_EMAIL": "jane@example.com"}
    assert (await post(tenant_client, type="USER_CREATION", id="u", variables=variables)).status_code == 202
    shown = await tenant_client.get("/events/u")
    assert shown.json()["variables"]["QR_CODE_URL"] == "***"
    assert "canary-provisioning" not in shown.text


async def test_a_secret_is_one_also_with_another_type(tenant_client: httpx.AsyncClient) -> None:
    variables = {"DISPLAY_NAME": "Jane", "VOICEMAIL_PIN": "canary-482915", "QR_CODE_URL": "canary-provisioning"}
    event = {"type": "VOICEMAIL_RECEIVED", "id": "v", "recipients": ["jane@example.com"], "variables": variables}
    assert (await post(tenant_client, **event)).status_code == 202
    shown = (await tenant_client.get("/events/v")).json()["variables"]
    assert shown == {"DISPLAY_NAME": "Jane", "VOICEMAIL_PIN": "***", "QR_CODE_URL": "***"}
    draft = {"body": "%%DISPLAY_NAME%% %%VOICEMAIL_PIN%%", "values": "last_event"}
    preview = (await tenant_client.post("/email_templates/VOICEMAIL_RECEIVED/check", json=draft)).json()["preview"]
    assert preview["text"] == "Jane "


@pytest.mark.parametrize(
    ("name", "told"),
    [("a" * 100_000, "a" * 100 + "..."), ("A\u202e<b>", "A<U+202E><b>"), ("A\nB", "A<U+000A>B"), ("", '""')],
)
async def test_a_wrong_name_of_a_variable_is_told_cut_and_visible(
    tenant_client: httpx.AsyncClient, name: str, told: str
) -> None:
    answer = await post(tenant_client, variables={name: 1})
    assert (answer.status_code, codes(answer)) == (422, ["VALIDATE_FAILED"])
    assert answer.json()["errors"][0]["message"].startswith(f"variables.{told}: a name has")


@pytest.mark.parametrize(
    ("moment", "read"),
    [
        ("2016-12-31T23:59:60Z", "2016-12-31T23:59:59.999Z"),
        ("2016-12-31t23:59:60.75z", "2016-12-31T23:59:59.999Z"),
        ("1990-12-31T15:59:60-08:00", "1990-12-31T23:59:59.999Z"),
    ],
)
async def test_a_leap_second_is_the_end_of_the_minute(tenant_client: httpx.AsyncClient, moment: str, read: str) -> None:
    assert (await post(tenant_client, id="leap", occurred_at=moment)).status_code == 202
    assert (await tenant_client.get("/events/leap")).json()["occurred_at"] == read


async def test_a_second_may_have_a_fraction_of_any_length(tenant_client: httpx.AsyncClient) -> None:
    moment = "2026-01-05T09:30:00.123456789012Z"
    assert (await post(tenant_client, id="fine", occurred_at=moment)).status_code == 202
    assert (await tenant_client.get("/events/fine")).json()["occurred_at"] == "2026-01-05T09:30:00.123Z"


@pytest.mark.parametrize("moment", ["1970-01-01T00:00:00Z", "9998-12-31T23:59:59.999999999Z"])
@pytest.mark.parametrize("timezone", ["Pacific/Kiritimati", "Etc/GMT+12"])
async def test_the_first_and_the_last_moment_are_shown_in_every_zone(
    admin_client: httpx.AsyncClient, tenant_client: httpx.AsyncClient, moment: str, timezone: str
) -> None:
    tenant = (await admin_client.get("/tenants")).json()["items"][0]
    changed = {"name": tenant["name"], "domain": tenant["domain"], "timezone": timezone}
    assert (await admin_client.post(f"/tenants/{tenant['id']}", json=changed)).status_code == 200
    assert (await post(tenant_client, occurred_at=moment)).status_code == 202
    draft = {"body": "%%DATE_TIME%%", "values": "last_event"}
    assert (await tenant_client.post("/email_templates/TRUNK_CONNECTED/check", json=draft)).status_code == 200


@pytest.mark.parametrize("text", ["x" * 1200, "9" * 1200, "\u6f22" * 400, "\uff76" * 400, "\u00e9" * 600])
async def test_the_longest_qr_code_is_drawn(tenant_client: httpx.AsyncClient, text: str) -> None:
    variables = {"USER_NAME": "jane", "QR_CODE": text}
    answer = await post(tenant_client, type="USER_CREATION", variables=variables, recipients=["jane@example.com"])
    assert answer.status_code == 202, answer.text


async def test_a_wrong_recipient_is_named(tenant_client: httpx.AsyncClient) -> None:
    answer = await post(tenant_client, recipients=["a@example.com", "b@localhost"])
    assert answer.json()["errors"][0]["detail"] == {"field": "recipients", "item": "b@localhost"}


async def test_every_wrong_recipient_is_named(tenant_client: httpx.AsyncClient) -> None:
    answer = await post(tenant_client, recipients=["a@example.com", "b@localhost", 5, "c d"])
    details = [error["detail"] for error in answer.json()["errors"]]
    assert details == [{"field": "recipients", "item": item} for item in ("b@localhost", "recipients[2]", "c d")]


async def test_of_many_wrong_recipients_the_first_ten_are_named(tenant_client: httpx.AsyncClient) -> None:
    answer = await post(tenant_client, recipients=[f"{number}@localhost" for number in range(100)])
    details = [error["detail"] for error in answer.json()["errors"]]
    assert details == [{"field": "recipients", "item": f"{number}@localhost"} for number in range(10)]


async def test_a_new_user_whose_address_is_none_is_told(tenant_client: httpx.AsyncClient) -> None:
    variables = {"USER_NAME": "jane", "USER_EMAIL": "jane.doe@localhost"}

    answer = await post(tenant_client, type="USER_CREATION", variables=variables)

    assert answer.status_code == 422
    [error] = answer.json()["errors"]
    assert error["detail"] == {"field": "variables", "item": "jane.doe@localhost"}
    assert error["message"].startswith("variables.USER_EMAIL: ")


@pytest.mark.parametrize("told", [{"recipients": ["hr@example.com"]}, {"variables": {"USER_EMAIL": " "}}])
async def test_an_address_of_a_new_user_that_is_not_needed_is_a_text(
    tenant_client: httpx.AsyncClient, told: dict[str, object]
) -> None:
    answer = await post(tenant_client, **{"type": "USER_CREATION", "variables": {"USER_EMAIL": "n/a"}, **told})
    assert answer.status_code == 202


async def test_a_mail_that_would_be_too_large_is_told_by_what_makes_it_so(tenant_client: httpx.AsyncClient) -> None:
    template = {"name": "TRUNK_CONNECTED", "from": "PBX", "subject": "Up", "body": "<p>%%TRUNK_NAME%%</p>" * 40}
    assert (await tenant_client.post("/custom_email_templates", json=template)).status_code == 201

    answer = await post(tenant_client, variables={"TRUNK_NAME": "x" * 65_536})

    [error] = answer.json()["errors"]
    assert (answer.status_code, error["detail"]) == (422, {"field": "variables"})
    assert error["message"] == (
        "The mail would be larger than 2 MiB. "
        "Shorten the variables, or use them less often in the template TRUNK_CONNECTED."
    )


async def test_every_wrong_attachment_is_named(tenant_client: httpx.AsyncClient) -> None:
    good, bad = {"filename": "a.wav", "content": ""}, {"filename": "a.wav", "content": "&&"}
    answer = await post(tenant_client, attachments=[good, bad, 7])
    details = [error["detail"] for error in answer.json()["errors"]]
    assert details == [{"field": "attachments", "item": f"attachments[{number}]"} for number in (1, 2)]


async def test_a_type_of_the_system_level_is_called_that(
    tenant_client: httpx.AsyncClient, admin_client: httpx.AsyncClient
) -> None:
    answer = await post(tenant_client, type="IP_BLOCKED")
    assert "is an event of the system level" in answer.json()["errors"][0]["message"]
    assert (await post(admin_client, type="IP_BLOCKED")).status_code == 202


@pytest.mark.parametrize("filename", ["C:\\spool\\message.wav", "/var/spool/message.wav", "message.wav"])
async def test_of_a_path_only_the_file_name_is_sent(filename: str) -> None:
    event = parse_event(TenantId("t"), {"type": "DISK_LOW", "attachments": [{"filename": filename, "content": ""}]})
    assert event.attachments[0].filename == "message.wav"
