"""A machine of its own for each test of commands."""

from pathlib import Path

import pytest
from tests.journeys.machine import Machine


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


@pytest.fixture
def acme(machine: Machine) -> Machine:
    """A machine with one tenant."""
    machine.output("tenant", "create", "acme.example.com", "--name", "Acme")
    return machine
