"""The outbox at a glance: its oldest mail by class, who works, and what became of attempts lately.

Revision 0006, after 0005
"""

import sqlalchemy as sa
from alembic import op

from ringpost.storage.migrations.types import TEXT

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.drop_index("deliveries_expiry", "deliveries")
    op.create_index(
        "deliveries_expiry",
        "deliveries",
        ["urgency", "expires_at"],
        sqlite_where=sa.text("state = 'queued'"),
        postgresql_where=sa.text("state = 'queued'"),
    )
    op.create_table(
        "workers",
        sa.Column("name", TEXT, nullable=False),
        sa.Column("host", TEXT, nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.Column("slots", sa.Integer(), nullable=False),
        sa.Column("in_hand", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("workers_pk")),
    )
    op.create_table(
        "tallies",
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("verdict", TEXT, nullable=False),
        sa.Column("party", TEXT, nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("since", "verdict", "party", name=op.f("tallies_pk")),
    )
