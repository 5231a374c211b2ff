"""One delivery as a story: event, rule, template, mail server, each attempt; why, what to do, retry and cancel."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection
from starlette.responses import Response

from ringpost.console.delivery_words import (
    AUDIENCES,
    TITLES,
    Reason,
    hold_for,
    is_over_share,
    reason_of,
    reason_of_hold,
    said,
    way_of,
)
from ringpost.console.frames import frame, mail_text
from ringpost.console.languages import N_
from ringpost.console.rendering import render
from ringpost.console.routing import get, post
from ringpost.console.visit import Visit
from ringpost.domain.catalogue import CATALOGUE
from ringpost.domain.deliveries import State
from ringpost.errors import NotFound
from ringpost.storage import deliveries, events, queues, search, settings
from ringpost.storage.tables import AnyRow
from ringpost.usecases.cancel_delivery import cancel_delivery
from ringpost.usecases.many_deliveries import CANCELLABLE, RETRIABLE
from ringpost.usecases.retry_delivery import retry_delivery
from ringpost.usecases.show_message import show_message


@dataclass(frozen=True, slots=True)
class Try:
    """One attempt as it is shown."""

    row: AnyRow
    reason: Reason
    way: list[tuple[str, str]]
    ours: str
    theirs: str

    @property
    def ended_at(self) -> int:
        """Milliseconds."""
        return self.row.started_at + self.row.duration_ms


@dataclass(frozen=True, slots=True)
class Story:
    """All that is known of one delivery."""

    row: AnyRow
    event: AnyRow
    tries: list[Try]
    hold: AnyRow | None
    others: list[AnyRow]
    """Deliveries of the same event to other people."""
    can_send: bool
    """There is a mail server, one's own or one to borrow."""

    @property
    def seen(self) -> str:
        """Changes when the story does."""
        held = self.hold.until if self.hold else 0
        return f"{self.row.state}.{self.row.attempts}.{self.row.due_at}.{held}"

    @property
    def is_open(self) -> bool:
        """Whether it goes on by itself."""
        return self.row.ended_at is None

    @property
    def reason(self) -> Reason | None:
        """Why it has not been sent; None when it has, and when nothing has gone wrong."""
        if self.row.state in (State.SENT, State.CANCELLED):
            return None
        if self.hold is not None:
            return reason_of_hold(self.hold)
        last = self.tries[-1] if self.tries else None
        return last.reason if last and last.row.verdict != "sent" else None

    @property
    def may_have_come(self) -> bool:
        """Touch was lost at an attempt after the last byte, so the server may have the mail."""
        return any(one.row.ambiguous for one in self.tries)

    @property
    def over_share(self) -> bool:
        """It waits, and its mail server does not fail."""
        return is_over_share(self.hold)

    @property
    def next_try(self) -> int | None:
        """When it is tried next, in milliseconds; None when nobody can say, or when it has ended."""
        if self.row.state != State.QUEUED:
            return None
        return max(deliveries.next_try(self.row), self.hold.until if self.hold else 0)


async def show_delivery(visit: Visit) -> Response:
    """The story; for htmx only what changes, or nothing when it is as it was."""
    story = await visit.room.database.read(_story, visit, visit.request.path_params["id"])
    if visit.wants_fragment and visit.request.query_params.get("seen") == story.seen:
        return Response(status_code=204)
    kind = CATALOGUE.get(story.row.type)
    values: dict[str, Any] = {
        "story": story,
        "row": story.row,
        "kind": kind,
        "title": TITLES.get(story.row.type, story.row.type),
        "audience": AUDIENCES[kind.audience] if kind else "",
        "borrowed": queues.is_borrowed(story.row.queue),
        "can_retry": story.row.state in RETRIABLE,
        "can_cancel": story.row.state in CANCELLABLE,
        "now": visit.room.clock(),
    }
    if visit.wants_fragment:
        return render(visit, "delivery_story.html", **values)
    message = await show_message(visit.room, visit.principal, story.row.id)
    return render(visit, "delivery.html", message=message, **values)


async def show_mail(visit: Visit) -> Response:
    """The mail by itself, for a frame that is shut off."""
    message = await show_message(visit.room, visit.principal, visit.request.path_params["id"])
    if message is None:
        raise NotFound(N_("The message is not kept any more, or holds a secret."))
    return frame(message.html or mail_text(message.subject, message.text))


async def retry(visit: Visit) -> Response:
    """Try it again at once."""
    delivery: str = visit.request.path_params["id"]
    await retry_delivery(visit.room, visit.principal, delivery)
    return visit.redirect(f"/deliveries/{delivery}", done="retried")


async def cancel(visit: Visit) -> Response:
    """Do not send it."""
    delivery: str = visit.request.path_params["id"]
    await cancel_delivery(visit.room, visit.principal, delivery)
    return visit.redirect(f"/deliveries/{delivery}", done="cancelled")


def _story(connection: Connection, visit: Visit, delivery: str) -> Story:
    tenant = visit.tenant_id
    row = deliveries.show(connection, tenant, delivery)
    event = events.show(connection, tenant, row.event_id)
    if event is None:
        raise NotFound(N_("There is no such delivery."))
    can_send = settings.show(connection, tenant).can_send or settings.system_server_offered(connection)
    ids = [one for one in search.deliveries_of(connection, tenant, row.event) if one != row.id]
    return Story(
        row,
        event,
        [_try(attempt, row.recipient) for attempt in deliveries.attempts_of(connection, tenant, delivery)],
        hold_for(row, deliveries.hold_of(connection, row.queue)) if row.state == State.QUEUED else None,
        deliveries.rows_of(connection, tenant, ids),
        can_send,
    )


def _try(attempt: AnyRow, recipient: str) -> Try:
    return Try(attempt, reason_of(attempt), way_of(attempt), *said(attempt, recipient))


routes = (
    get("/deliveries/{id}", show_delivery),
    get("/deliveries/{id}/message", show_mail),
    post("/deliveries/{id}/retry", retry),
    post("/deliveries/{id}/cancel", cancel),
)
