"""What an attempt is told as: how far it came, what was said, and why, in one line."""

import pytest
from tests.console.mails import tried

from ringpost.console import delivery_words
from ringpost.console.delivery_words import NOBODY
from ringpost.domain.deliveries import REJECTED, RETRY, SENT, Outcome, Party, Stage
from ringpost.domain.tenants import TenantId
from ringpost.domain.traps import mail
from ringpost.usecases.room import Room

SMTP, GRAPH, GMAIL = "mail.example.com:25", "Microsoft Graph", "Gmail API"


@pytest.mark.parametrize(
    ("server", "outcome", "way"),
    [
        (SMTP, Outcome(RETRY, Stage.RESOLVE, Party.NETWORK), "f......"),
        (SMTP, Outcome(RETRY, Stage.EHLO, Party.MAIL_SERVER), "df....."),
        (SMTP, Outcome(RETRY, Stage.TLS, Party.MAIL_SERVER), "ddf...."),
        (SMTP, Outcome(RETRY, Stage.TOKEN, Party.CONFIGURATION), "f......."),
        (SMTP, Outcome(REJECTED, Stage.ACCEPTED, Party.MESSAGE, code=554), "ddddddf"),
        (SMTP, Outcome(SENT, Stage.ACCEPTED, code=250), "ddddddd"),
        (GRAPH, Outcome(RETRY, Stage.RESOLVE, Party.MAIL_SERVER), "f.."),
        (GRAPH, Outcome(RETRY, Stage.CONNECT, Party.MAIL_SERVER), "f.."),
        (GMAIL, Outcome(RETRY, Stage.TLS, Party.MAIL_SERVER), "f.."),
        (GMAIL, Outcome(RETRY, Stage.TOKEN, Party.CONFIGURATION), "df."),
        (GRAPH, Outcome(RETRY, Stage.API, Party.MAIL_SERVER, code=503), "ddf"),
        (GRAPH, Outcome(RETRY, Stage.DATA, Party.MESSAGE), "ddf"),
        (GMAIL, Outcome(SENT, Stage.ACCEPTED, code=200), "ddd"),
        (GRAPH, Outcome(SENT, Stage.ACCEPTED, code=202), "ddd"),
    ],
)
async def test_an_attempt_shows_how_far_it_came(
    room: Room, acme: TenantId, server: str, outcome: Outcome, way: str
) -> None:
    _, attempt = await tried(room, acme, outcome, server)
    marks = {"done": "d", "failed": "f", "open": "."}
    assert "".join(marks[mark] for _, mark in delivery_words.way_of(attempt)) == way


async def test_where_no_server_was_asked_there_was_no_way(room: Room, acme: TenantId) -> None:
    _, attempt = await tried(room, acme, Outcome(RETRY, Stage.RESOLVE, Party.CONFIGURATION), server="")
    assert delivery_words.way_of(attempt) == []


@pytest.mark.parametrize("reply", ["5.1.1 No such user here", "No such user here"])
async def test_the_servers_answer_has_each_of_its_codes_once(room: Room, acme: TenantId, reply: str) -> None:
    refused = Outcome(REJECTED, Stage.RCPT_TO, Party.RECIPIENT, code=550, enhanced_code="5.1.1", reply=reply)
    _, attempt = await tried(room, acme, refused)
    said_by = delivery_words.said(attempt, "jane@example.com")
    assert said_by == ("RCPT TO:<jane@example.com>", "550 5.1.1 No such user here")


async def test_why_is_told_in_the_words_of_the_trap_also_when_numbers_follow_them(room: Room, acme: TenantId) -> None:
    hint = f"{mail.MAIL_TOO_LARGE.hint} It has 9000 bytes; the mail server accepts 8000 bytes."
    row, attempt = await tried(room, acme, Outcome(REJECTED, Stage.MAIL_FROM, Party.MESSAGE, code=552, hint=hint))
    assert delivery_words.why(row) == mail.MAIL_TOO_LARGE.title
    assert delivery_words.reason_of(attempt).trap == mail.MAIL_TOO_LARGE


async def test_why_is_told_in_our_words_and_without_any_in_the_servers(room: Room, acme: TenantId) -> None:
    strange = Outcome(RETRY, Stage.RCPT_TO, Party.RECIPIENT, code=450, reply="Nope", hint="It is strange.")
    assert delivery_words.why((await tried(room, acme, strange))[0]) == "It is strange."
    unexplained = Outcome(REJECTED, Stage.RCPT_TO, Party.RECIPIENT, code=550, reply="Nope")
    assert delivery_words.why((await tried(room, acme, unexplained))[0]) == "Nope"


async def test_a_mail_that_was_sent_needs_no_reason(room: Room, acme: TenantId) -> None:
    row, _ = await tried(room, acme, Outcome(SENT, Stage.ACCEPTED, code=250, reply="2.0.0 queued as 1"))
    assert delivery_words.why(row) == ""


async def test_when_nobody_can_know_nobody_has_to_do_anything(room: Room, acme: TenantId) -> None:
    _, attempt = await tried(room, acme, Outcome(RETRY, Stage.ACCEPTED, hint="Touch was lost.", ambiguous=True))
    assert delivery_words.reason_of(attempt).helper is NOBODY
