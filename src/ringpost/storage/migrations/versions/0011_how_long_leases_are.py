"""Workers say how long their leases are.

Revision 0011, after 0010
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    op.add_column("workers", sa.Column("lease_ms", sa.BigInteger()))
