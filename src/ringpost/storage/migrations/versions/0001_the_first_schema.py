"""The first schema.

Revision 0001, after
"""

import sqlalchemy as sa
from alembic import op

from ringpost.storage.migrations.types import TEXT

revision = "0001"
down_revision = None

# what PostgreSQL is told of tables whose rows do not stay as they are
QUEUE = {
    "fillfactor": 80,
    "autovacuum_vacuum_scale_factor": 0.01,
    "autovacuum_vacuum_threshold": 5000,
    "autovacuum_vacuum_cost_delay": 0,
}
CHANGES_OFTEN = {"fillfactor": 50}
ERASED = {"autovacuum_vacuum_scale_factor": 0.05}


def upgrade() -> None:
    op.create_table(
        "audit",
        sa.Column("id", TEXT, nullable=False),
        sa.Column("tenant", TEXT, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("actor", TEXT, nullable=False),
        sa.Column("action", TEXT, nullable=False),
        sa.Column("subject", TEXT, nullable=False),
        sa.Column("fields", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("audit_pk")),
    )
    op.create_index("audit_tenant", "audit", ["tenant", "id"], unique=False)
    op.create_table(
        "events",
        sa.Column("key", TEXT, nullable=False),
        sa.Column("tenant", TEXT, nullable=False),
        sa.Column("id", TEXT, nullable=False),
        sa.Column("type", TEXT, nullable=False),
        sa.Column("occurred_at", sa.BigInteger(), nullable=False),
        sa.Column("accepted_at", sa.BigInteger(), nullable=False),
        sa.Column("fingerprint", sa.LargeBinary(), nullable=False),
        sa.Column("variables", sa.LargeBinary(), nullable=True),
        sa.Column("template", TEXT, nullable=True),
        sa.Column("unknown_variables", TEXT, nullable=True),
        sa.Column("skip_reason", TEXT, nullable=True),
        sa.Column("erase_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("key", name=op.f("events_pk")),
        sa.UniqueConstraint("tenant", "id", name=op.f("events_tenant_id_key")),
    )
    op.create_index("events_age", "events", ["accepted_at"], unique=False)
    op.create_index(
        "events_erasure",
        "events",
        ["erase_at"],
        unique=False,
        sqlite_where=sa.text("erase_at IS NOT NULL"),
        postgresql_where=sa.text("erase_at IS NOT NULL"),
    )
    op.create_index("events_tenant_type", "events", ["tenant", "type", "key"], unique=False)
    op.create_table(
        "holds",
        sa.Column("lane", TEXT, nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("party", TEXT, nullable=False),
        sa.Column("stage", TEXT, nullable=False),
        sa.Column("code", sa.Integer(), nullable=True),
        sa.Column("enhanced_code", TEXT, nullable=True),
        sa.Column("reply", TEXT, nullable=False),
        sa.Column("hint", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("lane", name=op.f("holds_pk")),
        postgresql_with=CHANGES_OFTEN,
    )
    op.create_index("holds_until", "holds", ["until"], unique=False)
    op.create_table(
        "settings",
        sa.Column("tenant", TEXT, nullable=False),
        sa.Column("type", TEXT, nullable=False),
        sa.Column("server", TEXT, nullable=True),
        sa.Column("port", sa.Integer(), nullable=True),
        sa.Column("reply_to", TEXT, nullable=True),
        sa.Column("username", TEXT, nullable=False),
        sa.Column("password", sa.LargeBinary(), nullable=True),
        sa.Column("auth", TEXT, nullable=False),
        sa.Column("enable_tls_ssl", sa.Boolean(), nullable=False),
        sa.Column("enable_starttls_auto", sa.Boolean(), nullable=False),
        sa.Column("recipients", TEXT, nullable=True),
        sa.Column("switches", TEXT, nullable=False),
        sa.Column("system", TEXT, nullable=True),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("port BETWEEN 0 AND 65535", name=op.f("settings_port_is_a_port")),
        sa.PrimaryKeyConstraint("tenant", name=op.f("settings_pk")),
    )
    op.create_table(
        "template_revisions",
        sa.Column("id", TEXT, nullable=False),
        sa.Column("tenant", TEXT, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("from", TEXT, nullable=True),
        sa.Column("subject", TEXT, nullable=True),
        sa.Column("body", TEXT, nullable=True),
        sa.Column("text_body", TEXT, nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("author", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("template_revisions_pk")),
        sa.UniqueConstraint("tenant", "name", "number", name=op.f("template_revisions_tenant_name_number_key")),
    )
    op.create_table(
        "tenants",
        sa.Column("id", TEXT, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("domain", TEXT, nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("timezone", TEXT, nullable=False),
        sa.Column("locale", TEXT, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("id <> 'system'", name=op.f("tenants_id_is_not_the_system")),
        sa.PrimaryKeyConstraint("id", name=op.f("tenants_pk")),
        sa.UniqueConstraint("domain", name=op.f("tenants_domain_key")),
    )
    op.create_table(
        "users",
        sa.Column("id", TEXT, nullable=False),
        sa.Column("tenant", TEXT, nullable=False),
        sa.Column("username", TEXT, nullable=False),
        sa.Column("password_hash", TEXT, nullable=False),
        sa.Column("role", TEXT, nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("role IN ('system_admin', 'tenant_admin', 'read_only')", name=op.f("users_role_is_known")),
        sa.PrimaryKeyConstraint("id", name=op.f("users_pk")),
        sa.UniqueConstraint("tenant", "username", name=op.f("users_tenant_username_key")),
    )
    op.create_table(
        "custom_templates",
        sa.Column("tenant", TEXT, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("revision", TEXT, nullable=False),
        sa.ForeignKeyConstraint(["revision"], ["template_revisions.id"], name=op.f("custom_templates_revision_fk")),
        sa.PrimaryKeyConstraint("tenant", "name", name=op.f("custom_templates_pk")),
    )
    op.create_table(
        "deliveries",
        sa.Column("id", TEXT, nullable=False),
        sa.Column("tenant", TEXT, nullable=False),
        sa.Column("event", TEXT, nullable=False),
        sa.Column("type", TEXT, nullable=False),
        sa.Column("recipient", TEXT, nullable=False),
        sa.Column("urgency", sa.SmallInteger(), nullable=False),
        sa.Column("secret", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("queue", TEXT, nullable=False),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("retries", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("claims", sa.SmallInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("claim", TEXT, nullable=True),
        sa.Column("lease_until", sa.BigInteger(), nullable=True),
        sa.Column("sent_at", sa.BigInteger(), nullable=True),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("erase_at", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("(state = 'sending') = (claim IS NOT NULL)", name=op.f("deliveries_sending_is_claimed")),
        sa.CheckConstraint(
            "(state = 'sending') = (lease_until IS NOT NULL)", name=op.f("deliveries_sending_has_a_lease")
        ),
        sa.CheckConstraint("(state = 'sent') = (sent_at IS NOT NULL)", name=op.f("deliveries_sent_has_a_time")),
        sa.CheckConstraint(
            "(state IN ('queued', 'sending')) = (ended_at IS NULL)", name=op.f("deliveries_ended_has_a_time")
        ),
        sa.CheckConstraint(
            "state IN ('cancelled', 'expired', 'queued', 'rejected', 'sending', 'sent')",
            name=op.f("deliveries_state_is_known"),
        ),
        sa.ForeignKeyConstraint(["event"], ["events.key"], name=op.f("deliveries_event_fk")),
        sa.PrimaryKeyConstraint("id", name=op.f("deliveries_pk")),
        postgresql_with=QUEUE,
    )
    op.create_index("deliveries_by_recipient", "deliveries", ["tenant", "recipient", "id"], unique=False)
    op.create_index("deliveries_by_state", "deliveries", ["tenant", "state", "id"], unique=False)
    op.create_index("deliveries_by_tenant", "deliveries", ["tenant", "id"], unique=False)
    op.create_index(
        "deliveries_due",
        "deliveries",
        ["urgency", "queue", "due_at"],
        unique=False,
        sqlite_where=sa.text("state = 'queued'"),
        postgresql_where=sa.text("state = 'queued'"),
    )
    op.create_index(
        "deliveries_erasure",
        "deliveries",
        ["erase_at"],
        unique=False,
        sqlite_where=sa.text("erase_at IS NOT NULL"),
        postgresql_where=sa.text("erase_at IS NOT NULL"),
    )
    op.create_index("deliveries_event", "deliveries", ["event"], unique=False)
    op.create_index(
        "deliveries_expiry",
        "deliveries",
        ["expires_at"],
        unique=False,
        sqlite_where=sa.text("state = 'queued'"),
        postgresql_where=sa.text("state = 'queued'"),
    )
    op.create_index(
        "deliveries_lease",
        "deliveries",
        ["lease_until"],
        unique=False,
        sqlite_where=sa.text("state = 'sending'"),
        postgresql_where=sa.text("state = 'sending'"),
    )
    op.create_table(
        "messages",
        sa.Column("event", TEXT, nullable=False),
        sa.Column("tenant", TEXT, nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["event"], ["events.key"], name=op.f("messages_event_fk")),
        sa.PrimaryKeyConstraint("event", name=op.f("messages_pk")),
        postgresql_with=ERASED,
    )
    op.create_table(
        "tokens",
        sa.Column("id", TEXT, nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("tenant", TEXT, nullable=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("user_id", TEXT, nullable=True),
        sa.Column("session", TEXT, nullable=True),
        sa.Column("role", TEXT, nullable=False),
        sa.Column("scopes", TEXT, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=True),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            "kind = 'key' OR (user_id IS NOT NULL AND session IS NOT NULL)", name=op.f("tokens_sessions_have_a_user")
        ),
        sa.CheckConstraint("kind IN ('key', 'access', 'refresh')", name=op.f("tokens_kind_is_known")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("tokens_user_id_fk"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("tokens_pk")),
        sa.UniqueConstraint("token_hash", name=op.f("tokens_token_hash_key")),
    )
    op.create_index("tokens_session", "tokens", ["session"], unique=False)
    op.create_index("tokens_tenant", "tokens", ["tenant", "id"], unique=False)
    op.create_table(
        "attempts",
        sa.Column("delivery", TEXT, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("tenant", TEXT, nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("duration_ms", sa.Integer(), nullable=False),
        sa.Column("server", TEXT, nullable=True),
        sa.Column("verdict", TEXT, nullable=False),
        sa.Column("stage", TEXT, nullable=False),
        sa.Column("party", TEXT, nullable=True),
        sa.Column("code", sa.Integer(), nullable=True),
        sa.Column("enhanced_code", TEXT, nullable=True),
        sa.Column("reply", TEXT, nullable=False),
        sa.Column("hint", TEXT, nullable=False),
        sa.Column("ambiguous", sa.Boolean(), nullable=False),
        sa.CheckConstraint("verdict IN ('sent', 'retry', 'rejected')", name=op.f("attempts_verdict_is_known")),
        sa.ForeignKeyConstraint(["delivery"], ["deliveries.id"], name=op.f("attempts_delivery_fk")),
        sa.PrimaryKeyConstraint("delivery", "number", name=op.f("attempts_pk")),
    )
