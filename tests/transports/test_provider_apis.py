"""Microsoft Graph and the Gmail API: what is sent, and what each answer means, over HTTPS with a private authority."""

import asyncio
import json
from base64 import b64decode, urlsafe_b64decode
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from tests.patience import patience
from tests.transports.mail_samples import MESSAGE, envelope
from tests.transports.oauth_samples import GRAPH, MAILBOX, REFRESH, SECRET, USER, service_account
from tests.transports.provider_stand_in import Say, StandIn, send

from ringpost.domain.deliveries import REJECTED, RETRY, SENT, Party, Stage
from ringpost.domain.endpoints import GmailEndpoint, GraphEndpoint
from ringpost.domain.traps import TRAPS
from ringpost.transports.microsoft365 import microsoft365
from ringpost.transports.pacing import Allowance
from ringpost.transports.web import read_retry_after

DENIED = {"error": {"code": "ErrorAccessDenied", "message": "Access is denied."}}


def google_error(reason: str, message: str = "No.") -> dict[str, Any]:
    """An error as the Gmail API writes it."""
    return {"error": {"code": 403, "message": message, "errors": [{"reason": reason}], "status": "X"}}


async def test_graph_takes_a_mail(provider: StandIn, ca_file: str) -> None:
    outcome = await send(provider.providers(ca_file), GRAPH)

    (request,) = provider.of("send")
    assert (outcome.verdict, outcome.stage, outcome.code) == (SENT, Stage.ACCEPTED, 202)
    assert (request.method, request.path) == ("POST", f"/v1.0/users/{MAILBOX}/sendMail")
    assert request.headers["content-type"] == "text/plain"
    assert request.headers["authorization"] == "Bearer access-1"
    assert b64decode(request.body) == MESSAGE


@pytest.mark.parametrize("endpoint", [USER, service_account()], ids=["user", "service account"])
async def test_gmail_takes_a_mail(provider: StandIn, ca_file: str, endpoint: GmailEndpoint) -> None:
    outcome = await send(provider.providers(ca_file), endpoint)

    (request,) = provider.of("send")
    assert (outcome.verdict, outcome.stage, outcome.code) == (SENT, Stage.ACCEPTED, 200)
    assert (request.method, request.path) == ("POST", "/gmail/v1/users/me/messages/send")
    assert urlsafe_b64decode(json.loads(request.body)["raw"]) == MESSAGE


@pytest.mark.parametrize(
    ("say", "verdict", "party", "trap"),
    [
        (Say(400, {"error": {"code": "ErrorMimeContentInvalid"}}), REJECTED, Party.MESSAGE, "GRAPH_MAIL_REFUSED"),
        (Say(400, {"error": {"code": "ErrorInvalidRecipients"}}), REJECTED, Party.RECIPIENT, "GRAPH_RECIPIENT_REFUSED"),
        (Say(400, {"error": {"code": "ErrorMessageSizeExceeded"}}), REJECTED, Party.MESSAGE, "GRAPH_TOO_LARGE"),
        (Say(403, DENIED), RETRY, Party.CONFIGURATION, "GRAPH_NO_PERMISSION"),
        (Say(403, {"error": {"code": "ErrorSendAsDenied"}}), RETRY, Party.CONFIGURATION, "GRAPH_SEND_AS"),
        (Say(404, {"error": {"code": "ErrorInvalidUser"}}), RETRY, Party.CONFIGURATION, "GRAPH_NO_MAILBOX"),
        (Say(400, {"error": {"code": "ErrorExceededMessageLimit"}}), RETRY, Party.MAIL_SERVER, "GRAPH_BUSY"),
        (Say(403, {"error": {"code": "ErrorExceededMessageLimit"}}), RETRY, Party.MAIL_SERVER, "GRAPH_BUSY"),
        (Say(400, {"error": {"code": "ErrorMessageSubmissionBlocked"}}), RETRY, Party.CONFIGURATION, "GRAPH_BLOCKED"),
        (Say(403, {"error": {"code": "ErrorMessageSubmissionBlocked"}}), RETRY, Party.CONFIGURATION, "GRAPH_BLOCKED"),
        (Say(400, {"error": {"code": "ErrorQuotaExceeded"}}), RETRY, Party.CONFIGURATION, "GRAPH_MAILBOX_FULL"),
        (Say(408), RETRY, Party.MAIL_SERVER, "GRAPH_BUSY"),
        (Say(413), REJECTED, Party.MESSAGE, "GRAPH_TOO_LARGE"),
        (Say(429), RETRY, Party.MAIL_SERVER, "GRAPH_BUSY"),
        (Say(500, b"<html>"), RETRY, Party.MAIL_SERVER, "GRAPH_BUSY"),
        (Say(503), RETRY, Party.MAIL_SERVER, "GRAPH_BUSY"),
        (Say(504), RETRY, Party.MAIL_SERVER, "GRAPH_BUSY"),
        (Say(302, None, {"Location": "https://elsewhere.example/"}), RETRY, Party.MAIL_SERVER, "GRAPH_UNKNOWN"),
        (Say(418, b"[]"), RETRY, Party.MAIL_SERVER, "GRAPH_UNKNOWN"),
        (Say(418, b"[" * 60_000), RETRY, Party.MAIL_SERVER, "GRAPH_UNKNOWN"),
    ],
)  # fmt: skip
async def test_what_graph_says_no_with(
    provider: StandIn, ca_file: str, say: Say, verdict: str, party: Party, trap: str
) -> None:
    provider.say("send", say, say)  # after a 403 it is asked once more, with a fresh token
    outcome = await send(provider.providers(ca_file), GRAPH)
    assert (outcome.verdict, outcome.stage, outcome.party, outcome.code) == (verdict, Stage.API, party, say.status)
    assert (outcome.trap, outcome.hint) == (trap, TRAPS[trap].hint)
    assert not outcome.ambiguous


@pytest.mark.parametrize(
    ("say", "verdict", "party", "trap"),
    [
        (Say(400, google_error("invalidArgument")), REJECTED, Party.MESSAGE, "GMAIL_MAIL_REFUSED"),
        (Say(400, google_error("invalidArgument", "Invalid To header")), REJECTED, Party.RECIPIENT,
         "GMAIL_RECIPIENT_REFUSED"),
        (Say(400, google_error("failedPrecondition")), RETRY, Party.CONFIGURATION, "GMAIL_SWITCHED_OFF"),
        (Say(403, google_error("rateLimitExceeded")), RETRY, Party.MAIL_SERVER, "GMAIL_BUSY"),
        (Say(403, google_error("userRateLimitExceeded")), RETRY, Party.MAIL_SERVER, "GMAIL_BUSY"),
        (Say(403, google_error("dailyLimitExceeded")), RETRY, Party.MAIL_SERVER, "GMAIL_BUSY"),
        (Say(403, google_error("insufficientPermissions")), RETRY, Party.CONFIGURATION, "GMAIL_NO_PERMISSION"),
        (Say(403, google_error("domainPolicy")), RETRY, Party.CONFIGURATION, "GMAIL_NO_PERMISSION"),
        (Say(403, google_error("forbidden")), RETRY, Party.CONFIGURATION, "GMAIL_NO_PERMISSION"),
        (Say(403, b"<html>"), RETRY, Party.CONFIGURATION, "GMAIL_NO_PERMISSION"),
        (Say(404, google_error("notFound")), RETRY, Party.CONFIGURATION, "GMAIL_NO_MAILBOX"),
        (Say(413), REJECTED, Party.MESSAGE, "GMAIL_TOO_LARGE"),
        (Say(429), RETRY, Party.MAIL_SERVER, "GMAIL_BUSY"),
        (Say(503), RETRY, Party.MAIL_SERVER, "GMAIL_BUSY"),
        (Say(418), RETRY, Party.MAIL_SERVER, "GMAIL_UNKNOWN"),
    ],
)  # fmt: skip
async def test_what_gmail_says_no_with(
    provider: StandIn, ca_file: str, say: Say, verdict: str, party: Party, trap: str
) -> None:
    provider.say("send", say, say)
    outcome = await send(provider.providers(ca_file), USER)
    assert (outcome.verdict, outcome.stage, outcome.party, outcome.code) == (verdict, Stage.API, party, say.status)
    assert (outcome.trap, outcome.hint) == (trap, TRAPS[trap].hint)


@pytest.mark.parametrize(
    ("endpoint", "say"),
    [(GRAPH, Say(200, {"ok": True})), (USER, Say(200, b"<html>Log in")), (USER, Say(200, {"id": 5})), (USER, Say(204))],
)
async def test_a_success_that_is_none_is_not_taken_for_one(
    provider: StandIn, ca_file: str, endpoint: GraphEndpoint | GmailEndpoint, say: Say
) -> None:
    provider.say("send", say)
    outcome = await send(provider.providers(ca_file), endpoint)
    assert (outcome.verdict, outcome.party, outcome.ambiguous) == (RETRY, None, True)
    assert outcome.trap == ("NOT_GRAPH" if endpoint is GRAPH else "NOT_GMAIL")


@pytest.mark.parametrize("endpoint", [GRAPH, USER], ids=["graph", "gmail"])
async def test_a_token_that_is_refused_is_renewed_once(
    provider: StandIn, ca_file: str, endpoint: GraphEndpoint | GmailEndpoint
) -> None:
    provider.say("send", Say(401))
    outcome = await send(provider.providers(ca_file), endpoint)
    assert outcome.verdict is SENT
    assert [one.headers["authorization"] for one in provider.of("send")] == ["Bearer access-1", "Bearer access-2"]


async def test_a_permission_that_was_given_since_the_token_counts_at_once(provider: StandIn, ca_file: str) -> None:
    providers = provider.providers(ca_file)
    provider.say("send", Say(403, DENIED), Say(403, DENIED))
    assert (await send(providers, GRAPH)).party is Party.CONFIGURATION

    provider.say("send", Say(403, DENIED))  # to the token that is kept: it was made before the permission was given
    assert (await send(providers, GRAPH)).verdict is SENT


@pytest.mark.parametrize("endpoint", [GRAPH, USER], ids=["graph", "gmail"])
async def test_a_fresh_token_that_is_refused_is_a_matter_of_the_settings(
    provider: StandIn, ca_file: str, endpoint: GraphEndpoint | GmailEndpoint
) -> None:
    provider.say("send", Say(401), Say(401))
    outcome = await send(provider.providers(ca_file), endpoint)
    assert (outcome.verdict, outcome.party, outcome.code) == (RETRY, Party.CONFIGURATION, 401)
    assert outcome.trap == ("GRAPH_LOGIN_REFUSED" if endpoint is GRAPH else "GMAIL_LOGIN_REFUSED")
    assert (len(provider.of("send")), provider.tokens) == (2, 2)


async def test_retry_after_makes_the_whole_mailbox_rest(provider: StandIn, ca_file: str) -> None:
    providers = provider.providers(ca_file)
    provider.say("send", Say(429, None, {"Retry-After": "40"}))
    first = await send(providers, GRAPH)
    second = await send(providers, GRAPH)
    assert first.retry_after == 40
    assert (second.verdict, second.party) == (RETRY, Party.MAIL_SERVER)
    assert second.retry_after == pytest.approx(40, abs=1)
    assert len(provider.of("send")) == 1  # it was not asked again


def test_retry_after_may_be_a_date() -> None:
    now = datetime(2027, 1, 1, tzinfo=UTC)
    assert read_retry_after(format_datetime(now + timedelta(seconds=90), usegmt=True), now) == 90
    assert read_retry_after(format_datetime(now - timedelta(days=1), usegmt=True), now) == 0


@pytest.mark.parametrize("kind", ["send", "token"])
@pytest.mark.parametrize("ahead", [timedelta(hours=1), timedelta(hours=-1)], ids=["ahead", "behind"])
async def test_a_date_to_come_back_at_is_reckoned_by_the_providers_clock(
    provider: StandIn, ca_file: str, ahead: timedelta, kind: str
) -> None:
    there = datetime.now(UTC) + ahead
    dates = {"Date": there, "Retry-After": there + timedelta(seconds=40)}
    provider.say(kind, Say(503, None, {name: format_datetime(at, usegmt=True) for name, at in dates.items()}))
    assert (await send(provider.providers(ca_file), GRAPH)).retry_after == 40


@pytest.mark.parametrize(("text", "seconds"), [
    (None, None), ("soon", None), ("-5", None), ("7", 7), ("9" * 30, 3600),
    ("Fri, 31 Dec 9999 23:59:59 -1200", None),
])  # fmt: skip
def test_retry_after_is_bounded_and_may_be_nonsense(text: str | None, seconds: float | None) -> None:
    assert read_retry_after(text, datetime(2027, 1, 1, tzinfo=UTC)) == seconds


@pytest.mark.parametrize(("words", "seconds"), [
    ("User-rate limit exceeded.  Retry after 2027-01-01T00:00:40.000Z", 40),
    ("User-rate limit exceeded.  Retry after 2027-01-01T00:00:40.123456Z (Mail sending)", pytest.approx(40, abs=1)),
    ("User-rate limit exceeded.  Retry after 2026-12-31T00:00:00Z", 0),
    ("User-rate limit exceeded.  Retry after 2027-01-09T00:00:00Z", 3600),
    ("User-rate limit exceeded.  Retry after 2027-13-01T00:00:00Z", None),
    ("User-rate limit exceeded.", None),
])  # fmt: skip
async def test_gmail_says_in_words_when_to_come_back(
    provider: StandIn, ca_file: str, words: str, seconds: float | None
) -> None:
    at = {"Date": "Fri, 01 Jan 2027 00:00:00 GMT"}
    provider.say("send", Say(403, google_error("rateLimitExceeded", words), at))
    outcome = await send(provider.providers(ca_file), USER)
    assert (outcome.trap, outcome.retry_after) == ("GMAIL_BUSY", seconds)


async def test_no_more_mails_a_minute_than_allowed_and_the_others_come_back_later(
    provider: StandIn, ca_file: str
) -> None:
    providers = provider.providers(ca_file, graph_allowance=Allowance(4, ((3, 60.0),)))
    transport = microsoft365(GRAPH, providers)
    outcomes = [await transport.send(envelope(), MESSAGE) for _ in range(4)]
    await transport.close()
    assert [one.verdict for one in outcomes] == [SENT, SENT, SENT, RETRY]
    assert outcomes[3].party is Party.MAIL_SERVER
    assert outcomes[3].retry_after == pytest.approx(60, abs=2)


async def test_no_more_requests_at_once_than_allowed(provider: StandIn, ca_file: str) -> None:
    provider.say("send", *[Say(202, after_s=0.1)] * 6)
    transport = microsoft365(GRAPH, provider.providers(ca_file, graph_allowance=Allowance(2, ())))
    outcomes = await asyncio.gather(*(transport.send(envelope(), MESSAGE) for _ in range(6)))
    await transport.close()
    assert {one.verdict for one in outcomes} == {SENT}
    assert provider.connections <= 2 + 2  # two that are kept, and those of the token


async def test_some_of_what_is_allowed_is_kept_for_emergencies(provider: StandIn, ca_file: str) -> None:
    providers = provider.providers(ca_file, graph_allowance=Allowance(4, ((10, 60.0),), 0.1))
    mails, emergencies = microsoft365(GRAPH, providers), microsoft365(GRAPH, providers, urgent=True)
    of_mails = [await mails.send(envelope(), MESSAGE) for _ in range(10)]
    of_emergencies = [await emergencies.send(envelope(), MESSAGE) for _ in range(2)]
    await mails.close()
    await emergencies.close()
    assert [one.verdict for one in of_mails] == [SENT] * 9 + [RETRY]
    assert [one.verdict for one in of_emergencies] == [SENT, RETRY], "and what the provider allows in all, holds"


async def test_an_emergency_does_not_wait_for_requests_that_hang(provider: StandIn, ca_file: str) -> None:
    provider.say("send", *[Say(202, after_s=60)] * 3)
    providers = provider.providers(ca_file, graph_allowance=Allowance(4, (), 0.1))
    mails, emergencies = microsoft365(GRAPH, providers), microsoft365(GRAPH, providers, urgent=True)
    hanging = [asyncio.create_task(mails.send(envelope(), MESSAGE)) for _ in range(6)]
    async with patience(20):
        while len(provider.of("send")) < 3:
            await asyncio.sleep(0.02)
        outcome = await emergencies.send(envelope(), MESSAGE)
    for task in hanging:
        task.cancel()
    await asyncio.gather(*hanging, return_exceptions=True)
    await mails.close()
    await emergencies.close()
    assert (outcome.verdict, len(provider.of("send"))) == (SENT, 4)


@pytest.mark.parametrize("endpoint", [GRAPH, USER], ids=["graph", "gmail"])
async def test_an_echoed_secret_is_not_shown(
    provider: StandIn, ca_file: str, endpoint: GraphEndpoint | GmailEndpoint
) -> None:
    said = [Say(403, {"error": {"code": "X", "message": f"token access-{number} is bad"}}) for number in (1, 2)]
    provider.say("send", *said)
    of_api = await send(provider.providers(ca_file), endpoint)
    description = f"AADSTS1: {SECRET} {REFRESH}"
    provider.say("token", Say(400, {"error": "invalid_client", "error_description": description}))
    of_token = await send(provider.providers(ca_file), endpoint)
    assert "is bad" in of_api.reply
    assert "access-2" not in repr(of_api)
    assert "AADSTS1" in of_token.reply
    assert SECRET not in repr(of_token)
    assert endpoint is GRAPH or REFRESH not in repr(of_token)
