"""People at the console: their sessions, and one-time links to set a password.

Revision 0005, after 0003
"""

import sqlalchemy as sa
from alembic import op

from ringpost.storage.migrations.types import TEXT

revision = "0005"
down_revision = "0003"


def upgrade() -> None:
    op.create_table(
        "console_sessions",
        sa.Column("id", TEXT, nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("tenant", TEXT, nullable=False),
        sa.Column("user_id", TEXT, nullable=False),
        sa.Column("acting_for", TEXT, nullable=True),
        sa.Column("agent", TEXT, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("seen_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "acting_for IS NULL OR tenant = 'system'", name=op.f("console_sessions_only_the_system_acts_for_others")
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("console_sessions_user_id_fk"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("console_sessions_pk")),
        sa.UniqueConstraint("token_hash", name=op.f("console_sessions_token_hash_key")),
    )
    op.create_index("console_sessions_user", "console_sessions", ["tenant", "user_id"])
    op.create_table(
        "invitations",
        sa.Column("tenant", TEXT, nullable=False),
        sa.Column("username", TEXT, nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("role", TEXT, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "role IN ('system_admin', 'tenant_admin', 'read_only')", name=op.f("invitations_role_is_known")
        ),
        sa.PrimaryKeyConstraint("tenant", "username", name=op.f("invitations_pk")),
        sa.UniqueConstraint("token_hash", name=op.f("invitations_token_hash_key")),
    )
