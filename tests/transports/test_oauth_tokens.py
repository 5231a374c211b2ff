"""Access tokens: how they are asked for, kept and renewed."""

import asyncio
import gzip
import ssl
import tracemalloc
from dataclasses import replace

import jwt
import pytest
from tests.patience import patience
from tests.transports.oauth_samples import (
    APP,
    CLIENT,
    GRAPH,
    MAILBOX,
    REFRESH,
    SECRET,
    USER,
    certificate_pem,
    private_key,
    service_account,
)
from tests.transports.provider_stand_in import DIRECTORY, Say, StandIn, outcome_of, stand_in

from ringpost.domain.credentials import Cloud, Grant, Purpose
from ringpost.domain.deliveries import Outcome, Stage
from ringpost.domain.secrets import Secret
from ringpost.transports.oauth.tokens import Authorities, Tokens


async def asked(provider: StandIn, times: int) -> None:
    """Wait until it has been asked for a token so many times."""
    async with patience(10):
        while len(provider.of("token")) < times:
            await asyncio.sleep(0.01)


async def test_a_secret_is_sent_as_client_credentials(provider: StandIn, ca_file: str) -> None:
    token = await provider.providers(ca_file).tokens.token(GRAPH.grant)
    (request,) = provider.of("token")
    assert token == Secret("access-1")
    assert request.path == f"/{DIRECTORY}/oauth2/v2.0/token"
    assert request.form["grant_type"] == "client_credentials"
    assert (request.form["client_id"], request.form["client_secret"]) == (CLIENT, SECRET)
    assert request.form["scope"] == "https://graph.microsoft.com/.default"


async def test_a_certificate_signs_instead_of_a_secret(provider: StandIn, ca_file: str) -> None:
    app = replace(APP, client_secret=None, certificate=Secret(certificate_pem()))
    token = await provider.providers(ca_file).tokens.token(Grant(app, MAILBOX, Purpose.API))
    form = provider.of("token")[0].form
    assert token == Secret("access-1")
    assert "client_secret" not in form
    key = private_key().public_key()
    claims = jwt.decode(form["client_assertion"], key, algorithms=["PS256"], options={"verify_aud": False})
    assert claims["iss"] == claims["sub"] == CLIENT


async def test_smtp_has_a_token_of_its_own(provider: StandIn, ca_file: str) -> None:
    tokens = provider.providers(ca_file).tokens
    for grant in (GRAPH.grant, Grant(APP, MAILBOX, Purpose.SMTP)):
        await tokens.token(grant)
    assert [one.form["scope"] for one in provider.of("token")] == [
        "https://graph.microsoft.com/.default",
        "https://outlook.office365.com/.default",
    ]


@pytest.mark.parametrize("status", [302, 307, 308])
async def test_a_secret_does_not_travel_on_to_where_somebody_points(
    provider: StandIn, ca_file: str, status: int
) -> None:
    provider.say("token", Say(status, None, {"Location": f"{provider.url}/elsewhere"}))
    outcome = await outcome_of(provider, ca_file, GRAPH.grant)
    assert (outcome.stage, outcome.code) == (Stage.TOKEN, status)
    assert provider.of("send") == [], "nobody asked there"


@pytest.mark.parametrize(
    ("purpose", "scope"),
    [(Purpose.API, "https://www.googleapis.com/auth/gmail.send"), (Purpose.SMTP, "https://mail.google.com/")],
)
async def test_a_service_account_acts_for_the_mailbox(
    provider: StandIn, ca_file: str, purpose: Purpose, scope: str
) -> None:
    grant = replace(service_account().grant, purpose=purpose)
    assert await provider.providers(ca_file).tokens.token(grant) == Secret("access-1")
    assertion = provider.of("token")[0].form["assertion"]
    claims = jwt.decode(
        assertion, private_key().public_key(), algorithms=["RS256"], audience="https://oauth2.googleapis.com/token"
    )
    assert (claims["iss"], claims["sub"], claims["scope"]) == ("ringpost@x.iam.example", MAILBOX, scope)


async def test_a_users_refresh_token_is_traded_for_an_access_token(provider: StandIn, ca_file: str) -> None:
    assert await provider.providers(ca_file).tokens.token(USER.grant) == Secret("access-1")
    form = provider.of("token")[0].form
    assert (form["grant_type"], form["refresh_token"], form["client_secret"]) == ("refresh_token", REFRESH, SECRET)


async def test_a_token_is_kept_and_asked_for_once_by_all(provider: StandIn, ca_file: str) -> None:
    tokens = provider.providers(ca_file).tokens
    found = await asyncio.gather(*(tokens.token(GRAPH.grant) for _ in range(50)))
    assert set(found) == {Secret("access-1")}
    assert await tokens.token(GRAPH.grant) == Secret("access-1")
    assert provider.tokens == 1


async def test_a_refused_token_is_replaced_once_for_all_who_had_it(provider: StandIn, ca_file: str) -> None:
    tokens = provider.providers(ca_file).tokens
    old = await tokens.token(GRAPH.grant)
    assert isinstance(old, Secret)
    found = await asyncio.gather(*(tokens.token(GRAPH.grant, instead_of=old) for _ in range(20)))
    assert set(found) == {Secret("access-2")}
    assert await tokens.token(GRAPH.grant, instead_of=old) == Secret("access-2")


async def test_of_an_answer_that_is_packed_no_more_is_unpacked_than_is_read(provider: StandIn, ca_file: str) -> None:
    provider.say("token", Say(200, gzip.compress(b" " * (64 << 20)), {"Content-Encoding": "gzip"}))
    tracemalloc.start()
    try:
        await outcome_of(provider, ca_file, USER.grant)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert most < 16 << 20
    assert provider.of("token")[0].headers["accept-encoding"] == "identity"


async def test_a_token_is_renewed_before_it_ends_and_used_while_that_fails(provider: StandIn, ca_file: str) -> None:
    provider.life = 3600  # renewed from 3,300 s on
    options, now = provider.providers(ca_file).options, 0.0
    tokens = Tokens(options.authorities, options.web, lambda: now)
    assert await tokens.token(GRAPH.grant) == Secret("access-1")
    now = 3299
    assert await tokens.token(GRAPH.grant) == Secret("access-1")
    assert provider.tokens == 1
    now = 3301
    provider.say("token", Say(503))
    assert await tokens.token(GRAPH.grant) == Secret("access-1")
    await asked(provider, 2)
    assert await tokens.token(GRAPH.grant) == Secret("access-1")
    async with patience(10):
        while await tokens.token(GRAPH.grant) != Secret("access-2"):
            await asyncio.sleep(0.01)
    assert len(provider.of("token")) == 3


async def test_while_a_token_is_good_nobody_waits_for_its_renewal(provider: StandIn, ca_file: str) -> None:
    options, now = provider.providers(ca_file).options, 0.0
    tokens = Tokens(options.authorities, options.web, lambda: now)
    await tokens.token(GRAPH.grant)
    now = provider.life - 1
    provider.say("token", Say(after_s=60))
    async with patience(10):
        for _ in range(3):
            assert await tokens.token(GRAPH.grant) == Secret("access-1")
            await asked(provider, 2)


async def test_an_authority_that_says_nothing_keeps_nobody_from_another(
    provider: StandIn, good_tls: ssl.SSLContext, ca_file: str
) -> None:
    apps = [Grant(replace(APP, client_id=f"app-{number}"), MAILBOX, Purpose.API) for number in range(8)]
    provider.say("token", *[Say(after_s=60)] * len(apps))
    async with stand_in(good_tls) as google:
        authorities = Authorities(dict.fromkeys(Cloud, provider.url), f"{google.url}/token")
        tokens = provider.providers(ca_file, authorities=authorities).tokens
        waiting = [asyncio.create_task(tokens.token(app)) for app in apps]
        await asked(provider, len(apps))
        async with patience(10):
            assert await tokens.token(USER.grant) == Secret("access-1")
        for task in waiting:
            task.cancel()


async def test_a_token_that_has_ended_is_not_used_while_there_is_no_other(provider: StandIn, ca_file: str) -> None:
    options, now = provider.providers(ca_file).options, 0.0
    tokens = Tokens(options.authorities, options.web, lambda: now)
    await tokens.token(GRAPH.grant)
    now = provider.life + 1
    provider.say("token", Say(503))
    assert isinstance(await tokens.token(GRAPH.grant), Outcome)


async def test_a_changed_secret_asks_anew(provider: StandIn, ca_file: str) -> None:
    tokens = provider.providers(ca_file).tokens
    await tokens.token(GRAPH.grant)
    changed = replace(APP, client_secret=Secret("another"))
    assert await tokens.token(Grant(changed, MAILBOX, Purpose.API)) == Secret("access-2")
