"""What the mailboxes of a process share with nobody, however many there are, and mails that are too large for one."""

import asyncio
import socket
import ssl
import struct
import sys
from collections.abc import AsyncGenerator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from tests.closing import end
from tests.transports.mail_samples import MESSAGE, envelope
from tests.transports.oauth_samples import APP, GRAPH
from tests.transports.provider_stand_in import Say, StandIn

from ringpost.domain.deliveries import REJECTED, RETRY, SENT, Outcome, Party, Stage
from ringpost.domain.endpoints import GraphEndpoint
from ringpost.domain.secrets import Secret
from ringpost.transports.microsoft365 import LARGEST, microsoft365
from ringpost.transports.oauth import tokens as oauth_tokens
from ringpost.transports.pacing import Allowance
from ringpost.transports.providers import MANY_PACES, Providers

OTHERS = [GraphEndpoint(f"{number}@sender.example", APP) for number in range(MANY_PACES + 1)]


async def send(providers: Providers, message: bytes = MESSAGE) -> Outcome:
    """One mail, by a transport of its own."""
    transport = microsoft365(GRAPH, providers)
    try:
        return await transport.send(envelope(), message)
    finally:
        await transport.close()


async def test_what_a_mailbox_has_used_up_is_known_however_many_others_there_are(
    provider: StandIn, ca_file: str
) -> None:
    providers = provider.providers(ca_file, graph_allowance=Allowance(4, ((1, 60.0),)))
    first = await send(providers)
    for other in OTHERS:
        providers.pace_of(other)
    second = await send(providers)
    assert (first.verdict, second.verdict, len(provider.of("send"))) == (SENT, RETRY, 1)


async def test_a_mailbox_goes_on_resting_however_many_others_there_are(provider: StandIn, ca_file: str) -> None:
    providers = provider.providers(ca_file)
    provider.say("send", Say(429, None, {"Retry-After": "40"}))
    await send(providers)
    for other in OTHERS:
        providers.pace_of(other)
    assert (await send(providers)).retry_after == pytest.approx(40, abs=5)


async def test_what_a_mail_waits_for_is_told_as_it_is(provider: StandIn, ca_file: str) -> None:
    hanging = provider.providers(ca_file, graph_allowance=Allowance(1, ((100, 60.0),)))
    provider.say("send", Say(202, after_s=3600))
    async with asyncio.TaskGroup() as tasks:
        first = tasks.create_task(send(hanging))
        while not provider.of("send"):
            await asyncio.sleep(0.01)
        behind = await send(hanging)
        first.cancel()
    one_a_minute = provider.providers(ca_file, graph_allowance=Allowance(4, ((1, 60.0),)))
    await send(one_a_minute)
    too_many = await send(one_a_minute)
    resting = provider.providers(ca_file)
    provider.say("send", Say(503, None, {"Retry-After": "40"}))
    await send(resting)
    asked_to_wait = await send(resting)

    assert "has not answered yet to the mails that it was just given" in behind.hint
    assert "has used them up" in too_many.hint
    assert "has asked to be given no more mails" in asked_to_wait.hint


async def test_of_idle_mailboxes_only_so_many_are_remembered(provider: StandIn, ca_file: str) -> None:
    providers = provider.providers(ca_file)
    first = providers.pace_of(GRAPH)
    for other in OTHERS:
        providers.pace_of(other)
    assert providers.pace_of(GRAPH) is not first


async def test_two_threads_know_of_the_same_paces(provider: StandIn, ca_file: str) -> None:
    """Events are accepted on one, while another one has the worker on it."""
    providers, before = provider.providers(ca_file), sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(2) as threads:
            first, second = [threads.submit(lambda: list(map(providers.pace_of, OTHERS[:5000]))) for _ in range(2)]
            assert all(one is other for one, other in zip(first.result(), second.result(), strict=True))
    finally:
        sys.setswitchinterval(before)


@asynccontextmanager
async def hanging_up(context: ssl.SSLContext) -> AsyncGenerator[str]:
    """A server that answers 413 to the head of a request, and is gone; its address."""
    writers: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 Too large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await writer.drain()
        at_once = struct.pack("ii", 1, 0)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)
        writer.transport.abort()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    try:
        yield f"https://localhost:{server.sockets[0].getsockname()[1]}"
    finally:
        await end(server, [writer.transport for writer in writers])


async def test_a_mail_that_graph_does_not_take_is_rejected_although_graph_hangs_up_on_it(
    provider: StandIn, good_tls: ssl.SSLContext, ca_file: str
) -> None:
    async with hanging_up(good_tls) as graph:
        providers = provider.providers(ca_file, graphs={GRAPH.app.cloud: graph})
        outcome = await send(providers, MESSAGE + b"x" * LARGEST)
    assert (outcome.verdict, outcome.stage, outcome.party) == (REJECTED, Stage.API, Party.MESSAGE)
    assert outcome.trap == "GRAPH_TOO_LARGE"
    assert f"It has {len(MESSAGE) + LARGEST} bytes." in outcome.hint


async def test_a_mail_that_is_just_not_too_large_arrives_whole(provider: StandIn, ca_file: str) -> None:
    message = MESSAGE + b"x" * (LARGEST // 4 * 3 - len(MESSAGE))
    assert (await send(provider.providers(ca_file), message)).verdict is SENT
    assert len(provider.of("send")[0].body) == LARGEST


async def test_a_token_is_kept_however_many_others_there_are(
    provider: StandIn, ca_file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(oauth_tokens, "MANY_KEPT", 3)
    tokens = provider.providers(ca_file).tokens
    grants = [replace(GRAPH.grant, mailbox=f"{number}@sender.example") for number in range(8)]
    first = [await tokens.token(grant) for grant in grants]
    assert first == [Secret(f"access-{number}") for number in range(1, 9)]
    assert [await tokens.token(grant) for grant in grants] == first
