"""What it means when there is no access token: what Microsoft and Google say, and what is said instead."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from tests.transports.oauth_samples import (
    APP,
    GRAPH,
    MAILBOX,
    REFRESH,
    USER,
    certificate_pem,
    service_account,
)
from tests.transports.provider_stand_in import Heard, Say, StandIn, outcome_of

from ringpost.domain.credentials import GoogleUser, Grant, Purpose
from ringpost.domain.deliveries import Party, Stage
from ringpost.domain.secrets import Secret
from ringpost.domain.traps import TRAPS

BROKEN = replace(APP, client_secret=None, certificate=Secret("-----BEGIN CERTIFICATE-----"))


@pytest.mark.parametrize(
    ("error", "number", "trap"),
    [
        ("invalid_client", "AADSTS7000215", "MICROSOFT_SECRET_WRONG"),
        ("invalid_client", "AADSTS7000222", "MICROSOFT_SECRET_EXPIRED"),
        ("invalid_request", "AADSTS90002", "MICROSOFT_TENANT_UNKNOWN"),
        ("invalid_grant", "AADSTS65001", "MICROSOFT_NO_CONSENT"),
        ("unauthorized_client", "AADSTS700016", "MICROSOFT_APP_UNKNOWN"),
        ("invalid_client", "AADSTS700027", "MICROSOFT_CERTIFICATE_UNKNOWN"),
        ("invalid_client", "AADSTS1000502", "MICROSOFT_CERTIFICATE_EXPIRED"),
        ("invalid_resource", "AADSTS500011", "MICROSOFT_OTHER_CLOUD"),
        ("invalid_client", "AADSTS700024", "CLOCK_WRONG"),
        ("unauthorized_client", "AADSTS7000112", "MICROSOFT_APP_DISABLED"),
        ("access_denied", "AADSTS53003", "MICROSOFT_POLICY"),
        ("invalid_client", "AADSTS99999999", "MICROSOFT_NO_TOKEN"),
    ],
)
async def test_what_microsoft_says_no_with(provider: StandIn, ca_file: str, error: str, number: str, trap: str) -> None:
    provider.say("token", Say(401, {"error": error, "error_description": f"{number}: Words.\r\nTrace ID: 1"}))
    outcome = await outcome_of(provider, ca_file, GRAPH.grant)
    assert (outcome.stage, outcome.party, outcome.code) == (Stage.TOKEN, Party.CONFIGURATION, 401)
    assert (outcome.trap, outcome.hint) == (trap, TRAPS[trap].hint)
    assert number in outcome.reply


async def test_a_wrong_organisation_is_found_at_its_discovery(provider: StandIn, ca_file: str) -> None:
    said = {"error": "invalid_tenant", "error_description": "AADSTS90002: Tenant not found."}
    provider.say("discovery", Say(400, said))
    outcome = await outcome_of(provider, ca_file, GRAPH.grant)
    assert (outcome.stage, outcome.party) == (Stage.TOKEN, Party.CONFIGURATION)
    assert outcome.trap == "MICROSOFT_TENANT_UNKNOWN"
    assert provider.of("token") == []


@pytest.mark.parametrize(
    ("error", "description", "trap"),
    [
        ("invalid_grant", "Invalid email or User ID", "GOOGLE_MAILBOX_UNKNOWN"),
        ("invalid_grant", "Token has been expired or revoked.", "GOOGLE_CONSENT_ENDED"),
        ("invalid_grant", "Invalid JWT Signature.", "GOOGLE_KEY_INVALID"),
        ("invalid_grant", "Invalid grant: account not found", "GOOGLE_ACCOUNT_GONE"),
        ("invalid_grant", "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe.",
         "CLOCK_WRONG"),
        ("invalid_grant", "Bad Request", "GOOGLE_NO_TOKEN"),
        ("unauthorized_client", "Client is unauthorized to retrieve access tokens", "GOOGLE_NO_DELEGATION"),
        ("invalid_client", "The OAuth client was not found.", "GOOGLE_CLIENT_REFUSED"),
        ("admin_policy_enforced", "", "GOOGLE_POLICY"),
    ],
)  # fmt: skip
async def test_what_google_says_no_with(
    provider: StandIn, ca_file: str, error: str, description: str, trap: str
) -> None:
    provider.say("token", Say(400, {"error": error, "error_description": description}))
    outcome = await outcome_of(provider, ca_file, USER.grant)
    assert (outcome.stage, outcome.party, outcome.code) == (Stage.TOKEN, Party.CONFIGURATION, 400)
    assert (outcome.trap, outcome.hint) == (trap, TRAPS[trap].hint)


@pytest.mark.parametrize("grant", [GRAPH.grant, USER.grant, service_account().grant], ids=["graph", "user", "account"])
@pytest.mark.parametrize(
    ("say", "seconds"),
    [
        (Say(429, None, {"Retry-After": "17"}), 17),
        (Say(503, b"<html>"), None),
        (Say(200, b"<html>Log in to the hotel"), None),
        (Say(200, b"[1]"), None),
        (Say(400, {"error": "temporarily_unavailable"}), None),
        (Say(drop=True), None),
        (Say(200, b"x" * 70000), None),
    ],
)
async def test_what_is_only_a_matter_of_time(
    provider: StandIn, ca_file: str, grant: Grant, say: Say, seconds: float | None
) -> None:
    provider.say("token", say)
    outcome = await outcome_of(provider, ca_file, grant)
    assert (outcome.stage, outcome.party, outcome.retry_after) == (Stage.TOKEN, Party.MAIL_SERVER, seconds)


@pytest.mark.parametrize(
    ("say", "trap"), [(Say(503, b"<html>"), "TOKENS_NOT_NOW"), (Say(400, b"<html>Log in"), "NOT_AN_AUTHORITY")]
)
async def test_what_is_a_matter_of_time_has_its_name(provider: StandIn, ca_file: str, say: Say, trap: str) -> None:
    provider.say("token", say)
    assert (await outcome_of(provider, ca_file, GRAPH.grant)).trap == trap


@pytest.mark.parametrize("grant", [GRAPH.grant, USER.grant, service_account().grant], ids=["graph", "user", "account"])
@pytest.mark.parametrize(
    "said",
    [
        {"access_token": "t\u00f6ken"}, {"access_token": "two words"}, {"access_token": "line\r\nX-Evil: 1"},
        {"access_token": ""}, {"access_token": None}, {"access_token": ["x"]}, {"access_token": 7}, {},
        {"access_token": "x", "expires_in": "soon"}, {"access_token": "x", "expires_in": 0},
        {"access_token": "x", "expires_in": -3600}, {"access_token": "x", "expires_in": 1e300},
        {"access_token": "x", "expires_in": float("nan")}, {"access_token": "x", "expires_in": float("inf")},
        {"access_token": "x", "expires_in": True}, {"access_token": "x", "expires_in": []},
    ],
)  # fmt: skip
async def test_an_authority_that_gives_no_real_token_is_not_the_credentials_fault(
    provider: StandIn, ca_file: str, grant: Grant, said: dict[str, Any]
) -> None:
    provider.say("token", Say(body={"token_type": "Bearer", "expires_in": 3599, **said}))
    outcome = await outcome_of(provider, ca_file, grant)
    assert (outcome.stage, outcome.party, outcome.trap) == (Stage.TOKEN, Party.MAIL_SERVER, "NOT_AN_AUTHORITY")


@pytest.mark.parametrize("life", [3599, 3599.5, "3599"])
async def test_a_token_says_in_several_ways_how_long_it_lives(
    provider: StandIn, ca_file: str, life: float | str
) -> None:
    tokens = provider.providers(ca_file).tokens
    for grant in (GRAPH.grant, USER.grant, service_account().grant):
        provider.say("token", Say(body={"access_token": "x", "expires_in": life, "ext_expires_in": "soon"}))
        assert await tokens.token(grant) == Secret("x")


async def test_google_need_not_say_how_long_a_token_lives_and_microsoft_does(provider: StandIn, ca_file: str) -> None:
    provider.say("token", *[Say(body={"access_token": "x"})] * 2)
    assert await provider.providers(ca_file).tokens.token(USER.grant) == Secret("x")
    assert (await outcome_of(provider, ca_file, GRAPH.grant)).trap == "NOT_AN_AUTHORITY"


@pytest.mark.parametrize(
    "endpoint",
    ["", "x", 7, "https://localhost", "https://localhost:x/t", "http://localhost/t", "https://localhost/\x01"],
)
async def test_a_discovery_that_makes_no_sense_is_not_the_credentials_fault(
    provider: StandIn, ca_file: str, endpoint: object
) -> None:
    provider.say("discovery", Say(body={"authorization_endpoint": f"{provider.url}/x/a", "token_endpoint": endpoint}))
    outcome = await outcome_of(provider, ca_file, GRAPH.grant)
    assert (outcome.stage, outcome.party, outcome.trap) == (Stage.TOKEN, Party.MAIL_SERVER, "NOT_AN_AUTHORITY")
    assert provider.of("token") == []


async def test_an_authority_that_says_nothing_is_not_waited_for_long(provider: StandIn, ca_file: str) -> None:
    provider.say("token", Say(after_s=3))
    outcome = await outcome_of(provider, ca_file, USER.grant, token=0.3)
    assert (outcome.stage, outcome.party) == (Stage.TOKEN, Party.MAIL_SERVER)
    assert outcome.hint == "The mail provider did not answer in time. A delivery is tried again by itself."


async def test_a_secret_does_not_follow_a_discovery_to_another_host(provider: StandIn, ca_file: str) -> None:
    elsewhere = "https://localhost:1/x/oauth2/v2.0"
    said = {"issuer": "x", "authorization_endpoint": f"{elsewhere}/authorize", "token_endpoint": f"{elsewhere}/token"}
    provider.say("discovery", Say(body=said))
    outcome = await outcome_of(provider, ca_file, GRAPH.grant)
    assert (outcome.stage, outcome.party) == (Stage.TOKEN, Party.CONFIGURATION)
    assert outcome.trap == "MICROSOFT_OTHER_CLOUD"


async def test_damaged_credentials_are_a_matter_of_the_settings(provider: StandIn, ca_file: str) -> None:
    outcome = await outcome_of(provider, ca_file, Grant(BROKEN, MAILBOX, Purpose.API))
    assert (outcome.stage, outcome.party) == (Stage.TOKEN, Party.CONFIGURATION)
    assert outcome.trap == "CREDENTIALS_DAMAGED"


ODD = 'canary ~8Q/+%25&="\\\u00e9\U0001f4de'
SPELLINGS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "form": quote_plus,
    "address": lambda text: quote(text, safe=""),
    "form of .NET": lambda text: re.sub("%..|~", lambda found: found[0].lower().replace("~", "%7e"), quote_plus(text)),
    "JSON": lambda text: json.dumps(text)[1:-1],
    "JSON of PHP": lambda text: json.dumps(text, ensure_ascii=False)[1:-1].replace("/", r"\/"),
}


@pytest.mark.parametrize("spelled", SPELLINGS.values(), ids=SPELLINGS)
@pytest.mark.parametrize(
    ("grant", "proof"),
    [
        (Grant(replace(APP, client_secret=Secret(ODD)), MAILBOX, Purpose.API), "client_secret"),
        (Grant(replace(APP, client_secret=None, certificate=Secret(certificate_pem())), MAILBOX, Purpose.API),
         "client_assertion"),
        (Grant(GoogleUser("client.apps.example", Secret(ODD), Secret(REFRESH)), MAILBOX, Purpose.API), "client_secret"),
        (USER.grant, "refresh_token"),
        (service_account().grant, "assertion"),
    ],
    ids=["secret", "certificate", "client", "user", "account"],
)  # fmt: skip
async def test_what_proves_who_we_are_is_not_shown_however_an_authority_repeats_it(
    provider: StandIn, ca_file: str, grant: Grant, proof: str, spelled: Callable[[str], str]
) -> None:
    def echo(request: Heard) -> dict[str, str]:
        return {"error": "invalid_client", "error_description": f"AADSTS1: {spelled(request.form[proof])} is bad"}

    provider.say("token", Say(401, echo))
    assert (await outcome_of(provider, ca_file, grant)).reply == "invalid_client: AADSTS1: *** is bad"
