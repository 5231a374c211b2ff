"""What tenants have used of the system's mail server in their hour."""

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, delete, insert, select

from ringpost.domain.lending import Loan
from ringpost.domain.tenants import TenantId
from ringpost.storage.tables import loans


def show(connection: Connection, tenants: Sequence[TenantId]) -> dict[TenantId, Loan]:
    """The loans of these tenants; one that has borrowed nothing is left out."""
    rows = connection.execute(select(loans).where(loans.c.tenant.in_(tenants)))
    return {TenantId(row.tenant): Loan(row.since, row.used) for row in rows}


def save(connection: Connection, changed: Mapping[TenantId, Loan]) -> None:
    """Replace the loans of these tenants."""
    connection.execute(delete(loans).where(loans.c.tenant.in_(list(changed))))
    rows = [{"tenant": tenant, "since": loan.since, "used": loan.used} for tenant, loan in changed.items()]
    connection.execute(insert(loans), rows)
