"""The audit log of a tenant and of the system level: who changed what and when, by filters, and as a table to keep."""

import csv
import io
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import partial
from typing import Final
from urllib.parse import urlencode

from sqlalchemy import Connection
from starlette.responses import Response, StreamingResponse

from ringpost.console.forms import Form
from ringpost.console.languages import N_
from ringpost.console.levels import LEVELS, Level
from ringpost.console.rendering import render
from ringpost.console.routing import get
from ringpost.console.visit import Visit
from ringpost.domain.tenants import TenantId
from ringpost.domain.times import rfc3339
from ringpost.storage import audit
from ringpost.storage.audit import Entry, Filter

ON_A_PAGE: Final = 50
ROWS_AT_ONCE: Final = 1000
"""How many rows of a downloaded table are read at once; it is never in memory as a whole."""
FILTERS: Final = ("actor", "action", "since", "until")
_LONGEST: Final = 200
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet takes the beginning of a cell with it for."""

ACTIONS: Final = {
    "accept_invitation": N_("Set a password by a link"),
    "begin_to_act_for": N_("Began to work in the tenant"),
    "cancel_deliveries": N_("Cancelled mails"),
    "cancel_delivery": N_("Cancelled a mail"),
    "change_oauth": N_("Changed OAuth credentials"),
    "change_settings": N_("Changed settings"),
    "change_tenant": N_("Changed a tenant"),
    "change_user": N_("Changed a user"),
    "create_template": N_("Customised a template"),
    "create_tenant": N_("Created a tenant"),
    "create_token": N_("Created an API key"),
    "create_user": N_("Created a user"),
    "destroy_oauth": N_("Removed OAuth credentials"),
    "destroy_template": N_("Put a template back to the default"),
    "destroy_tenant": N_("Deleted a tenant"),
    "destroy_user": N_("Deleted a user"),
    "end_session_after_reuse": N_("Ended a session whose token was used twice"),
    "end_to_act_for": N_("Stopped working in the tenant"),
    "import_tenant": N_("Imported settings and templates"),
    "invite_user": N_("Made a link to set a password"),
    "retry_deliveries": N_("Sent mails once more"),
    "retry_delivery": N_("Sent a mail once more"),
    "revoke_token": N_("Revoked an API key"),
    "sign_out_everywhere": N_("Signed out everywhere"),
    "update_template": N_("Changed a template"),
    "withdraw_invitation": N_("Took back a link to set a password"),
}
"""What the log calls things, in plain words."""


@dataclass(frozen=True, slots=True)
class Listed:
    """Some entries, the newest first, and whether there are more on either side."""

    entries: list[Entry]
    names: dict[str, str]
    """What subjects are called, by id."""
    newer: bool
    older: bool


async def show_log(level: Level, visit: Visit) -> Response:
    """The entries that the filters leave."""
    chosen = _chosen(visit)
    query = visit.request.query_params
    before, after = query.get("before", ""), query.get("after", "")
    listed = await visit.room.database.read(_listed, level.owner(visit), _filter(visit, chosen), before, after)
    return render(
        visit,
        "audit_log.html",
        level=level,
        form=Form(chosen),
        listed=listed,
        actions=ACTIONS,
        query=urlencode({name: value for name, value in chosen.items() if value}),
        is_filtered=any(chosen.values()),
    )


async def download_log(level: Level, visit: Visit) -> Response:
    """All entries that the filters leave, as CSV (RFC 4180)."""
    rows = _csv(visit, level.owner(visit), _filter(visit, _chosen(visit)))
    headers = {"Content-Disposition": 'attachment; filename="ringpost-audit.csv"'}
    return StreamingResponse(rows, media_type="text/csv; charset=utf-8", headers=headers)


async def _csv(visit: Visit, owner: TenantId, wanted: Filter) -> AsyncIterator[str]:
    yield _line(("time", "actor", "action", "subject", "name", "fields"))
    before = ""
    while True:
        listed = await visit.room.database.read(_named, owner, wanted, before)
        if not listed.entries:
            return
        yield "".join(_row(entry, listed.names) for entry in listed.entries)
        before = listed.entries[-1].id


def _row(entry: Entry, names: dict[str, str]) -> str:
    name = names.get(entry.subject, "")
    return _line((rfc3339(entry.at), entry.actor, entry.action, entry.subject, name, " ".join(entry.fields)))


def _line(cells: tuple[str, ...]) -> str:
    """A spreadsheet takes such cells for formulas, and names come from outside; an apostrophe keeps them."""
    written = io.StringIO()
    csv.writer(written).writerow(f"'{cell}" if cell.startswith(_FORMULA) else cell for cell in cells)
    return written.getvalue()


def _chosen(visit: Visit) -> dict[str, str]:
    return {name: visit.request.query_params.get(name, "").strip()[:_LONGEST] for name in FILTERS}


def _filter(visit: Visit, chosen: dict[str, str]) -> Filter:
    """Days are the tenant's own; one that is no date is left out, as if it were empty."""
    since, until = _midnight(visit, chosen["since"]), _midnight(visit, chosen["until"], days=1)
    return Filter(chosen["actor"] or None, chosen["action"] or None, since, until)


def _midnight(visit: Visit, day: str, days: int = 0) -> int | None:
    try:
        at = datetime.combine(date.fromisoformat(day) + timedelta(days=days), time(), visit.zone)
        return max(0, int(at.timestamp() * 1000))
    except (ValueError, OverflowError):
        return None


def _listed(connection: Connection, owner: TenantId, wanted: Filter, before: str, after: str) -> Listed:
    back = bool(after) and not before
    found = audit.page(connection, owner, wanted, ON_A_PAGE + 1, before=before, after=after)
    more = len(found) > ON_A_PAGE
    if back and not more:  # the first page, filled up
        found = audit.page(connection, owner, wanted, ON_A_PAGE + 1)
        back, before, more = False, "", len(found) > ON_A_PAGE
    shown = found[1:] if back else found[:ON_A_PAGE]
    names = audit.names_of(connection, owner, [entry.subject for entry in shown])
    return Listed(shown, names, newer=bool(before) or back, older=more or back)


def _named(connection: Connection, owner: TenantId, wanted: Filter, before: str) -> Listed:
    found = audit.page(connection, owner, wanted, ROWS_AT_ONCE, before=before)
    return Listed(found, audit.names_of(connection, owner, [entry.subject for entry in found]), newer=False, older=True)


routes = tuple(
    route
    for level in LEVELS
    for route in (
        get(f"{level.prefix}/audit", partial(show_log, level), level.to_see),
        get(f"{level.prefix}/audit.csv", partial(download_log, level), level.to_see),
    )
)
