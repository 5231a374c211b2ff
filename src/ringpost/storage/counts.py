"""How many deliveries a tenant has in which state, since a time and by the hour."""

from typing import Final

from sqlalchemy import Connection, func, literal, select

from ringpost.domain.deliveries import State
from ringpost.domain.tenants import TenantId
from ringpost.domain.times import HOUR_MS
from ringpost.storage.deliveries import in_state
from ringpost.storage.identifiers import first_id
from ringpost.storage.tables import deliveries

MOST_OF_AN_HOUR: Final = 10_000
"""Counts of one state in one hour end here; so many means so many or more."""


def count_hour(connection: Connection, tenant: TenantId, hour: int) -> dict[State, int]:
    """How many of the deliveries that were made in the hour from this time on (milliseconds) are in each state."""
    first, last = first_id(hour), first_id(hour + HOUR_MS)

    def count(state: State) -> int:
        of_hour = deliveries.c.tenant == tenant, in_state(state), deliveries.c.id > first, deliveries.c.id < last
        some = select(literal(1)).select_from(deliveries).where(*of_hour).limit(MOST_OF_AN_HOUR).subquery()
        return connection.execute(select(func.count()).select_from(some)).scalar_one()

    return {state: count(state) for state in State}


def count_since(connection: Connection, tenant: TenantId, since: int) -> dict[State, int]:
    """How many of a tenant's deliveries, made from this time on, are in each state. `since` in milliseconds."""
    query = (
        select(deliveries.c.state, func.count())
        .where(deliveries.c.tenant == tenant, deliveries.c.id >= first_id(since))
        .group_by(deliveries.c.state)
    )
    found = {State(state): count for state, count in connection.execute(query)}
    return {state: found.get(state, 0) for state in State}
