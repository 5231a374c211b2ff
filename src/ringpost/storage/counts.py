"""How many deliveries a tenant has in which state."""

from sqlalchemy import Connection, func, select

from ringpost.domain.deliveries import State
from ringpost.domain.tenants import TenantId
from ringpost.storage.identifiers import first_id
from ringpost.storage.tables import deliveries


def count_since(connection: Connection, tenant: TenantId, since: int) -> dict[State, int]:
    """How many of a tenant's deliveries, made from this time on, are in each state. `since` in milliseconds."""
    query = (
        select(deliveries.c.state, func.count())
        .where(deliveries.c.tenant == tenant, deliveries.c.id >= first_id(since))
        .group_by(deliveries.c.state)
    )
    found = {State(state): count for state, count in connection.execute(query)}
    return {state: found.get(state, 0) for state in State}
