"""A trial: mail servers that misbehave, Ringpost processes on a database of either kind, and the oracle."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from chaos.mail_servers import mail_servers
from tests.faults.trial import Trial


@pytest.fixture(params=["sqlite", "postgresql"])
def kind_of_database(request: pytest.FixtureRequest) -> str:
    """Every fault is tried on both."""
    return request.param


@pytest.fixture
async def trial(tmp_path: Path, database_url: str) -> AsyncIterator[Trial]:
    """Nothing runs yet but one mail server."""
    async with mail_servers(tmp_path) as servers:
        trial = Trial(tmp_path, database_url, servers)
        yield trial
        await trial.end()
