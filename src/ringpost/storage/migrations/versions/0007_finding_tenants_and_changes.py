"""Tenants by the start of their name, and the audit log by who and by what, whatever there is of them.

Revision 0007, after 0006
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.create_index("tenants_name", "tenants", [sa.text("lower(name)"), "id"])
    op.create_index("audit_actor", "audit", ["tenant", "actor", "id"])
    op.create_index("audit_action", "audit", ["tenant", "action", "id"])
