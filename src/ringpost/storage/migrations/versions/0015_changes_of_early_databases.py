"""Databases from before 26 November 2026 count changes by ones; as of now they do by chance, like all the others.

Revision 0015, after 0014. What counts them was bettered within 0008, which these had behind them.
"""

from alembic import op

revision = "0015"
down_revision = "0014"

_COUNTED = ("tenants", "settings", "oauth", "custom_templates")
_ONE_MORE = "UPDATE changes SET count = count + 1 + {}"
_BY_CHANCE = {"sqlite": "abs(random() % 1000000000)", "postgresql": "floor(random() * 1000000000)::bigint"}


def upgrade() -> None:
    one_more = _ONE_MORE.format(_BY_CHANCE[op.get_bind().dialect.name])
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            f"CREATE OR REPLACE FUNCTION ringpost_changed() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN {one_more}; RETURN NULL; END $$"
        )
        return
    for table in _COUNTED:
        for verb in ("INSERT", "UPDATE", "DELETE"):
            op.execute(f"DROP TRIGGER {table}_{verb.lower()}")
            op.execute(f"CREATE TRIGGER {table}_{verb.lower()} AFTER {verb} ON {table} BEGIN {one_more}; END")
