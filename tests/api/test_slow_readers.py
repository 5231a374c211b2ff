"""Clients that ask, and do not read what they are answered."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Generator
from urllib.parse import urlsplit

import pytest
from fastapi import FastAPI
from tests.api.conftest import served
from tests.api.test_server import answer, connect
from tests.patience import patience

from ringpost.api.express import express_past

MOST = 3
KEPT = 4096
"""Octets that the system keeps for a client, on either side."""
UNENDED = b"POST /login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
LARGE = b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.fixture
async def narrow(app: FastAPI) -> AsyncIterator[str]:
    """The URL of an API of few clients, for which the system keeps little."""
    async with served(app, express_past(app), most_clients=MOST, send_buffer=KEPT) as url:
        yield url


@contextlib.contextmanager
def asking(url: str, request: bytes) -> Generator[socket.socket]:
    """Somebody who asks and does not read."""
    target = urlsplit(url)
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, KEPT)
        client.connect((target.hostname, target.port))
        client.sendall(request)
        client.setblocking(False)
        yield client


async def is_answered(client: socket.socket) -> None:
    """Wait for an answer, reading nothing of it."""
    async with patience(10):
        while True:
            with contextlib.suppress(BlockingIOError):
                assert client.recv(1, socket.MSG_PEEK)
                return
            await asyncio.sleep(0.01)


async def read_to_the_end(client: socket.socket) -> bytes:
    """What is still there, up to the end of the connection."""
    loop, got = asyncio.get_running_loop(), b""
    async with patience(10):
        with contextlib.suppress(ConnectionResetError):
            while piece := await loop.sock_recv(client, 1 << 16):
                got += piece
    return got


def length_of(got: bytes) -> int:
    """How long the answer is that begins with this."""
    head, _, _ = got.partition(b"\r\n\r\n")
    return len(head) + 4 + int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])


async def test_who_reads_nothing_for_long_is_hung_up_on(narrow: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ringpost.api.bounded_protocol.READ_S", 0.2)
    with asking(narrow, LARGE) as client:
        await is_answered(client)
        await asyncio.sleep(0.6)

        got = await read_to_the_end(client)

    assert len(got) < length_of(got)


async def test_who_does_not_read_the_rest_goes_with_those_who_ask_for_nothing(
    narrow: str, acme_token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is left is too little for the server to wait with more; it has nothing more."""
    monkeypatch.setattr("ringpost.api.bounded_protocol.IDLE_S", 0.2)
    monkeypatch.setattr("ringpost.api.bounded_protocol.READ_S", 0.2)
    ask = f"GET /default_email_templates/QUEUE_SLA HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {acme_token}\r\n\r\n"
    with asking(narrow, ask.encode() * 5) as client:
        await is_answered(client)
        await asyncio.sleep(1)

        got = await read_to_the_end(client)

    assert len(got) < length_of(got) * 5


async def test_who_reads_slowly_gets_all(narrow: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ringpost.api.bounded_protocol.READ_S", 5.0)
    with asking(narrow, LARGE.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")) as client:
        await is_answered(client)
        await asyncio.sleep(0.5)

        got = await read_to_the_end(client)

    assert len(got) == length_of(got)


async def test_who_has_read_all_is_not_hung_up_on_once_more(
    narrow: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("ringpost.api.bounded_protocol.READ_S", 1.0)
    with asking(narrow, LARGE.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")) as client:
        await is_answered(client)
        got = await read_to_the_end(client)
    await asyncio.sleep(1.2)

    assert len(got) == length_of(got)
    assert [record.message for record in caplog.records if record.exc_info] == []


async def test_who_does_not_read_keeps_nobody_out_for_long(narrow: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ringpost.api.bounded_protocol.READ_S", 0.5)
    with contextlib.ExitStack() as stack:
        for _ in range(MOST):
            await is_answered(stack.enter_context(asking(narrow, LARGE * 3)))
        await asyncio.sleep(1.2)

        reader, writer = await connect(narrow)
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        async with patience(10):
            assert (await answer(reader)).startswith(b"HTTP/1.1 200 ")
        writer.close()


@pytest.mark.parametrize("begun", [LARGE * 3, UNENDED], ids=["does not read", "does not end"])
async def test_who_keeps_the_server_from_stopping_is_no_fault_of_it(
    app: FastAPI, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, begun: bytes
) -> None:
    monkeypatch.setattr("ringpost.api.server.STOP_S", 1)
    with contextlib.ExitStack() as stack:
        async with served(app, express_past(app), send_buffer=KEPT) as url:
            client = stack.enter_context(asking(url, begun))
            await asyncio.sleep(0.5)
        await read_to_the_end(client)

    assert [record.message for record in caplog.records if record.exc_info] == []
