"""The sum of the migrations is what tables.py says, and the schema holds what the code believes."""

from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata  # pyright: ignore[reportUnknownVariableType]
from alembic.migration import MigrationContext
from sqlalchemy import Engine, exc, insert

from ringpost.domain.deliveries import OPEN_STATES, State
from ringpost.storage.engines import migrate, open_engines
from ringpost.storage.tables import deliveries, events, metadata


@pytest.fixture
def engine(tmp_path: Path) -> Any:
    """A migrated database."""
    reader, writer = open_engines(f"sqlite:///{tmp_path / 'x.db'}")
    yield writer
    reader.dispose()
    writer.dispose()


def test_migrations_add_up_to_the_tables(engine: Engine) -> None:
    with engine.begin() as connection:
        differences: list[Any] = compare_metadata(MigrationContext.configure(connection), metadata)
    assert differences == []


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
