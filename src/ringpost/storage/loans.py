"""What tenants have used of the system's mail server in their hour.

Who counts keeps hold of the rows until the transaction ends, or two processes would both count from the same number.
"""

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, bindparam, select, text, update

from ringpost.domain.lending import Loan
from ringpost.domain.tenants import TenantId
from ringpost.storage.tables import loans

_BEGIN = text("INSERT INTO loans (tenant, since, used) VALUES (:tenant, 0, 0) ON CONFLICT (tenant) DO NOTHING")
"""A loan whose hour has long been over."""
_SAVE = update(loans).where(loans.c.tenant == bindparam("of_tenant"))


def keep(connection: Connection, tenants: Sequence[TenantId]) -> dict[TenantId, Loan]:
    """The loans of these tenants, for `save`; one that has borrowed nothing is left out."""
    mine = select(loans).where(loans.c.tenant.in_(tenants)).order_by(loans.c.tenant).with_for_update()
    return {TenantId(row.tenant): Loan(row.since, row.used) for row in connection.execute(mine)}


def keep_each(connection: Connection, tenants: Sequence[TenantId]) -> dict[TenantId, Loan]:
    """The same, with a loan that is over for one that has borrowed nothing."""
    found = keep(connection, tenants)
    new = [tenant for tenant in tenants if tenant not in found]
    if new:
        connection.execute(_BEGIN, [{"tenant": tenant} for tenant in new])
        found |= keep(connection, new)
    return found


def save(connection: Connection, changed: Mapping[TenantId, Loan]) -> None:
    """Replace loans that are kept."""
    rows = [{"of_tenant": tenant, "since": loan.since, "used": loan.used} for tenant, loan in changed.items()]
    connection.execute(_SAVE, rows)
