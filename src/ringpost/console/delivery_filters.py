"""What the list of deliveries is narrowed by. It stands in the address, so a list can be sent to somebody."""

import re
from collections.abc import Callable, Container
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Final
from urllib.parse import urlencode

from sqlalchemy import Connection

from ringpost.console.languages import N_
from ringpost.console.visit import Visit
from ringpost.domain.addresses import parse_address
from ringpost.domain.catalogue import CATALOGUE
from ringpost.domain.deliveries import State
from ringpost.domain.events import SkipReason
from ringpost.domain.tenants import TenantId
from ringpost.domain.times import DAY_MS, HOUR_MS
from ringpost.errors import Invalid
from ringpost.storage import search
from ringpost.storage.search import Filter

ON_A_PAGE: Final = 50
LONGEST_QUERY: Final = 320
STATES: Final[dict[str, tuple[State, ...]]] = {
    "waiting": (State.QUEUED, State.SENDING),
    "failed": (State.REJECTED, State.EXPIRED),
    **{state.value: (state,) for state in State},
}
"""Words of the address -> states: two groups, and each by itself."""
SHOWN_STATES: Final = (
    ("", N_("All states")),
    ("waiting", N_("Waiting or being sent")),
    ("sent", N_("Sent")),
    ("failed", N_("Failed (refused or given up)")),
    ("rejected", N_("Refused")),
    ("expired", N_("Given up")),
    ("cancelled", N_("Cancelled")),
)
SPANS: Final = {"hour": HOUR_MS, "day": DAY_MS, "week": 7 * DAY_MS}
"""Words of the address -> milliseconds back from now."""
SHOWN_SPANS: Final = (
    ("", N_("Any time")),
    ("hour", N_("In the last hour")),
    ("day", N_("In the last 24 hours")),
    ("week", N_("In the last 7 days")),
)
_PLACE: Final = ("before", "after", "top")
_ID: Final = re.compile(r"[0-9a-f]{1,24}([-.][0-9]{0,6})?")
_END_OF_IDS: Final = (1 << 44) - 1


@dataclass(frozen=True, slots=True)
class Filters:
    """The fields of the form and the place in the list, as text; what is empty does not narrow."""

    q: str = ""
    """Whom it went to: an address, how one begins, or an event's id."""
    state: str = ""
    type: str = ""
    reason: str = ""
    """Why an event sent nothing."""
    when: str = ""
    since: str = ""
    until: str = ""
    """A date and time in the tenant's zone, as browsers write them: 2026-01-31T09:30."""
    before: str = ""
    after: str = ""
    top: str = ""
    """Nothing newer than this delivery, so that rows stay where they are while the list is looked at."""

    @property
    def narrowed(self) -> bool:
        """Whether it is less than everything."""
        return any((self.q, self.state, self.type, self.reason, self.when, self.since, self.until))

    @property
    def only_by_state(self) -> bool:
        """Whether a search is narrowed by the state and by nothing else."""
        return bool(self.state) and not any((self.type, self.when, self.since, self.until))

    def address(self, **changes: str) -> str:
        """The query of the address, with other values for some: `state=sent&type=QUEUE_SLA`."""
        changed = replace(self, **changes)
        return urlencode([(one.name, value) for one in fields(changed) if (value := getattr(changed, one.name))])

    def first_page(self, **changes: str) -> str:
        """The same list from its newest on."""
        return self.address(**{"before": "", "after": "", "top": "", **changes})

    def everything(self) -> str:
        """The same search with nothing that narrows it."""
        return self.first_page(state="", type="", when="", since="", until="")

    def fields(self) -> dict[str, str]:
        """What narrows, by name, for hidden fields of a form that is about the same list."""
        narrow = {one.name: getattr(self, one.name) for one in fields(self) if one.name not in _PLACE}
        return {name: value for name, value in narrow.items() if value}

    def wanted(self, visit: Visit, recipients: tuple[str, ...] = ()) -> Filter:
        """The same for the search."""
        since = _moment(visit, self.since)
        if since is None and self.when:
            since = visit.room.clock() - SPANS[self.when]
        # `!` sorts before everything that an id goes on with, so this is `not newer than top`.
        before = self.before or (f"{self.top}!" if self.top else "")
        until = _moment(visit, self.until, last=True)
        return Filter(STATES.get(self.state, ()), self.type, recipients, since, until, before, self.after, ON_A_PAGE)


def read_filters(visit: Visit) -> Filters:
    """The filters in the address. What nobody can have meant is left out."""
    return _read(visit, visit.request.query_params.get)


def posted_filters(visit: Visit) -> Filters:
    """The filters in the hidden fields of a form."""
    return _read(visit, lambda name, _default: visit.posted.text(name))


def recipients_like(connection: Connection, tenant: TenantId, q: str) -> list[str]:
    """The recipients that somebody means: this address when it is a whole one, else those that begin like this."""
    if not q:
        return []
    whole = whole_address(q)
    spellings = {q, whole} if whole else {q, q.lower(), q.capitalize()}
    found = {one for spelling in sorted(spellings) for one in search.people(connection, tenant, spelling)}
    exact = spellings & found
    return sorted(exact if exact or whole else found)[: search.MOST_PEOPLE]


def whole_address(q: str) -> str:
    """The address that `q` is, as addresses are kept; "" when it may only be how one begins."""
    try:
        return parse_address(q).canonical
    except Invalid:
        return ""


def namesakes(connection: Connection, tenant: TenantId, q: str) -> list[str]:
    """Recipients with the same name before the @, for somebody who has another domain in mind."""
    local, at, _ = q.rpartition("@")
    return search.people(connection, tenant, f"{local}@") if at and local else []


def _read(visit: Visit, get: Callable[[str, str], str]) -> Filters:
    def among(name: str, known: Container[str]) -> str:
        value = get(name, "")
        return value if value and value in known else ""

    def identifier(name: str) -> str:
        value = get(name, "")
        return value if _ID.fullmatch(value) else ""

    def moment(name: str) -> str:
        value = get(name, "")
        return value if _moment(visit, value) is not None else ""

    return Filters(
        get("q", "").strip()[:LONGEST_QUERY],
        among("state", STATES),
        among("type", CATALOGUE),
        among("reason", list(SkipReason)),
        among("when", SPANS),
        moment("since"),
        moment("until"),
        identifier("before"),
        identifier("after"),
        identifier("top"),
    )


def _moment(visit: Visit, text: str, *, last: bool = False) -> int | None:
    """Milliseconds; None when it is no time. The first or last that it can mean in a night when clocks are changed."""
    pick = max if last else min
    try:
        shown = datetime.fromisoformat(text).replace(tzinfo=visit.zone)
        at = pick(shown.replace(fold=fold).timestamp() for fold in (0, 1))
    except (ValueError, OverflowError):
        return None
    return min(max(0, int(at * 1000)), _END_OF_IDS)
