"""When a tenant or its settings were changed last, nobody asked: the audit log has it, with who did it and what.

Revision 0014, after 0013
"""

from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    op.drop_column("tenants", "updated_at")
    op.drop_column("settings", "updated_at")
