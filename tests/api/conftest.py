"""A room that sends to mail servers of this machine, a mail server, and the API behind a real socket."""

import asyncio
import socket
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from math import inf

import httpx
import pytest
from aiosmtpd.controller import Controller
from fastapi import FastAPI
from starlette.types import ASGIApp
from tests.api.mailboxes import Mailbox

from ringpost.api.express import Express, express_past
from ringpost.api.server import server_config
from ringpost.domain.endpoints import Endpoint, SmtpEndpoint
from ringpost.domain.hosts import parse_allowed_networks
from ringpost.domain.server_rules import ServerRules
from ringpost.serving import ApiServer, listen, url_of
from ringpost.transports import Transport
from ringpost.transports.egress import EgressRules
from ringpost.transports.smtp import Deadlines, SmtpOptions, SmtpTransport
from ringpost.usecases.room import Options, Room


@pytest.fixture
def smtp_port() -> int:
    """A free port for a mail server."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture
def room(room: Room, smtp_port: int) -> Room:
    """The room, with a way out to this machine."""
    loopback = parse_allowed_networks(f"127.0.0.0/8:{smtp_port}")
    egress = EgressRules(allowed=loopback, extra_ports=frozenset({smtp_port}))

    def open_transport(endpoint: Endpoint, *, overall_s: float | None = None, **_: object) -> Transport:
        assert isinstance(endpoint, SmtpEndpoint)
        options = SmtpOptions("ringpost.test", Deadlines(overall=overall_s), egress=egress)
        return SmtpTransport(endpoint, options)

    rules = ServerRules(allowed=loopback)
    return replace(room, open_transport=open_transport, options=Options("pbx.example", rules))


@pytest.fixture
def mailbox(smtp_port: int) -> Iterator[Mailbox]:
    """A mail server that takes everything, without login."""
    box = Mailbox("127.0.0.1", smtp_port, [])
    controller = Controller(box, box.host, box.port)
    controller.start()
    yield box
    controller.stop()


@asynccontextmanager
async def served(
    app: ASGIApp, express: Express, *, most_clients: float = inf, send_buffer: int | None = None
) -> AsyncGenerator[str]:
    """The URL of an app behind a real socket, and of what answers past it.

    `send_buffer`: how many octets the system keeps for a client that does not read; its own default when None.
    """
    listener = listen("127.0.0.1", 0)
    if send_buffer is not None:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_buffer)  # connections inherit it
    serving = ApiServer(server_config(app, "127.0.0.1", 0, express=express, most_clients=most_clients))
    task = asyncio.create_task(serving.serve(sockets=[listener]))
    while not serving.started:
        await asyncio.sleep(0.01)
    yield url_of(listener)
    serving.stop()
    await task


@pytest.fixture
async def live(app: FastAPI) -> AsyncIterator[str]:
    """The URL of the API behind a real socket."""
    async with served(app, express_past(app)) as url:
        yield url


@pytest.fixture
async def told(tenant_client: httpx.AsyncClient, smtp_port: int) -> None:
    """The tenant has a mail server and somebody to tell."""
    fields = {
        "type": "SMTP", "server": "127.0.0.1", "port": smtp_port, "username": "alerts@example.com", "auth": "DISABLE",
        "enable_tls_ssl": False, "recipients": "manager@example.com", "notify_user_registration": True,
    }  # fmt: skip
    assert (await tenant_client.post("/tenant/notification", json=fields)).status_code == 200
