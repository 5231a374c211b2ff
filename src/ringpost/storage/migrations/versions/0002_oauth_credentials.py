"""OAuth credentials.

Revision 0002, after 0001. A new table; nothing else changes.
"""

import sqlalchemy as sa
from alembic import op

from ringpost.storage.migrations.types import TEXT

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "oauth",
        sa.Column("tenant", TEXT, nullable=False),
        sa.Column("provider", TEXT, nullable=False),
        sa.Column("method", TEXT, nullable=False),
        sa.Column("directory", TEXT, nullable=True),
        sa.Column("client_id", TEXT, nullable=True),
        sa.Column("cloud", TEXT, nullable=False),
        sa.Column("account", TEXT, nullable=True),
        sa.Column("secret_expires_at", sa.BigInteger(), nullable=True),
        sa.Column("certificate_expires_at", sa.BigInteger(), nullable=True),
        sa.Column("secrets", sa.LargeBinary(), nullable=False),
        sa.Column("warned_days", sa.Integer(), nullable=True),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("provider IN ('GMAIL', 'MS365')", name=op.f("oauth_provider_is_known")),
        sa.PrimaryKeyConstraint("tenant", name=op.f("oauth_pk")),
    )
