"""What tenants borrow of the system's mail server, and what is known of the hosts.

Revision 0003, after 0002
"""

import sqlalchemy as sa
from alembic import op

from ringpost.storage.migrations.types import TEXT

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "loans",
        sa.Column("tenant", TEXT, nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("used", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", name=op.f("loans_pk")),
        postgresql_with={"fillfactor": 50},
    )
    op.create_table(
        "watch",
        sa.Column("host", TEXT, nullable=False),
        sa.Column("gauge", TEXT, nullable=False),
        sa.Column("exceeded", sa.Boolean(), nullable=False),
        sa.Column("episode", sa.Integer(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("gauge IN ('hard_disk', 'cpu', 'memory')", name=op.f("watch_gauge_is_known")),
        sa.PrimaryKeyConstraint("host", "gauge", name=op.f("watch_pk")),
    )
