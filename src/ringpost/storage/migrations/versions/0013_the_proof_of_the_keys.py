"""A sealed word, which only the keys of this database open.

Revision 0013, after 0012
"""

import sqlalchemy as sa
from alembic import op

from ringpost.storage.migrations.types import TEXT

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    op.create_table(
        "key_proof",
        sa.Column("id", TEXT, nullable=False),
        sa.Column("tenant", TEXT, nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("key_proof_pk")),
    )
