"""The story of a mail says nothing that is not so: who refused it, whether it may have come, whether it was tried."""

import pytest
from sqlalchemy import Connection
from tests.conftest import Clock
from tests.console.conftest import ClientOf
from tests.console.mails import admin, report, tried
from tests.console.server_forms import SAVED

from ringpost.domain.access import Role
from ringpost.domain.deliveries import REJECTED, RETRY, Outcome, Party, Stage
from ringpost.domain.tenants import TenantId
from ringpost.domain.traps import mail
from ringpost.storage import outcomes
from ringpost.usecases.cancel_delivery import cancel_delivery
from ringpost.usecases.change_settings import change_settings
from ringpost.usecases.deliver import lost_worker, set_aside
from ringpost.usecases.room import Room

DAY_MS = 24 * 3600_000
BY_SERVER = "The server refused it for good"
AS_IT_IS = "It cannot be sent as it is"


async def story_of(client_of: ClientOf, delivery: str) -> str:
    return (await (await client_of(Role.TENANT_ADMIN)).get(f"/console/deliveries/{delivery}")).text


@pytest.mark.parametrize(
    ("outcome", "said", "not_said"),
    [
        (Outcome(REJECTED, Stage.RCPT_TO, Party.RECIPIENT, code=550, reply="No such user"), BY_SERVER, AS_IT_IS),
        (set_aside(), AS_IT_IS, BY_SERVER),
        (Outcome(REJECTED, Stage.RCPT_TO, Party.RECIPIENT, hint=mail.UNWRITABLE.hint), AS_IT_IS, BY_SERVER),
    ],
)
async def test_a_server_that_was_not_asked_has_not_refused_the_mail(
    client_of: ClientOf, room: Room, acme: TenantId, outcome: Outcome, said: str, not_said: str
) -> None:
    row, _ = await tried(room, acme, outcome)

    story = await story_of(client_of, row.id)

    assert said in story
    assert not_said not in story
    assert ("refused for good" in story) == (outcome.code is not None)


@pytest.mark.parametrize(
    ("outcome", "asked"),
    [
        (set_aside(), "Whoever runs Ringpost"),
        (Outcome(RETRY, Stage.RESOLVE, Party.MESSAGE, hint="The stored message cannot be opened."), "runs Ringpost"),
        (Outcome(RETRY, Stage.DATA, Party.MESSAGE, code=451, reply="Busy"), "Whoever edits the templates"),
        (Outcome(REJECTED, Stage.MAIL_FROM, Party.MESSAGE, hint=mail.MAIL_TOO_LARGE.hint), "edits the templates"),
    ],
)
async def test_nobody_is_sent_to_the_templates_for_a_fault_of_ringpost(
    client_of: ClientOf, room: Room, acme: TenantId, outcome: Outcome, asked: str
) -> None:
    row, _ = await tried(room, acme, outcome)

    assert asked in await story_of(client_of, row.id)


@pytest.mark.parametrize("outcome", [lost_worker(), Outcome(RETRY, Stage.CONNECT, Party.MAIL_SERVER)])
async def test_a_cancelled_mail_that_may_have_been_sent_is_not_told_as_unsent(
    client_of: ClientOf, room: Room, acme: TenantId, outcome: Outcome
) -> None:
    row, _ = await tried(room, acme, outcome)
    await cancel_delivery(room, admin(acme), row.id)

    story = await story_of(client_of, row.id)

    assert ("it may have been sent all the same" in story) == outcome.ambiguous
    assert ("before it was sent" in story) != outcome.ambiguous


async def test_a_mail_that_only_waited_is_not_told_as_tried(
    client_of: ClientOf, room: Room, acme: TenantId, clock: Clock
) -> None:
    await change_settings(room, admin(acme), SAVED)
    delivery = await report(room, acme, "ann@example.com")

    def expire(connection: Connection) -> None:
        outcomes.hold_queue(connection, acme, clock(), clock() + DAY_MS, Outcome(RETRY, Stage.CONNECT, Party.NETWORK))
        outcomes.expire(connection, clock() + 4 * DAY_MS, DAY_MS, 100)

    await room.database.write(expire)

    story = await story_of(client_of, delivery)
    assert "given up without a try" in story
    assert "It was tried from" not in story
    assert 'href="/console/mail-server"' in story.partition("What to do now")[2].partition("</div>")[0]


async def test_all_other_mails_of_an_event_are_counted_and_of_none_is_said_that_it_came(
    client_of: ClientOf, room: Room, acme: TenantId
) -> None:
    mine, theirs = ([f"{name}{number}@example.com" for number in range(15)] for name in ("mine", "theirs"))
    await change_settings(room, admin(acme), {**SAVED, "recipients": ", ".join(mine)})
    delivery = await report(room, acme, *theirs)

    story = await story_of(client_of, delivery)

    assert "29 other mails were made of this event" in story
    assert sum(f">{one}</a>" in story for one in (*mine, *theirs)) == 29
    assert "told too" not in story
