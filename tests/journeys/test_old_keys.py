"""Old keys go only when nobody seals with them any more."""

import json
import signal
import time

import pytest
from tests.journeys.machine import DEADLINE_S, Machine

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
        acme.output("keys", "retire")
    assert len(key_file.read_text().splitlines()) == 1


def wait_until_it_is_seen(machine: Machine) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not json.loads(machine.output("status", "--json"))["workers"]:
        assert time.monotonic() < deadline
        time.sleep(0.2)
