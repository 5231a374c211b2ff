"""The sum of the migrations is what tables.py says, and the schema holds what the code believes."""

from typing import Any

import pytest
from alembic.autogenerate import compare_metadata  # pyright: ignore[reportUnknownVariableType]
from alembic.migration import MigrationContext
from sqlalchemy import Engine, exc, insert, text

from ringpost.domain.deliveries import OPEN_STATES, State
from ringpost.storage.schema import migrate
from ringpost.storage.tables import deliveries, events, metadata


# SQLite does not tell of what expressions an index is; PostgreSQL does, and is asked too.
@pytest.mark.filterwarnings("ignore:.*expression-based index")
def test_migrations_add_up_to_the_tables(engine: Engine) -> None:
    with engine.begin() as connection:
        differences: list[Any] = compare_metadata(MigrationContext.configure(connection), metadata)
    assert differences == []


def test_text_is_compared_byte_by_byte(engine: Engine) -> None:
    """Ranges of ids and queues are the same on both only then: `TEXT` in ringpost.storage.migrations.types."""
    query = "SELECT table_name, column_name FROM information_schema.columns WHERE data_type = 'text' AND {}"
    ours = "table_schema = 'public' AND table_name <> 'alembic_version' AND collation_name IS DISTINCT FROM 'C'"
    with engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            assert connection.execute(text(query.format(ours))).all() == []
        else:
            assert connection.execute(text("SELECT 'a' < 'B'")).scalar() == 0


def test_what_postgresql_is_told_of_its_tables_is_what_tables_says(engine: Engine) -> None:
    with engine.begin() as connection:
        if connection.dialect.name != "postgresql":
            return
        rows = connection.execute(
            text("SELECT relname, reloptions FROM pg_class WHERE relkind = 'r' AND reloptions IS NOT NULL")
        )
        told = {row.relname: dict(option.split("=") for option in row.reloptions) for row in rows}
    wanted = {
        name: {option: str(value) for option, value in table.dialect_options["postgresql"]["with"].items()}
        for name, table in metadata.tables.items()
        if table.dialect_options["postgresql"]["with"]
    }
    assert told == wanted


def test_migrating_again_changes_nothing(engine: Engine) -> None:
    migrate(engine)
    migrate(engine)


@pytest.mark.parametrize("state", State)
def test_every_state_can_be_stored_with_its_times_and_not_without(engine: Engine, state: State) -> None:
    ended = state not in OPEN_STATES
    good: dict[str, Any] = {
        "id": "d", "tenant": "t", "event": "e", "type": "QUEUE_SLA", "recipient": "a@example.com", "urgency": 2,
        "queue": "t", "state": state.value, "created_at": 1, "due_at": 1, "expires_at": 2,
        "claim": "c" if state is State.SENDING else None,
        "lease_until": 2 if state is State.SENDING else None,
        "sent_at": 2 if state is State.SENT else None,
        "ended_at": 2 if ended else None,
    }  # fmt: skip
    event = {"key": "e", "tenant": "t", "id": "e", "type": "QUEUE_SLA", "occurred_at": 1, "accepted_at": 1}
    with engine.begin() as connection:
        connection.execute(insert(events).values(**event, fingerprint=b""))
        connection.execute(insert(deliveries).values(**good))
    wrong = {**good, "id": "d2", "ended_at": None if ended else 2}
    with pytest.raises(exc.IntegrityError), engine.begin() as connection:
        connection.execute(insert(deliveries).values(**wrong))


def test_an_unknown_state_is_refused(engine: Engine) -> None:
    with pytest.raises(exc.IntegrityError), engine.begin() as connection:
        connection.execute(
            insert(deliveries).values(
                id="d", tenant="t", event="e", type="x", recipient="a", urgency=2, queue="t", state="delivered",
                created_at=1, due_at=1, expires_at=2, ended_at=2,
            )
        )  # fmt: skip
