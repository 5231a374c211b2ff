"""GET and POST /tenant/notification/oauth and /admin/notification/oauth."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.conftest import Clock
from tests.transports.oauth_samples import (
    CLIENT,
    REFRESH,
    SECRET,
    certificate_pem,
    key_file,
    key_pem,
    made_up_key_pem,
)
from tests.transports.provider_stand_in import DIRECTORY

from ringpost.domain.credentials import GoogleServiceAccount, MicrosoftApp
from ringpost.domain.endpoints import GmailEndpoint, GraphEndpoint, SmtpEndpoint
from ringpost.domain.tenants import TenantId
from ringpost.storage import audit
from ringpost.storage import settings as settings_rows
from ringpost.storage.audit import Filter
from ringpost.usecases.room import Room

PATHS = ["/tenant/notification/oauth", "/admin/notification/oauth"]
TENANT, ADMIN = PATHS
SECRET_APP: dict[str, Any] = {"provider": "MS365", "tenant": DIRECTORY, "client_id": CLIENT, "client_secret": SECRET}
USER: dict[str, Any] = {
    "provider": "GMAIL",
    "client_id": "c.apps.example",
    "client_secret": SECRET,
    "refresh_token": REFRESH,
}
MS365: dict[str, Any] = {"type": "MS365", "username": "pbx@sender.example"}
NOTHING: dict[str, Any] = {
    "provider": None, "tenant": None, "client_id": None, "cloud": "global", "method": None,
    "service_account_email": None, "secret_expires_at": None, "certificate_expires_at": None, "days_left": None,
    "expiry_warning": None,
}  # fmt: skip


async def post(client: httpx.AsyncClient, path: str = TENANT, /, **fields: Any) -> httpx.Response:
    """Post credentials."""
    return await client.post(path, json=fields)


def wrong_fields(answer: httpx.Response) -> set[str]:
    """The fields that the answer finds fault with."""
    assert answer.status_code == 422, answer.text
    return {one["detail"]["field"] for one in answer.json()["errors"]}


@pytest.mark.parametrize("path", PATHS)
async def test_before_anything_was_saved_all_is_null(
    tenant_client: httpx.AsyncClient, admin_client: httpx.AsyncClient, path: str
) -> None:
    client = admin_client if path == ADMIN else tenant_client
    answer = await client.get(path)
    assert (answer.status_code, answer.json()) == (200, NOTHING)
    assert (await client.post(f"{path}/destroy", json={})).status_code == 404


@pytest.mark.parametrize("path", PATHS)
async def test_what_was_saved_is_shown_without_its_secrets_and_can_be_removed(
    tenant_client: httpx.AsyncClient, admin_client: httpx.AsyncClient, path: str
) -> None:
    client = admin_client if path == ADMIN else tenant_client
    saved = await post(client, path, **SECRET_APP, secret_expires_at="2027-06-30")
    shown = (await client.get(path)).json()
    assert (saved.status_code, saved.content) == (200, b"")
    assert shown == NOTHING | {
        "provider": "MS365", "tenant": DIRECTORY, "client_id": CLIENT, "method": "client_secret",
        "secret_expires_at": "2027-06-30T00:00:00.000Z", "days_left": shown["days_left"],
    }  # fmt: skip
    assert (await client.post(f"{path}/destroy", json={})).status_code == 204
    assert (await client.get(path)).json() == NOTHING


async def test_tenants_do_not_see_each_others(
    tenant_client: httpx.AsyncClient, other_client: httpx.AsyncClient
) -> None:
    await post(tenant_client, **SECRET_APP)
    assert (await other_client.get(TENANT)).json() == NOTHING


async def test_what_get_returned_posted_back_changes_nothing(
    tenant_client: httpx.AsyncClient, room: Room, acme: TenantId
) -> None:
    await post(tenant_client, **SECRET_APP, secret_expires_at="2027-06-30")
    shown = (await tenant_client.get(TENANT)).json()
    before = await room.database.read(audit.page, acme, Filter(), 99)
    assert (await post(tenant_client, **shown)).status_code == 200
    assert (await tenant_client.get(TENANT)).json() == shown
    assert await room.database.read(audit.page, acme, Filter(), 99) == before


async def test_a_certificate_tells_its_own_end(tenant_client: httpx.AsyncClient) -> None:
    app = {**SECRET_APP, "client_secret": None, "certificate": certificate_pem(days=200)}
    assert (await post(tenant_client, **app)).status_code == 200
    shown = (await tenant_client.get(TENANT)).json()
    ends = datetime.fromisoformat(shown["certificate_expires_at"])
    assert shown["method"] == "certificate"
    assert abs(ends - (datetime.now(UTC) + timedelta(days=200))) < timedelta(hours=1)


async def test_a_key_that_takes_a_minute_to_check_is_refused(tenant_client: httpx.AsyncClient) -> None:
    key = made_up_key_pem(2**12288 - 1, 2**9689 - 1)
    answer = await post(tenant_client, provider="GMAIL", service_account=key_file(key))

    assert answer.status_code == 422
    assert "an RSA key of at most 4096 bits" in answer.json()["errors"][0]["message"]


@pytest.mark.timeout(30)
async def test_a_key_whose_parts_are_larger_than_itself_is_not_even_checked(tenant_client: httpx.AsyncClient) -> None:
    mersennes = 2**9689 - 1  # a prime; to be sure of that takes a minute
    answer = await post(
        tenant_client, provider="GMAIL", service_account=key_file(made_up_key_pem(2**2048 - 1, mersennes))
    )

    assert answer.status_code == 422
    assert "damaged" in answer.json()["errors"][0]["message"]


async def test_a_key_file_tells_whose_it_is(tenant_client: httpx.AsyncClient) -> None:
    assert (await post(tenant_client, provider="GMAIL", service_account=key_file())).status_code == 200
    shown = (await tenant_client.get(TENANT)).json()
    assert (shown["method"], shown["service_account_email"]) == ("service_account", "ringpost@x.iam.example")


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({}, {"provider"}),
        ({"provider": "SMTP"}, {"provider"}),
        ({"provider": "MS365"}, {"tenant", "client_id"}),
        ({**SECRET_APP, "tenant": "../common", "client_id": "a\nb", "cloud": "mars"}, {"tenant", "client_id", "cloud"}),
        ({**SECRET_APP, "tenant": "https://evil.example"}, {"tenant"}),
        ({**SECRET_APP, "tenant": "common"}, {"tenant"}),
        ({**SECRET_APP, "client_secret": "a\r\nb"}, {"client_secret"}),
        ({**SECRET_APP, "client_secret": 5}, {"client_secret"}),
        ({**SECRET_APP, "client_secret": "x" * 2049}, {"client_secret"}),
        ({**SECRET_APP, "secret_expires_at": "soon"}, {"secret_expires_at"}),
        ({**SECRET_APP, "secret_expires_at": 1}, {"secret_expires_at"}),
        ({**SECRET_APP, "secret_expires_at": "9999-12-31T23:59:59.9999999Z"}, {"secret_expires_at"}),
        ({**SECRET_APP, "secret_expires_at": "0001-01-01T00:00:00+05:00"}, {"secret_expires_at"}),
        ({**SECRET_APP, "certificate": "-----BEGIN CERTIFICATE-----"}, {"certificate"}),
        ({**SECRET_APP, "client_secret": None, "certificate": key_pem()}, {"certificate"}),
        ({**SECRET_APP, "client_secret": None, "certificate": "x" * 40000}, {"certificate"}),
        ({**SECRET_APP, "client_secret": None, "certificate": certificate_pem(days=-1)}, {"certificate"}),
        ({**SECRET_APP, "certificate": certificate_pem()}, {"certificate"}),
        ({"provider": "GMAIL", "service_account": "{}"}, {"service_account"}),
        ({"provider": "GMAIL", "service_account": "["}, {"service_account"}),
        ({"provider": "GMAIL", "service_account": key_file().replace("ringpost@", "")}, {"service_account"}),
        ({"provider": "GMAIL", "service_account": key_file().replace("PRIVATE", "X")}, {"service_account"}),
        ({"provider": "GMAIL", "service_account": key_file(), "refresh_token": REFRESH}, {"refresh_token"}),
        ({"provider": "GMAIL", "refresh_token": REFRESH}, {"client_id", "client_secret"}),
        ({"provider": "GMAIL", "client_id": "c", "client_secret": SECRET}, {"refresh_token"}),
    ],
)  # fmt: skip
async def test_every_wrong_field_is_told_at_once_and_nothing_is_saved(
    tenant_client: httpx.AsyncClient, fields: dict[str, Any], wrong: set[str]
) -> None:
    answer = await post(tenant_client, **fields)
    assert wrong_fields(answer) == wrong
    assert {one["code"] for one in answer.json()["errors"]} == {"VALIDATE_FAILED"}
    assert (await tenant_client.get(TENANT)).json() == NOTHING


@pytest.mark.parametrize(
    "change",
    [
        {"tenant": "other.example"},
        {"client_id": "another"},
        {"cloud": "china"},
        {"provider": "GMAIL", "client_id": CLIENT},
        {"provider": "GMAIL"},
    ],
)
async def test_a_stored_secret_does_not_go_to_another_authority_or_app(
    tenant_client: httpx.AsyncClient, change: dict[str, Any]
) -> None:
    await post(tenant_client, **SECRET_APP)
    answer = await post(tenant_client, **{**SECRET_APP, "client_secret": None, **change})
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (422, "PASSWORD_REQUIRED")
    assert (await tenant_client.get(TENANT)).json()["tenant"] == DIRECTORY


async def test_without_any_secret_one_is_required(tenant_client: httpx.AsyncClient) -> None:
    answer = await post(tenant_client, **{**SECRET_APP, "client_secret": None})
    (error,) = answer.json()["errors"]
    assert (answer.status_code, error["code"], error["detail"]) == (
        422,
        "PASSWORD_REQUIRED",
        {"field": "client_secret"},
    )


async def test_a_users_client_cannot_be_exchanged_under_its_refresh_token(tenant_client: httpx.AsyncClient) -> None:
    await post(tenant_client, **USER)
    answer = await post(tenant_client, provider="GMAIL", client_id="another")
    assert answer.json()["errors"][0]["code"] == "PASSWORD_REQUIRED"
    assert (await post(tenant_client, provider="GMAIL", client_id=USER["client_id"])).status_code == 200


async def test_a_stored_secret_stays_while_only_its_end_changes(
    tenant_client: httpx.AsyncClient, room: Room, acme: TenantId
) -> None:
    await post(tenant_client, **SECRET_APP)
    await tenant_client.post("/tenant/notification", json=MS365)
    kept = {**SECRET_APP, "client_secret": None, "secret_expires_at": "2028-01-01T12:00:00+02:00"}
    assert (await post(tenant_client, **kept)).status_code == 200
    server = await room.database.read(settings_rows.mail_server_in_force, room.sealer, acme)
    assert server is not None
    assert isinstance(server.endpoint, GraphEndpoint)
    assert server.endpoint.app.client_secret is not None
    assert server.endpoint.app.client_secret.reveal() == SECRET
    assert (await tenant_client.get(TENANT)).json()["secret_expires_at"] == "2028-01-01T10:00:00.000Z"


async def test_the_type_of_the_mail_server_says_which_credentials_count(
    tenant_client: httpx.AsyncClient, room: Room, acme: TenantId
) -> None:
    async def endpoint(**fields: Any) -> Any:
        await tenant_client.post("/tenant/notification", json={**MS365, **fields})
        server = await room.database.read(settings_rows.mail_server_in_force, room.sealer, acme)
        return server.endpoint if server else None

    await post(tenant_client, **SECRET_APP)
    by_api, by_smtp = await endpoint(), await endpoint(server="SMTP.office365.com")
    elsewhere = await endpoint(server="mail.evil.example")
    of_google = await endpoint(type="GMAIL")
    await post(tenant_client, provider="GMAIL", service_account=key_file())
    by_gmail = await endpoint(type="GMAIL")
    by_password = await endpoint(password="p")

    assert isinstance(by_api, GraphEndpoint)
    assert isinstance(by_smtp, SmtpEndpoint)
    assert isinstance(by_smtp.oauth, MicrosoftApp)
    assert (by_smtp.label, by_smtp.password) == ("smtp.office365.com:587", None)
    assert isinstance(elsewhere, GraphEndpoint)  # an access token goes to the provider only
    assert of_google is None
    assert isinstance(by_gmail, GmailEndpoint)
    assert isinstance(by_gmail.credentials, GoogleServiceAccount)
    assert (by_password.label, by_password.oauth) == ("smtp.office365.com:587", None)


async def test_credentials_make_a_mail_server_that_can_send_and_their_end_unmakes_it(
    tenant_client: httpx.AsyncClient, room: Room, acme: TenantId
) -> None:
    await tenant_client.post("/tenant/notification", json=MS365)
    assert not await room.database.read(settings_rows.can_send, acme)
    await post(tenant_client, **SECRET_APP)
    assert await room.database.read(settings_rows.can_send, acme)
    await tenant_client.post(f"{TENANT}/destroy", json={})
    assert not await room.database.read(settings_rows.can_send, acme)


async def test_the_audit_log_has_names_and_no_values(
    tenant_client: httpx.AsyncClient, room: Room, acme: TenantId, clock: Clock
) -> None:
    clock.advance(1)  # entries of one millisecond have no order
    await post(tenant_client, **SECRET_APP)
    clock.advance(1)
    await post(tenant_client, **{**SECRET_APP, "client_secret": "another"})
    clock.advance(1)
    await tenant_client.post(f"{TENANT}/destroy", json={})
    entries = await room.database.read(audit.page, acme, Filter(), 99)
    assert [(one.action, one.fields) for one in entries[:3]] == [
        ("destroy_oauth", ()),
        ("change_oauth", ("client_secret",)),
        ("change_oauth", ("provider", "method", "tenant", "client_id", "cloud", "client_secret")),
    ]


@pytest.mark.parametrize(("days", "warned"), [(31, False), (30, True), (1, True), (-1, True)])
async def test_the_end_is_shown_ahead(tenant_client: httpx.AsyncClient, clock: Clock, days: int, warned: bool) -> None:
    ends = datetime.fromtimestamp(clock.ms / 1000, UTC) + timedelta(days=days)
    await post(tenant_client, **SECRET_APP, secret_expires_at=ends.isoformat())
    shown = (await tenant_client.get(TENANT)).json()
    assert (shown["days_left"], shown["expiry_warning"] is not None) == (days, warned)


@pytest.mark.parametrize("fields", [SECRET_APP, USER, {"provider": "GMAIL", "service_account": key_file()}])
async def test_no_secret_is_readable_in_answers_logs_or_the_database(
    tenant_client: httpx.AsyncClient, database_path: Path, caplog: pytest.LogCaptureFixture, fields: dict[str, Any]
) -> None:
    answers = [
        await post(tenant_client, **fields),
        await post(tenant_client, **{**fields, "cloud": "mars", "tenant": "/"}),
    ]
    answers += [await tenant_client.get(TENANT), await tenant_client.post("/tenant/notification", json=MS365)]
    seen = "".join(answer.text for answer in answers) + caplog.text
    stored = b"".join(path.read_bytes() for path in database_path.parent.glob(f"{database_path.name}*"))
    for canary in (SECRET, REFRESH, key_pem()[60:100]):
        assert canary not in seen
        assert canary.encode() not in stored
