"""The last day by the hour: what of each hour's mail is sent, has failed, or waits.

Each hour is counted along an index up to a bound, and kept for a while: long when nothing of it is open any more, for
then it changes only by hand.
"""

from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from starlette.responses import Response

from ringpost.console.rendering import render
from ringpost.console.routing import get
from ringpost.console.visit import Visit
from ringpost.domain.deliveries import State
from ringpost.domain.tenants import TenantId
from ringpost.domain.times import HOUR_MS
from ringpost.storage.counts import MOST_OF_AN_HOUR, count_hour

HOURS: Final = 24
OPEN_FOR_MS: Final = 15_000
OVER_FOR_MS: Final = 600_000
MOST_KEPT: Final = 4_800
"""Hours that are kept, of all tenants together: a day of 200 tenants."""


@dataclass(frozen=True, slots=True)
class Hour:
    """What became of the mails that were made in one hour."""

    at: int
    """Its beginning, in milliseconds."""
    label: str
    sent: int
    failed: int
    waiting: int
    cut: bool
    """One of the counts is a lower bound."""

    @property
    def total(self) -> int:
        """All that the chart shows."""
        return self.sent + self.failed + self.waiting


_kept: OrderedDict[tuple[TenantId, int], tuple[int, dict[State, int]]] = OrderedDict()


async def show_hours(visit: Visit) -> Response:
    """The chart and its table; for htmx without the page around."""
    now = visit.room.clock()
    this = now - now % HOUR_MS
    hours = [await _hour(visit, this - back * HOUR_MS) for back in range(HOURS - 1, -1, -1)]
    template = "delivery_chart.html" if visit.wants_fragment else "delivery_hours.html"
    top = max((hour.total for hour in hours), default=0)
    return render(visit, template, hours=hours, top=top, most=MOST_OF_AN_HOUR)


async def _hour(visit: Visit, at: int) -> Hour:
    counted = await _counted(visit, at)
    return Hour(
        at,
        f"{datetime.fromtimestamp(at / 1000, visit.zone):%H:%M}",
        counted[State.SENT],
        counted[State.REJECTED] + counted[State.EXPIRED],
        counted[State.QUEUED] + counted[State.SENDING],
        MOST_OF_AN_HOUR in counted.values(),
    )


async def _counted(visit: Visit, at: int) -> dict[State, int]:
    now, place = visit.room.clock(), (visit.tenant_id, at)
    good_until, counted = _kept.get(place, (0, {}))
    if good_until > now:
        return counted
    counted = await visit.room.database.read(count_hour, visit.tenant_id, at)
    is_over = at + HOUR_MS <= now and not counted[State.QUEUED] and not counted[State.SENDING]
    _kept[place] = now + (OVER_FOR_MS if is_over else OPEN_FOR_MS), counted
    _kept.move_to_end(place)
    while len(_kept) > MOST_KEPT:
        _kept.popitem(last=False)
    return counted


routes = (get("/deliveries/hours", show_hours),)
