"""The tables. Times are whole milliseconds since 1970, UTC; ids are opaque text; sealed columns hold ciphertext.

Every row of a tenant carries the tenant, and every query names it. `system` stands for the system level itself.
Migrations change these tables; a test holds the sum of the migrations against this file. On PostgreSQL they make all
text `COLLATE "C"`: compared byte by byte as on SQLite, because ranges of ids and queues are scanned.
"""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Row,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
)

from ringpost.domain.deliveries import OPEN_STATES, State

metadata = MetaData(
    naming_convention={
        "ix": "%(table_name)s_%(column_0_N_name)s",
        "uq": "%(table_name)s_%(column_0_N_name)s_key",
        "ck": "%(table_name)s_%(constraint_name)s",
        "fk": "%(table_name)s_%(column_0_name)s_fk",
        "pk": "%(table_name)s_pk",
    }
)


AnyRow = Row[*tuple[Any, ...]]
"""A row of whatever columns."""

# What PostgreSQL is told of tables whose rows do not stay as they are: to leave room for the next version of a row on
# its page, and to clean up long before a fifth of a large table is dead. And of messages: to cut them in pieces, each
# with a row and an index entry of its own, only when a page is too small for them (8160 bytes is the most one takes).
_QUEUE: dict[str, Any] = {
    "fillfactor": 80,
    "autovacuum_vacuum_scale_factor": 0.01,
    "autovacuum_vacuum_threshold": 5000,
    "autovacuum_vacuum_cost_delay": 0,
}
_CHANGES_OFTEN = {"fillfactor": 50}
_MESSAGES = {"autovacuum_vacuum_scale_factor": 0.05, "toast_tuple_target": 8160}


def _where(condition: str) -> dict[str, Any]:
    """For an index of those rows only."""
    return {"sqlite_where": text(condition), "postgresql_where": text(condition)}


def _words(states: frozenset[State]) -> str:
    return ", ".join(f"'{state}'" for state in sorted(states))


# Who there is -------------------------------------------------------------------------------------------------------

tenants = Table(
    "tenants",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("domain", Text, nullable=False, unique=True),
    Column("enabled", Boolean, nullable=False),
    Column("timezone", Text, nullable=False),
    Column("locale", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    CheckConstraint("id <> 'system'", name="id_is_not_the_system"),
    Index("tenants_name", text("lower(name)"), "id"),  # in the order of the alphabet, capitals or not
)

users = Table(
    "users",
    metadata,
    Column("id", Text, primary_key=True),
    Column("tenant", Text, nullable=False),
    Column("username", Text, nullable=False),
    Column("password_hash", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    UniqueConstraint("tenant", "username"),
    CheckConstraint("role IN ('system_admin', 'tenant_admin', 'read_only')", name="role_is_known"),
)

tokens = Table(
    "tokens",
    metadata,
    Column("id", Text, primary_key=True),
    Column(
        "token_hash", LargeBinary, nullable=False, unique=True
    ),  # SHA-256 of the token; the token itself is not kept
    Column("tenant", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("user_id", Text, ForeignKey("users.id", ondelete="CASCADE")),
    Column("session", Text),  # access and refresh tokens of one login share it
    Column("role", Text, nullable=False),
    Column("scopes", Text, nullable=False),  # separated by spaces, as in RFC 6749 3.3
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger),
    Column("revoked_at", BigInteger),
    CheckConstraint("kind IN ('key', 'access', 'refresh')", name="kind_is_known"),
    CheckConstraint("kind = 'key' OR (user_id IS NOT NULL AND session IS NOT NULL)", name="sessions_have_a_user"),
    Index("tokens_session", "session"),
    Index("tokens_tenant", "tenant", "id"),
    Index("tokens_expiry", "expires_at", **_where("expires_at IS NOT NULL")),
    Index("tokens_revoked_keys", "revoked_at", **_where("kind = 'key' AND revoked_at IS NOT NULL")),
)

console_sessions = Table(
    "console_sessions",  # people at the console; tokens are for programs
    metadata,
    Column("id", Text, primary_key=True),
    Column("token_hash", LargeBinary, nullable=False, unique=True),  # SHA-256 of the cookie's value
    Column("tenant", Text, nullable=False),  # whose user it is
    Column("user_id", Text, ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
    Column("acting_for", Text),  # the tenant that a system administrator works in at the moment
    Column("agent", Text, nullable=False),  # what the browser calls itself
    Column("created_at", BigInteger, nullable=False),
    Column("seen_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    CheckConstraint("acting_for IS NULL OR tenant = 'system'", name="only_the_system_acts_for_others"),
    Index("console_sessions_user", "tenant", "user_id"),
)

invitations = Table(
    "invitations",  # one-time links to set a password
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("username", Text, primary_key=True),
    Column("token_hash", LargeBinary, nullable=False, unique=True),  # SHA-256 of the link's secret
    Column("role", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    CheckConstraint("role IN ('system_admin', 'tenant_admin', 'read_only')", name="role_is_known"),
)

audit = Table(
    "audit",
    metadata,
    Column("id", Text, primary_key=True),
    Column("tenant", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("actor", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("fields", Text, nullable=False),  # names of the fields that changed, comma-separated; never values
    Index("audit_tenant", "tenant", "id"),
    Index("audit_actor", "tenant", "actor", "id"),
    Index("audit_action", "tenant", "action", "id"),
)

# What they set ------------------------------------------------------------------------------------------------------

settings = Table(
    "settings",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("type", Text, nullable=False),  # empty, as is username: no mail server
    Column("server", Text),
    Column("port", Integer),
    Column("reply_to", Text),
    Column("username", Text, nullable=False),
    Column("password", LargeBinary),  # sealed
    Column("auth", Text, nullable=False),
    Column("enable_tls_ssl", Boolean, nullable=False),
    Column("enable_starttls_auto", Boolean, nullable=False),
    Column("recipients", Text),
    Column("switches", Text, nullable=False),  # JSON: notify_* -> bool
    Column("system", Text),  # JSON: what only the system level has (thresholds, enable_tenant_access)
    CheckConstraint("port BETWEEN 0 AND 65535", name="port_is_a_port"),
)

oauth = Table(
    "oauth",  # credentials for Microsoft 365 or Gmail, beside the settings because other people change them
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("provider", Text, nullable=False),
    Column("method", Text, nullable=False),  # which secret proves who we are
    Column("directory", Text),  # Microsoft's `tenant`
    Column("client_id", Text),
    Column("cloud", Text, nullable=False),
    Column("account", Text),  # address of a service account
    Column("secret_expires_at", BigInteger),
    Column("certificate_expires_at", BigInteger),
    Column("secrets", LargeBinary, nullable=False),  # sealed JSON
    Column("warned_days", Integer),  # the last threshold that somebody was warned at
    Column("updated_at", BigInteger, nullable=False),
    CheckConstraint("provider IN ('GMAIL', 'MS365')", name="provider_is_known"),
)

template_revisions = Table(
    "template_revisions",  # never changed after they were written
    metadata,
    Column("id", Text, primary_key=True),
    Column("tenant", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("number", Integer, nullable=False),
    Column("from", Text, key="from_"),
    Column("subject", Text),
    Column("body", Text),
    Column("text_body", Text),
    Column("created_at", BigInteger, nullable=False),
    Column("author", Text, nullable=False),
    UniqueConstraint("tenant", "name", "number"),
)

custom_templates = Table(
    "custom_templates",  # which revision is in force
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("revision", Text, ForeignKey("template_revisions.id"), nullable=False),
)

key_proof = Table(
    "key_proof",  # one row: a sealed word, which tells the keys of this database from others while it is empty
    metadata,
    Column("id", Text, primary_key=True),
    Column("tenant", Text, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
)

changes = Table(
    "changes",  # one row: grows with each change of tenants, settings, credentials or templates, by triggers
    metadata,
    Column("count", BigInteger, primary_key=True, autoincrement=False),
)

# What happened, and what became of it -------------------------------------------------------------------------------

events = Table(
    "events",
    metadata,
    Column("key", Text, primary_key=True),
    Column("tenant", Text, nullable=False),
    Column("id", Text, nullable=False),  # the sender's own
    Column("type", Text, nullable=False),
    Column("occurred_at", BigInteger, nullable=False),
    Column("accepted_at", BigInteger, nullable=False),
    Column("fingerprint", LargeBinary, nullable=False),  # tells a repetition from a clash: version, keyed hash
    Column("variables", LargeBinary),  # sealed JSON; erased with the message
    Column("template", Text),  # id of the custom revision in force, NULL for the default
    Column("unknown_variables", Text),  # names that the template asked for and nobody knew, comma-separated
    Column("skip_reason", Text),  # why nothing was sent
    Column("erase_at", BigInteger),  # when variables go, for an event that sent nothing
    UniqueConstraint("tenant", "id"),
    Index("events_tenant_type", "tenant", "type", "key"),
    Index("events_age", "accepted_at"),
    Index("events_erasure", "erase_at", **_where("erase_at IS NOT NULL")),
    Index("events_skipped", "tenant", "key", **_where("skip_reason IS NOT NULL")),
)

messages = Table(
    "messages",  # one per event that is sent; apart from the deliveries, so that those stay small
    metadata,
    Column("event", Text, ForeignKey("events.key"), primary_key=True),
    Column("tenant", Text, nullable=False),
    Column("content", LargeBinary, nullable=False),  # sealed ringpost.domain.messages.Message
    postgresql_with=_MESSAGES,
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", Text, primary_key=True),
    Column("tenant", Text, nullable=False),
    Column("event", Text, ForeignKey("events.key"), nullable=False),
    Column("type", Text, nullable=False),
    Column("recipient", Text, nullable=False),
    Column("urgency", SmallInteger, nullable=False),
    Column("secret", Boolean, nullable=False, server_default=false()),
    Column("queue", Text, nullable=False),  # storage/outbox has the words
    Column("state", Text, nullable=False),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    Column("retries", Integer, nullable=False, server_default=text("0")),  # place in the retry schedule
    Column("claims", SmallInteger, nullable=False, server_default=text("0")),  # claims since the last outcome
    Column("created_at", BigInteger, nullable=False),
    Column("due_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("deferred", Boolean, nullable=False, server_default=false()),  # waits for its time, so is not on the ring
    Column("claim", Text),  # the fence: an outcome counts only while the claim is still the same
    Column("lease_until", BigInteger),
    Column("sent_at", BigInteger),
    Column("ended_at", BigInteger),
    Column("erase_at", BigInteger),  # when the message may go
    CheckConstraint(f"state IN ({_words(frozenset(State))})", name="state_is_known"),
    CheckConstraint("(state = 'sending') = (claim IS NOT NULL)", name="sending_is_claimed"),
    CheckConstraint("(state = 'sending') = (lease_until IS NOT NULL)", name="sending_has_a_lease"),
    CheckConstraint("(state = 'sent') = (sent_at IS NOT NULL)", name="sent_has_a_time"),
    CheckConstraint(f"(state IN ({_words(OPEN_STATES)})) = (ended_at IS NULL)", name="ended_has_a_time"),
    Index("deliveries_due", "urgency", "queue", "due_at", **_where("state = 'queued' AND NOT deferred")),
    Index("deliveries_deferred", "due_at", **_where("state = 'queued' AND deferred")),
    Index("deliveries_deferred_queue", "queue", **_where("state = 'queued' AND deferred")),
    Index("deliveries_expiry", "urgency", "expires_at", **_where("state = 'queued'")),  # the order of age, by class
    Index("deliveries_sending", "tenant", "id", **_where("state = 'sending'")),
    Index("deliveries_erasure", "erase_at", **_where("erase_at IS NOT NULL")),
    Index("deliveries_event", "event"),
    Index("deliveries_by_state", "tenant", "state", "id", **_where("state <> 'sending'")),
    Index("deliveries_by_recipient", "tenant", "recipient", "id"),
    Index("deliveries_by_tenant", "tenant", "id"),
    postgresql_with=_QUEUE,
)  # fmt: skip

attempts = Table(
    "attempts",  # never changed after they were written
    metadata,
    Column("delivery", Text, ForeignKey("deliveries.id"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("tenant", Text, nullable=False),
    Column("started_at", BigInteger, nullable=False),
    Column("duration_ms", Integer, nullable=False),
    Column("server", Text),  # host:port, or the name of the API
    Column("verdict", Text, nullable=False),
    Column("stage", Text, nullable=False),
    Column("party", Text),
    Column("code", Integer),
    Column("enhanced_code", Text),
    Column("reply", Text, nullable=False),
    Column("hint", Text, nullable=False),
    Column("ambiguous", Boolean, nullable=False),
    Column("dialogue", Text),  # only of attempts that failed
    CheckConstraint("verdict IN ('sent', 'retry', 'rejected')", name="verdict_is_known"),
)

loans = Table(
    "loans",  # what tenants have used of the system's mail server in their hour
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("since", BigInteger, nullable=False),
    Column("used", Integer, nullable=False),
    postgresql_with=_CHANGES_OFTEN,
)

watch = Table(
    "watch",  # what is known of each host's disk, CPU and memory, so that a change is told once
    metadata,
    Column("host", Text, primary_key=True),
    Column("gauge", Text, primary_key=True),
    Column("exceeded", Boolean, nullable=False),
    Column("episode", Integer, nullable=False),
    Column("since", BigInteger, nullable=False),
    CheckConstraint("gauge IN ('hard_disk', 'cpu', 'memory')", name="gauge_is_known"),
)

workers = Table(
    "workers",  # who works, by the last sign of life; leases and not this decide what goes to another worker
    metadata,
    Column("name", Text, primary_key=True),
    Column("host", Text, nullable=False),
    Column("since", BigInteger, nullable=False),
    Column("until", BigInteger, nullable=False),  # believed to be alive until then
    Column("slots", Integer, nullable=False),
    Column("in_hand", Integer, nullable=False),
    Column("lease_ms", BigInteger),  # how long its leases are; older versions do not say
)

tallies = Table(
    "tallies",  # what became of attempts, counted by ten seconds and kept for an hour, so that rates need no scan
    metadata,
    Column("since", BigInteger, primary_key=True),
    Column("verdict", Text, primary_key=True),
    Column("party", Text, primary_key=True),  # empty when nobody failed
    Column("count", Integer, nullable=False),
)

holds = Table(
    "holds",  # lanes whose mail waits, because their server or its settings fail; and queues over their limit
    metadata,
    Column("lane", Text, primary_key=True),
    Column("since", BigInteger, nullable=False),
    Column("until", BigInteger, nullable=False),  # when the next probe may go
    Column("failures", Integer, nullable=False),
    Column("party", Text, nullable=False),
    Column("stage", Text, nullable=False),
    Column("code", Integer),
    Column("enhanced_code", Text),
    Column("reply", Text, nullable=False),
    Column("hint", Text, nullable=False),
    Index("holds_until", "until"),
    postgresql_with=_CHANGES_OFTEN,
)
