"""What was said to a mail server and by it, at attempts that failed.

Revision 0009, after 0008
"""

import sqlalchemy as sa
from alembic import op

from ringpost.storage.migrations.types import TEXT

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.add_column("attempts", sa.Column("dialogue", TEXT))
