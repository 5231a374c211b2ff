"""What many tests start from: a room over a real database file, and a clock that moves when told."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ringpost.domain.settings import ServerRules, SmtpEndpoint
from ringpost.storage.database import open_database
from ringpost.storage.sealing import KeyRing, Sealer
from ringpost.transports import Transport
from ringpost.usecases.room import Options, Room


class Clock:
    """Time that stands still until `advance`."""

    def __init__(self) -> None:
        self.ms = 1_800_000_000_000

    def __call__(self) -> int:
        return self.ms

    def monotonic(self) -> float:
        """The same time as monotonic seconds."""
        return self.ms / 1000

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.ms += round(seconds * 1000)


@pytest.fixture
def clock() -> Clock:
    """A clock of the test's own."""
    return Clock()


@pytest.fixture
def database_path(tmp_path: Path) -> Path:
    """The database file of `room`."""
    return tmp_path / "ringpost.db"


@pytest.fixture
async def room(database_path: Path, clock: Clock) -> AsyncIterator[Room]:
    """A room over a fresh database; nothing can be sent from it."""
    database = await open_database(f"sqlite:///{database_path}")
    yield Room(database, Sealer(KeyRing.fresh()), clock, _no_way_out, Options("pbx.example", ServerRules()))
    await database.close()


def _no_way_out(endpoint: SmtpEndpoint, *, overall_s: float | None = None) -> Transport:
    raise AssertionError(f"nothing is sent in this test, least of all to {endpoint.host} within {overall_s} s")
