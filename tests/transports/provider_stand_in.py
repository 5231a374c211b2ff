"""A stand-in for Microsoft's and Google's servers: HTTPS with a private authority, and the answers a test wants."""

import asyncio
import json
import ssl
from collections import defaultdict, deque
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qs

from tests.closing import end
from tests.transports.mail_samples import MESSAGE, envelope

from ringpost.domain.credentials import Cloud, Grant
from ringpost.domain.deliveries import RETRY, Outcome
from ringpost.domain.endpoints import GmailEndpoint, GraphEndpoint
from ringpost.transports.gmail import gmail
from ringpost.transports.microsoft365 import microsoft365
from ringpost.transports.oauth.tokens import Authorities
from ringpost.transports.pacing import Allowance
from ringpost.transports.providers import ApiTransport, ProviderOptions, Providers
from ringpost.transports.web import WebOptions

DIRECTORY = "8d3b1f6e-0a57-4a7c-9a55-6f4f0f5f2c11"
WIDE = Allowance(100, ())


@dataclass(frozen=True)
class Say:
    """One answer."""

    status: int = 200
    body: Any = None
    """An object, which becomes JSON, or the bytes themselves; or what makes one of the request."""
    headers: dict[str, str] = field(default_factory=dict[str, str])
    after_s: float = 0
    drop: bool = False
    """Close the connection instead."""
    last: bool = False
    """Close the connection after it, however many bytes were announced."""
    endless: bool = False
    """The body comes again and again, without an end."""


@dataclass
class Heard:
    """One request."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def form(self) -> dict[str, str]:
        """The fields of a form."""
        return {name: values[0] for name, values in parse_qs(self.body.decode()).items()}


class StandIn:
    """What was heard, and what is to be said; without a word for it, all is well."""

    def __init__(self) -> None:
        self.heard: list[Heard] = []
        self.connections = 0
        self.tokens = 0
        self.life = 3599
        self.url = ""
        self._says: dict[str, deque[Say]] = defaultdict(deque)

    def say(self, what: str, *answers: Say) -> None:
        """The next answers to `token`, `discovery` or `send`."""
        self._says[what].extend(answers)

    def of(self, what: str) -> list[Heard]:
        """What was heard of one kind."""
        return [one for one in self.heard if _kind(one.path) == what]

    def providers(self, ca_file: str, **changes: Any) -> Providers:
        """Everything that leads here."""
        chosen: dict[str, Any] = {"ca_file": ca_file, **changes.pop("web", {})}
        options: dict[str, Any] = {
            "web": WebOptions(**chosen),
            "authorities": Authorities(dict.fromkeys(Cloud, self.url), f"{self.url}/token"),
            "graphs": dict.fromkeys(Cloud, self.url),
            "gmail": self.url,
            "graph_allowance": WIDE,
            "gmail_allowance": WIDE,
        }
        return Providers(ProviderOptions(**{**options, **changes}))

    def answer(self, request: Heard) -> Say:
        """What was ordered, else what the real one says when all is well."""
        kind = _kind(request.path)
        if self._says[kind]:
            return self._says[kind].popleft()
        if kind == "discovery":
            base = f"{self.url}/{DIRECTORY}/oauth2/v2.0"
            return Say(
                body={
                    "issuer": self.url,
                    "authorization_endpoint": f"{base}/authorize",
                    "token_endpoint": f"{base}/token",
                }
            )
        if kind == "token":
            self.tokens += 1
            return Say(body={"token_type": "Bearer", "expires_in": self.life, "access_token": f"access-{self.tokens}"})
        return Say(202) if request.path.endswith("/sendMail") else Say(body={"id": "18c0", "labelIds": ["SENT"]})

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, kept for many requests."""
        self.connections += 1
        try:
            while (request := await _read(reader)) is not None:
                self.heard.append(request)
                say = self.answer(request)
                if callable(say.body):
                    say = replace(say, body=say.body(request))
                await asyncio.sleep(say.after_s)
                if say.drop:
                    break
                writer.write(_written(say))
                await writer.drain()
                while say.endless:
                    writer.write(say.body)
                    await writer.drain()
                if say.last:
                    break
        except (ConnectionError, ssl.SSLError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def stand_in(context: ssl.SSLContext) -> AsyncGenerator[StandIn]:
    """One that listens on this machine."""
    it = StandIn()
    tasks: set[asyncio.Task[None]] = set()

    writers: list[asyncio.StreamWriter] = []

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        task = asyncio.ensure_future(it.serve(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=context)
    it.url = f"https://localhost:{server.sockets[0].getsockname()[1]}"
    try:
        yield it
    finally:
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await end(server, [writer.transport for writer in writers])


async def outcome_of(provider: StandIn, ca_file: str, grant: Grant, **web: Any) -> Outcome:
    """What a refusal comes to."""
    found = await provider.providers(ca_file, web=web).tokens.token(grant)
    assert isinstance(found, Outcome)
    assert (found.verdict, found.ambiguous) == (RETRY, False)
    return found


def transport_to(
    endpoint: GraphEndpoint | GmailEndpoint, providers: Providers, overall_s: float | None = None
) -> ApiTransport:
    """As wiring does it."""
    if isinstance(endpoint, GraphEndpoint):
        return microsoft365(endpoint, providers, overall_s=overall_s)
    return gmail(endpoint, providers, overall_s=overall_s)


async def send(
    providers: Providers, endpoint: GraphEndpoint | GmailEndpoint, overall_s: float | None = None
) -> Outcome:
    """One mail."""
    transport = transport_to(endpoint, providers, overall_s)
    try:
        return await transport.send(envelope(), MESSAGE)
    finally:
        await transport.close()


def _kind(path: str) -> str:
    if path.endswith("openid-configuration"):
        return "discovery"
    return "token" if path.endswith("/token") else "send"


async def _read(reader: asyncio.StreamReader) -> Heard | None:
    line = await reader.readline()
    if not line:
        return None
    method, path, _ = line.decode().split(" ")
    headers: dict[str, str] = {}
    while (line := await reader.readline()) not in (b"\r\n", b""):
        name, _, value = line.decode().partition(":")
        headers[name.lower()] = value.strip()
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Heard(method, path, headers, body)


def _written(say: Say) -> bytes:
    body = say.body if isinstance(say.body, bytes) else b"" if say.body is None else json.dumps(say.body).encode()
    length: dict[str, str] = {} if say.endless else {"Content-Length": str(len(body))}
    head = {"Content-Type": "application/json", **length, **say.headers}
    lines = "".join(f"{name}: {value}\r\n" for name, value in head.items())
    return f"HTTP/1.1 {say.status} X\r\n{lines}\r\n".encode() + body
