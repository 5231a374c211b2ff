"""Trying many deliveries again, or cancelling them: asked for first, and told afterwards, the first of them by name."""

import re
from dataclasses import dataclass, replace
from typing import Final

from sqlalchemy import Connection
from starlette.responses import Response

from ringpost.console.delivery_filters import Filters, posted_filters, read_filters, recipients_like
from ringpost.console.languages import N_
from ringpost.console.rendering import render
from ringpost.console.routing import Access, get, post
from ringpost.console.visit import Visit
from ringpost.storage import deliveries
from ringpost.storage.tables import AnyRow
from ringpost.usecases.cancel_delivery import cancel_deliveries
from ringpost.usecases.many_deliveries import CANCELLABLE, MOST_AT_ONCE, RETRIABLE, Chosen, select
from ringpost.usecases.retry_delivery import retry_deliveries

MOST_NAMED: Final = 20
"""Mails of either kind that are named afterwards: their ids stand in the address, which proxies cut at a few KiB."""
_ID: Final = re.compile("[0-9a-f-]{1,40}")


@dataclass(frozen=True, slots=True)
class Done:
    """What the form before this page did to many deliveries."""

    changed: int
    left_alone: int
    more: bool
    named: list[AnyRow]
    """Those changed, MOST_NAMED at most."""
    named_left: list[tuple[AnyRow, str]]
    """Those left alone, with what keeps them beside their state; "" for nothing."""


async def confirm_many(visit: Visit) -> Response:
    """How many it will be, before it is done."""
    query = visit.request.query_params
    verb = "cancel" if query.get("do") == "cancel" else "retry"
    ids, everything, filters = tuple(query.getlist("id")), bool(query.get("all")), read_filters(visit)
    chosen = await visit.room.database.read(_chosen, visit, ids, everything, filters)
    states = CANCELLABLE if verb == "cancel" else RETRIABLE
    found, more = await visit.room.database.read(select, visit.principal, chosen, states) if chosen else ([], False)
    return render(
        visit,
        "deliveries_many.html",
        verb=verb,
        ids=ids,
        everything=everything,
        filters=filters,
        count=len(found),
        more=more,
        asked=len(ids),
        most=MOST_AT_ONCE,
    )


async def change_many(visit: Visit) -> Response:
    """Do it, and say how many it were, and which."""
    ids, everything, filters = tuple(visit.posted.texts("id")), visit.posted.flag("all"), posted_filters(visit)
    chosen = await visit.room.database.read(_chosen, visit, ids, everything, filters)
    verb = "cancel" if visit.posted.text("do") == "cancel" else "retry"
    change = cancel_deliveries if verb == "cancel" else retry_deliveries
    if not chosen:
        return visit.redirect("/deliveries", **filters.fields(), changed="0", left="0", done=verb)
    done = await change(visit.room, visit.principal, chosen)
    told = {name: ".".join(ids[:MOST_NAMED]) for name, ids in (("which", done.changed), ("not", done.left_alone))}
    counts = {"changed": str(len(done.changed)), "left": str(len(done.left_alone)), "more": "on" if done.more else ""}
    return visit.redirect("/deliveries", **filters.fields(), **counts, **told, done=verb)


async def told_of_many(visit: Visit) -> Done | None:
    """What the form before this page did; None when it was another one."""
    query = visit.request.query_params
    counts = [query.get(name, "") for name in ("changed", "left")]
    if visit.done not in ("retry", "cancel") or not all(re.fullmatch("[0-9]{1,6}", count) for count in counts):
        return None
    named, left = await visit.room.database.read(_named, visit)
    return Done(*map(int, counts), more=bool(query.get("more")), named=named, named_left=left)


def _named(connection: Connection, visit: Visit) -> tuple[list[AnyRow], list[tuple[AnyRow, str]]]:
    query, tenant = visit.request.query_params, visit.tenant_id
    which, left = (
        [one for one in query.get(name, "").split(".")[:MOST_NAMED] if _ID.fullmatch(one)] for name in ("which", "not")
    )
    kept = [(row, _obstacle(connection, visit, row)) for row in deliveries.rows_of(connection, tenant, left)]
    return deliveries.rows_of(connection, tenant, which), kept


def _obstacle(connection: Connection, visit: Visit, row: AnyRow) -> str:
    """What keeps a mail from being tried again although its state does not."""
    if visit.done != "retry" or row.state not in RETRIABLE:
        return ""
    return "" if deliveries.content_of(connection, visit.tenant_id, row.event) else N_("Its text is erased.")


def _chosen(
    connection: Connection,
    visit: Visit,
    ids: tuple[str, ...],
    everything: bool,
    filters: Filters,
) -> Chosen | None:
    """Which are meant; None when that is none, and never by mistake all."""
    if not everything:
        return Chosen(ids) if ids else None
    recipients = tuple(recipients_like(connection, visit.tenant_id, filters.q))
    if filters.q and not recipients:
        return None
    return Chosen(wanted=replace(filters.wanted(visit, recipients), after=""))


routes = (
    get("/deliveries/many", confirm_many, Access.EDITOR),
    post("/deliveries/many", change_many),
)
