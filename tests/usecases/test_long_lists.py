"""A list of events takes as many commits as it needs, so that others get their turn and no memory is full of it."""

from collections.abc import Sequence

import pytest

from ringpost.domain.access import SCOPES_OF_ROLE, Principal, Role
from ringpost.domain.deliveries import Urgency
from ringpost.domain.endpoints import Endpoint
from ringpost.domain.events import Event, parse_event
from ringpost.domain.templates import LARGEST_BODY, Parts
from ringpost.domain.tenants import TenantId
from ringpost.errors import StorageUnavailable
from ringpost.usecases.accept_events import Receipt, accept_events
from ringpost.usecases.deliver import Work
from ringpost.usecases.edit_template import create_template
from ringpost.usecases.room import Room

OCTETS = 32 << 20
"""More is not written in one commit."""


class Witness:
    """A worker that takes nothing on. It is asked for a claim in each commit, and spoils those from `fails_from` on."""

    def __init__(self, fails_from: int = 1000) -> None:
        self.commits = 0
        self._fails_from = fails_from

    def claim(self) -> tuple[str, int]:
        if self.commits >= self._fails_from:
            raise StorageUnavailable("The disk is full.")
        self.commits += 1
        return f"witness-{self.commits}", 60_000

    def take(self, queue: str, urgency: Urgency, size: int, endpoint: Endpoint) -> bool:  # noqa: ARG002
        return False

    def begin(self, works: Sequence[Work]) -> None: ...

    def put_down(self, works: Sequence[Work]) -> None: ...


def emergencies(tenant: TenantId, count: int, recipients: int = 1) -> list[Event]:
    told = [f"person{number}@example.com" for number in range(recipients)]
    return [parse_event(tenant, {"type": "EMERGENCY_CALL", "id": str(n), "recipients": told}) for n in range(count)]


@pytest.fixture
async def large(room: Room, acme: TenantId) -> None:
    """A template whose mails are as large as they may be."""
    ann = Principal(acme, Role.TENANT_ADMIN, SCOPES_OF_ROLE[Role.TENANT_ADMIN], "ann", "token")
    await create_template(room, ann, "EMERGENCY_CALL", Parts(body="<p>" + "x" * (LARGEST_BODY - 3)))


@pytest.mark.usefixtures("large")
async def test_a_list_of_large_mails_is_written_in_many_commits(room: Room, acme: TenantId) -> None:
    room.takers.join(witness := Witness())

    receipts = await accept_events(room, emergencies(acme, 70))

    assert [receipt.id for receipt in receipts if isinstance(receipt, Receipt)] == [str(n) for n in range(70)]
    assert witness.commits >= 70 * LARGEST_BODY / OCTETS


async def test_a_list_with_many_recipients_is_written_in_many_commits(room: Room, acme: TenantId) -> None:
    await accept_events(room, emergencies(acme, 1))  # now it is known what is in force
    room.takers.join(witness := Witness())

    receipts = await accept_events(room, emergencies(acme, 101, recipients=100)[1:])

    assert all(isinstance(receipt, Receipt) and len(receipt.deliveries) == 100 for receipt in receipts)
    assert witness.commits >= 10


async def test_an_ordinary_list_is_written_in_one_commit(room: Room, acme: TenantId) -> None:
    await accept_events(room, emergencies(acme, 1))
    room.takers.join(witness := Witness())

    receipts = await accept_events(room, emergencies(acme, 100)[1:])

    assert all(isinstance(receipt, Receipt) for receipt in receipts)
    assert (len(receipts), witness.commits) == (99, 1)


@pytest.mark.usefixtures("large")
async def test_what_of_a_list_was_stored_is_told_when_there_is_no_room_for_the_rest(room: Room, acme: TenantId) -> None:
    events = emergencies(acme, 60)
    room.takers.join(full := Witness(fails_from=2))

    results = await accept_events(room, events)

    stored = [result for result in results if isinstance(result, Receipt)]
    assert [receipt.id for receipt in stored] == [str(n) for n in range(len(stored))]
    assert all(isinstance(result, StorageUnavailable) for result in results[len(stored) :])
    assert 0 < len(stored) < 60

    room.takers.leave(full)
    again = await accept_events(room, events)
    assert [receipt.repeated for receipt in again if isinstance(receipt, Receipt)] == [
        result in stored for result in results
    ]
