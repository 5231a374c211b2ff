"""Old keys go only when nobody seals with them any more."""

import json
import signal
import subprocess
import time

import psycopg
import pytest
from tests.journeys.machine import DEADLINE_S, RINGPOST, Machine
from tests.postgresql import PostgresServer

pytestmark = pytest.mark.timeout(180)


def test_old_keys_are_not_dropped_while_a_worker_seals_with_them(acme: Machine) -> None:
    key_file = acme.folder / "data" / "keys"
    with acme.running("worker", until="worker_started") as worker:
        wait_until_it_is_seen(acme)
        acme.output("keys", "rotate")
        refused = acme.run("keys", "retire")
        assert refused.returncode == 1
        assert "Restart all processes of Ringpost" in refused.stderr
        assert len(key_file.read_text().splitlines()) == 2
        assert worker.stop(signal.SIGTERM) == 0

    with acme.running("worker", until="worker_started"):
        wait_until_it_is_seen(acme)
        retired = acme.run("keys", "retire")
    assert retired.returncode == 0, retired.stderr
    assert "1 old key was dropped;" in retired.stderr
    assert len(key_file.read_text().splitlines()) == 1


def test_a_key_that_comes_while_old_ones_are_retired_costs_none_that_has_sealed(
    machine: Machine, postgres: PostgresServer
) -> None:
    name = postgres.new_database()
    machine.env["RINGPOST_DATABASE_URL"] = postgres.url(name)
    machine.output("tenant", "create", "acme.example.com")
    machine.output("keys", "rotate")
    with postgres.connect(name) as other:
        with other.transaction():
            other.execute("SELECT 1 FROM key_proof FOR UPDATE")
            retiring = subprocess.Popen([*RINGPOST, "keys", "retire"], cwd=machine.folder, env=machine.env)
            wait_until_somebody_waits(other)
            machine.output("keys", "rotate")
        assert retiring.wait(DEADLINE_S) == 0
    assert len((machine.folder / "data" / "keys").read_text().splitlines()) == 2
    assert "acme.example.com" in machine.output("tenant", "list")


def wait_until_somebody_waits(connection: psycopg.Connection) -> None:
    """For a row that is locked."""
    deadline = time.monotonic() + DEADLINE_S
    waiting = "SELECT 1 FROM pg_locks WHERE NOT granted"
    while not connection.execute(waiting).fetchone():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def wait_until_it_is_seen(machine: Machine) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not json.loads(machine.output("status", "--json"))["workers"]:
        assert time.monotonic() < deadline
        time.sleep(0.2)
