"""What waits for its time is apart from what is due; changes to what is in force are counted.

Revision 0008, after 0007
"""

import time

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

_DUE = "state = 'queued' AND NOT deferred"
_DEFERRED = "state = 'queued' AND deferred"


_COUNTED = ("tenants", "settings", "oauth", "custom_templates")
_ONE_MORE = "UPDATE changes SET count = count + 1 + {}"
_BY_CHANCE = {"sqlite": "abs(random() % 1000000000)", "postgresql": "floor(random() * 1000000000)::bigint"}
"""By different steps, because a change that is undone must not leave the same count as the next one that is not."""


def upgrade() -> None:
    _defer()
    _count_changes()


def _count_changes() -> None:
    op.create_table(
        "changes",
        sa.Column("count", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("count", name=op.f("changes_pk")),
    )
    op.execute("INSERT INTO changes (count) VALUES (0)")
    one_more = _ONE_MORE.format(_BY_CHANCE[op.get_bind().dialect.name])
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            f"CREATE FUNCTION ringpost_changed() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN {one_more}; RETURN NULL; END $$"
        )
        for table in _COUNTED:
            op.execute(
                f"CREATE TRIGGER {table}_changed AFTER INSERT OR UPDATE OR DELETE ON {table} "
                "FOR EACH STATEMENT EXECUTE FUNCTION ringpost_changed()"
            )
        return
    for table in _COUNTED:
        for verb in ("INSERT", "UPDATE", "DELETE"):
            op.execute(f"CREATE TRIGGER {table}_{verb.lower()} AFTER {verb} ON {table} BEGIN {one_more}; END")


def _defer() -> None:
    op.add_column("deliveries", sa.Column("deferred", sa.Boolean(), nullable=False, server_default=sa.false()))
    later = sa.text("UPDATE deliveries SET deferred = :yes WHERE state = 'queued' AND due_at > :now")
    op.get_bind().execute(later, {"yes": True, "now": time.time_ns() // 1_000_000})
    for name in ("deliveries_due", "deliveries_lease", "deliveries_by_state"):
        op.drop_index(name, "deliveries")
    for name, columns, where in (
        ("deliveries_due", ["urgency", "queue", "due_at"], _DUE),
        ("deliveries_deferred", ["due_at"], _DEFERRED),
        ("deliveries_deferred_queue", ["queue"], _DEFERRED),
        ("deliveries_sending", ["tenant", "id"], "state = 'sending'"),
        ("deliveries_by_state", ["tenant", "state", "id"], "state <> 'sending'"),
    ):
        op.create_index(name, "deliveries", columns, sqlite_where=sa.text(where), postgresql_where=sa.text(where))
    op.create_index(
        "events_skipped",
        "events",
        ["tenant", "key"],
        sqlite_where=sa.text("skip_reason IS NOT NULL"),
        postgresql_where=sa.text("skip_reason IS NOT NULL"),
    )
