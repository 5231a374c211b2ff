"""Deliveries on the command line: found by their ids, whosever they are."""

import json
import signal

import httpx
import pytest
from tests.journeys.machine import Machine
from tests.journeys.test_cli import mail_settings

pytestmark = pytest.mark.timeout(180)


@pytest.fixture
def delivery(acme: Machine) -> str:
    """The id of a delivery of one of two tenants."""
    headers = {"Authorization": f"Bearer {acme.output('token', 'create').strip()}"}
    with acme.serving(RINGPOST_WORKERS="0", RINGPOST_ALLOWED_MAIL_NETWORKS="127.0.0.0/8") as api:
        with httpx.Client(base_url=api.match[1], headers=headers, timeout=30) as client:
            client.post("/tenant/notification", json=mail_settings(2525)).raise_for_status()
            event = {"type": "DISK_LOW", "variables": {"FREE_SIZE": "1.5 GB"}}
            taken = client.post("/events", json=event).raise_for_status().json()
        assert api.stop(signal.SIGTERM) == 0
    acme.output("tenant", "create", "other.example.com", "--name", "Other")
    return taken["deliveries"][0]["id"]


def test_a_delivery_is_found_by_its_id_or_message_id_alone(acme: Machine, delivery: str) -> None:
    for name in (delivery, f"<{delivery}@acme.example.com>", f"{delivery}@acme.example.com"):
        shown = acme.output("delivery", "show", name)
        assert "acme.example.com" in shown
        assert "operations@acme.example.com" in shown

    acme.output("delivery", "cancel", delivery)
    acme.output("delivery", "retry", delivery)
    assert json.loads(acme.output("delivery", "show", delivery, "--json"))["state"] == "queued"


@pytest.mark.parametrize("only_of", [("--tenant", "other.example.com"), ("--system",)])
def test_a_delivery_is_not_found_where_it_is_said_to_be_of_another(
    acme: Machine, delivery: str, only_of: tuple[str, ...]
) -> None:
    for command in ("show", "retry", "cancel"):
        done = acme.run("delivery", command, delivery, *only_of)
        assert (done.returncode, done.stdout, done.stderr) == (1, "", "ringpost: There is no such delivery.\n")


def test_an_id_that_no_delivery_has_is_said_plainly(acme: Machine) -> None:
    done = acme.run("delivery", "show", "019b3f2a-1")
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "ringpost: There is no such delivery.\n")
