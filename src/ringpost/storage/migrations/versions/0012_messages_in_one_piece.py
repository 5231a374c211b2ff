"""PostgreSQL keeps a message in one piece where it fits a page, and does not try to compress what is sealed.

Revision 0012, after 0011
"""

from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """For messages that are written from now on; nothing is rewritten."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE messages ALTER COLUMN content SET STORAGE EXTERNAL")
        op.execute("ALTER TABLE messages SET (toast_tuple_target = 8160)")
