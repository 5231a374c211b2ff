"""What is quick to accept is written by the event loop on SQLite; what takes its time keeps nobody waiting there."""

import threading
from base64 import b64encode
from collections.abc import Sequence
from typing import Any

import pytest

from ringpost.domain.deliveries import Urgency
from ringpost.domain.endpoints import Endpoint
from ringpost.domain.events import parse_event
from ringpost.domain.tenants import TenantId
from ringpost.usecases.accept_events import FEW_RECIPIENTS, SMALL, Receipt, accept_events
from ringpost.usecases.deliver import Work
from ringpost.usecases.room import Room


@pytest.fixture
def kind_of_database() -> str:
    """The one that is written in this process."""
    return "sqlite"


class Witness:
    """A worker that takes nothing on, and remembers on which thread it was asked."""

    def __init__(self) -> None:
        self.threads: list[str] = []

    def claim(self) -> tuple[str, int]:
        self.threads.append(threading.current_thread().name)
        return "witness-1", 60_000

    def take(self, queue: str, urgency: Urgency, size: int, endpoint: Endpoint) -> bool:  # noqa: ARG002
        return False

    def begin(self, works: Sequence[Work]) -> None: ...

    def put_down(self, works: Sequence[Work]) -> None: ...


def people(count: int) -> list[str]:
    return [f"person{number}@example.com" for number in range(count)]


@pytest.mark.parametrize(
    ("what", "thread"),
    [
        ({"recipients": people(1)}, "MainThread"),
        ({"recipients": people(FEW_RECIPIENTS)}, "MainThread"),
        ({"recipients": people(FEW_RECIPIENTS + 1)}, "ringpost-write"),
        ({"recipients": people(1), "variables": {"CALLER_NAME": "x" * (SMALL + 1)}}, "ringpost-write"),
        (
            {
                "recipients": people(1),
                "attachments": [
                    {
                        "filename": "a.txt",
                        "content_type": "text/plain",
                        "content": b64encode(b"a").decode(),
                    }
                ],
            },
            "ringpost-write",
        ),
    ],
)
async def test_only_what_is_quick_is_written_by_the_event_loop(
    room: Room, acme: TenantId, what: dict[str, Any], thread: str
) -> None:
    await accept_events(room, [parse_event(acme, {"type": "EMERGENCY_CALL"})])  # now it is known what is in force
    witness = Witness()
    room.takers.join(witness)

    (receipt,) = await accept_events(room, [parse_event(acme, {"type": "EMERGENCY_CALL", **what})])

    assert isinstance(receipt, Receipt)
    assert witness.threads == [thread]
