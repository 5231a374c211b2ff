"""A room that sends to mail servers of this machine, and a worker that empties its outbox."""

import asyncio
from collections.abc import AsyncIterator, Collection
from dataclasses import replace

import pytest

from ringpost.domain.endpoints import Endpoint, SmtpEndpoint
from ringpost.domain.hosts import parse_allowed_networks
from ringpost.domain.server_rules import ServerRules
from ringpost.transports import Transport
from ringpost.transports.egress import EgressRules
from ringpost.transports.smtp import Deadlines, SmtpOptions, SmtpTransport
from ringpost.usecases.room import Options, Room
from ringpost.worker import Worker, WorkerOptions

LOOPBACK = parse_allowed_networks("127.0.0.0/8")


@pytest.fixture(params=["sqlite", "postgresql"])
def kind_of_database(request: pytest.FixtureRequest) -> str:
    """Every test of this folder runs on both."""
    return request.param


@pytest.fixture
def room(room: Room) -> Room:
    """The room, with a way out to this machine."""

    def open_transport(
        endpoint: Endpoint,
        *,
        overall_s: float | None = None,
        urgent: bool = False,
        beside: Collection[Transport] = (),
    ) -> Transport:
        assert isinstance(endpoint, SmtpEndpoint)
        egress = EgressRules(allowed=LOOPBACK)
        options = SmtpOptions("ringpost.test", Deadlines(overall=overall_s), egress=egress)
        return SmtpTransport(endpoint, options, urgent=urgent, beside=beside)

    options = Options("pbx.example", ServerRules(allowed=LOOPBACK), host_name="host-1", borrowed_mails_per_hour=5)
    return replace(room, open_transport=open_transport, options=options)


@pytest.fixture
async def worker(room: Room) -> AsyncIterator[Worker]:
    """A worker at work."""
    worker = Worker(room, WorkerOptions(slots=64, poll_s=0.02, sweep_s=0.05))
    task = asyncio.create_task(worker.run())
    yield worker
    worker.stop()
    await task
