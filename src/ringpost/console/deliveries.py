"""Deliveries: who got which mail, who did not and why."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Final

from sqlalchemy import Connection
from starlette.responses import Response

from ringpost.console.delivery_filters import (
    SHOWN_SPANS,
    SHOWN_STATES,
    Filters,
    namesakes,
    read_filters,
    recipients_like,
    whole_address,
)
from ringpost.console.delivery_words import SKIPPED, TITLES, hold_for, skipped, why
from ringpost.console.forms import Form
from ringpost.console.many_deliveries import told_of_many
from ringpost.console.rendering import render
from ringpost.console.routing import get
from ringpost.console.visit import Visit
from ringpost.domain.catalogue import CATALOGUE
from ringpost.domain.deliveries import State
from ringpost.domain.settings import Settings
from ringpost.storage import deliveries, events, search, settings
from ringpost.storage.identifiers import made_at
from ringpost.storage.search import Filter, Found
from ringpost.storage.tables import AnyRow

MOST_NEWS: Final = 99
"""New deliveries are counted up to here."""
SKIPPED_SHOWN: Final = 5


@dataclass(frozen=True, slots=True)
class Listing:
    """What the page shows of the list."""

    rows: list[AnyRow]
    holds: dict[str, AnyRow]
    """Queue of a mail that waits -> why all of it waits."""
    recipients: list[str]
    """Whom the search box means."""
    newer: str
    """Queries of the addresses of the pages beside this one; "" for none."""
    older: str
    looked_to: int | None
    """How far back was looked (milliseconds), when there may be more before that."""
    event: AnyRow | None = None
    """The event whose id is in the search box."""
    answer: "Answer | None" = None
    news: int = 0
    leaves_out: bool = False
    """There is mail for what is in the search box that does not fit what is chosen beside it."""

    def hold(self, row: AnyRow) -> AnyRow | None:
        """What keeps this mail waiting together with all others of its queue."""
        return hold_for(row, self.holds.get(row.queue)) if row.state == State.QUEUED else None


@dataclass(frozen=True, slots=True)
class Answer:
    """Why somebody did not get a mail: all that is known without a delivery."""

    is_recipient: bool
    recipients: int
    switched_off: tuple[str, ...]
    can_send: bool
    enabled: bool
    is_whole: bool
    """It is a whole address that was asked for, and not how one begins."""
    namesakes: tuple[str, ...]
    """Others with the same name before the @: people whom mail was made for, and recipients in the settings."""
    skipped: tuple[AnyRow, ...]
    """The last events that told nobody at all."""
    last: dict[str, AnyRow]
    """Event type -> its newest event."""


async def show_deliveries(visit: Visit) -> Response:
    """The list; for htmx only its table, or nothing when it is as it was."""
    filters = read_filters(visit)
    listing = await visit.room.database.read(_list, visit, filters)
    values: dict[str, Any] = {
        "filters": filters,
        "listing": listing,
        "titles": TITLES,
        "skips": SKIPPED,
        "skipped": skipped,
        "why": why,
        "now": visit.room.clock(),
        "top": filters.top or (listing.rows[0].id if listing.rows else ""),
        "is_live": not (filters.before or filters.after),
        "digest": _digest(listing),
    }
    if visit.wants_fragment:
        if visit.request.query_params.get("seen") == values["digest"]:
            return Response(status_code=204)
        return render(visit, "deliveries_list.html", **values)
    form = Form({name: getattr(filters, name) for name in ("q", "state", "type", "when", "since", "until")})
    choices = {"states": _said(visit, SHOWN_STATES), "types": types(visit), "spans": _said(visit, SHOWN_SPANS)}
    return render(visit, "deliveries.html", form=form, done=await told_of_many(visit), **choices, **values)


def _said(visit: Visit, options: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(value, visit.say(words)) for value, words in options]


def types(visit: Visit) -> list[tuple[str, str]]:
    """The choice of an event type."""
    return [("", visit.say("Everything")), *_said(visit, TITLES.items())]


def _list(connection: Connection, visit: Visit, filters: Filters) -> Listing:
    tenant = visit.tenant_id
    recipients = recipients_like(connection, tenant, filters.q)
    if filters.q and not recipients:
        return _nobody(connection, visit, filters)
    wanted = filters.wanted(visit, tuple(recipients))
    found = search.find_deliveries(connection, tenant, wanted)
    if filters.after and not found.more and len(found.ids) < wanted.most:
        # Less than a page is newer than that, so it is the first page.
        filters = replace(filters, after="")
        wanted = filters.wanted(visit, tuple(recipients))
        found = search.find_deliveries(connection, tenant, wanted)
    newer, older = _neighbours(filters, found)
    rows = deliveries.rows_of(connection, tenant, found.ids)
    return Listing(
        rows,
        _holds(connection, rows),
        recipients,
        newer,
        older,
        looked_to=made_at(found.looked_to) if found.looked_to and not filters.after else None,
        answer=None
        if filters.before or filters.after or not filters.q
        else _answer(connection, visit, filters.q, recipients),
        news=_news(connection, visit, wanted, filters.top) if filters.top else 0,
        leaves_out=bool(recipients) and not rows,  # recipients are looked for among those of mails
    )


def _holds(connection: Connection, rows: list[AnyRow]) -> dict[str, AnyRow]:
    return deliveries.holds_of(connection, {row.queue for row in rows if row.state == State.QUEUED})


def _neighbours(filters: Filters, found: Found) -> tuple[str, str]:
    """Queries of the pages with what is newer and what is older; "" for none."""
    first, last = (found.ids[0], found.ids[-1]) if found.ids else (filters.before, filters.after)
    if filters.after:
        newer = found.looked_to or first if found.more else ""
        older = last
    else:
        newer = first if filters.before else ""
        older = found.looked_to or last if found.more else ""
    return filters.first_page(after=newer) if newer else "", filters.first_page(before=older) if older else ""


def _nobody(connection: Connection, visit: Visit, filters: Filters) -> Listing:
    """No recipient is like that: it may be an event's id, and else there is something to explain."""
    event = events.show(connection, visit.tenant_id, filters.q)
    ids = search.deliveries_of(connection, visit.tenant_id, event.key) if event is not None else []
    rows = [row for row in deliveries.rows_of(connection, visit.tenant_id, ids) if _fits(row, filters.wanted(visit))]
    answer = _answer(connection, visit, filters.q, []) if event is None else None
    leaves_out = len(rows) < len(ids)
    return Listing(rows, _holds(connection, rows), [], "", "", None, event, answer, leaves_out=leaves_out)


def _fits(row: AnyRow, wanted: Filter) -> bool:
    return (
        (not wanted.states or row.state in wanted.states)
        and (not wanted.type or row.type == wanted.type)
        and (wanted.since is None or row.created_at >= wanted.since)
        and (wanted.until is None or row.created_at < wanted.until)
    )


def _news(connection: Connection, visit: Visit, wanted: Filter, top: str) -> int:
    newer = replace(wanted, before="", after=top, most=MOST_NEWS + 1)
    return len(search.find_deliveries(connection, visit.tenant_id, newer).ids)


def _answer(connection: Connection, visit: Visit, q: str, meant: list[str]) -> Answer:
    """`meant`: the recipients of mails that are like `q`."""
    tenant, whole = visit.tenant_id, whole_address(q)
    saved = settings.show(connection, tenant)
    told_nobody, _ = search.find_skipped(connection, tenant, Filter(most=SKIPPED_SHOWN))
    recipients = [one.canonical for one in saved.recipients]
    asked = (whole or q).lower()
    among = [one for one in recipients if one.lower() == asked or (not whole and one.lower().startswith(asked))]
    local, at, _ = asked.rpartition("@")
    alike = [one for one in recipients if at and one.lower().startswith(f"{local}@")]
    others = {*namesakes(connection, tenant, whole or q), *alike} - {*meant, *among}
    return Answer(
        is_recipient=bool(among),
        recipients=len(saved.recipients),
        switched_off=tuple(_switched_off(saved)),
        can_send=saved.can_send or settings.system_server_offered(connection),
        enabled=visit.tenant is not None and visit.tenant.enabled,
        is_whole=bool(whole),
        namesakes=tuple(sorted(others)),
        skipped=tuple(told_nobody),
        last=search.last_of_each_type(connection, tenant, list(CATALOGUE)),
    )


def _switched_off(saved: Settings) -> list[str]:
    return [name for name, kind in CATALOGUE.items() if kind.toggle and not saved.switches.get(kind.toggle, False)]


def _digest(listing: Listing) -> str:
    """Changes when something changes that the table shows."""
    shown = [(row.id, row.state, row.attempts, row.due_at, _held(listing.hold(row))) for row in listing.rows]
    return hashlib.sha256(repr((shown, listing.news)).encode()).hexdigest()[:16]


def _held(hold: AnyRow | None) -> tuple[int, str] | None:
    return None if hold is None else (hold.until, hold.hint)


async def show_skipped(visit: Visit) -> Response:
    """Events that sent nothing, and why."""
    filters = read_filters(visit)
    rows, edge = await visit.room.database.read(
        search.find_skipped, visit.tenant_id, filters.wanted(visit), filters.reason
    )
    reasons = [(reason.value, words.title) for reason, words in SKIPPED.items()]
    form = Form({name: getattr(filters, name) for name in ("reason", "type", "when", "since", "until")})
    return render(
        visit,
        "skipped.html",
        form=form,
        filters=filters,
        rows=rows,
        titles=TITLES,
        skipped=skipped,
        reasons=[("", visit.say("All reasons")), *_said(visit, reasons)],
        types=types(visit),
        spans=_said(visit, SHOWN_SPANS),
        older=filters.first_page(before=edge) if edge else "",
    )


routes = (
    get("/deliveries", show_deliveries),
    get("/deliveries/skipped", show_skipped),
)
