"""Tokens that are over are found without a look at those that are not.

Revision 0010, after 0009
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    for name, column, condition in (
        ("tokens_expiry", "expires_at", "expires_at IS NOT NULL"),
        ("tokens_revoked_keys", "revoked_at", "kind = 'key' AND revoked_at IS NOT NULL"),
    ):
        where = sa.text(condition)
        op.create_index(name, "tokens", [column], sqlite_where=where, postgresql_where=where)
