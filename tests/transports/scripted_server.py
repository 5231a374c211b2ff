"""A mail server on 127.0.0.1 that does exactly what a test says, faults included.

    async with ScriptedServer(polite({"RCPT": b"550 5.1.1 nobody\\r\\n"})) as server:
        ...
        assert server.mails == []

A script is a coroutine that talks to one client. `polite` makes one that says yes to everything but what the test gives
other answers for. Everything said is recorded, over all connections in order.
"""

import asyncio
import contextlib
import ssl
from collections.abc import Awaitable, Callable, Iterable, Mapping
from enum import Enum
from types import TracebackType
from typing import Self

from tests.closing import end
from tests.patience import patience

CAPABILITIES = ("PIPELINING", "SIZE 10000000", "8BITMIME", "ENHANCEDSTATUSCODES")


class Trick(Enum):
    """Answers that are no reply."""

    DROP = "close the connection"
    SILENCE = "say nothing and keep the connection"
    SKIP = "say nothing to this command and go on with the next"


Answer = bytes | Trick


class Client:
    """One connected client, as the server sees it."""

    def __init__(self, server: "ScriptedServer", reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.server = server
        self.reader = reader
        self.writer = writer
        self.number = server.connections

    async def say(self, data: bytes) -> None:
        """Send bytes as they are."""
        self.writer.write(data)
        await self.writer.drain()

    async def command(self) -> bytes:
        """The next command line without its line end; b"" when the client is gone."""
        line = (await self.reader.readline()).removesuffix(b"\r\n")
        if line:
            self.server.commands.append(line)
        return line

    async def message(self) -> bytes:
        """What follows DATA, dots unstuffed, without the final dot."""
        lines: list[bytes] = []
        while (line := await self.reader.readline()) not in (b".\r\n", b""):
            lines.append(line.removeprefix(b"."))
        return b"".join(lines)

    async def expect(self, *verbs: bytes) -> None:
        """Read commands that have to begin like this, in order."""
        for verb in verbs:
            line = await self.command()
            assert line.upper().startswith(verb), (verb, line)

    async def encrypt(self, context: ssl.SSLContext) -> None:
        """The server's side of the TLS handshake."""
        await self.writer.start_tls(context)

    async def trick(self, trick: Trick) -> bool:
        """Do it. True when the connection goes on."""
        if trick is Trick.SILENCE:
            await self.reader.read()
        return trick is Trick.SKIP


Script = Callable[[Client], Awaitable[None]]


class ScriptedServer:
    """Runs the script for every client. A script for each connection in turn when several are given; the last stays."""

    def __init__(
        self, *scripts: Script, context: ssl.SSLContext | None = None, at: tuple[str, int] = ("127.0.0.1", 0)
    ) -> None:
        """`context` makes it speak TLS from the first byte; `at`: its address and port."""
        self.commands: list[bytes] = []
        self.mails: list[bytes] = []
        self.connections = 0
        self.failures: list[BaseException] = []
        self._scripts = scripts
        self._context = context
        self._at = at
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    @property
    def port(self) -> int:
        """Where it listens."""
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, *self._at, ssl=self._context)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await end(self._server)
        if error is None and self.failures:
            raise self.failures[0]

    def said(self, verb: bytes) -> list[bytes]:
        """The commands that begin like this."""
        return [line for line in self.commands if line.upper().startswith(verb)]

    async def hears(self, verb: bytes, within_s: float = 15) -> None:
        """Wait until a client has said it."""
        async with patience(within_s):
            while not self.said(verb):
                await asyncio.sleep(0.01)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        script = self._scripts[min(self.connections, len(self._scripts) - 1)]
        self.connections += 1
        try:
            await script(Client(self, reader, writer))
        except (ConnectionError, ssl.SSLError, asyncio.CancelledError):
            pass  # The client may go away at any time; that is what many tests are about.
        except Exception as error:  # noqa: BLE001  shown by the test that runs the server
            self.failures.append(error)
        finally:
            self._tasks.discard(task)
            writer.transport.abort() if self._context is None else writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()


def polite(
    answers: Mapping[str, Answer | Iterable[Answer]] | None = None,
    *,
    capabilities: Iterable[str] = CAPABILITIES,
    context: ssl.SSLContext | None = None,
) -> Script:
    """A script that says yes, but for `answers`: verb -> an answer, or answers to use up first (over all connections).

    Verbs: GREETING EHLO HELO STARTTLS AUTH (also its later lines) MAIL RCPT DATA DOT RSET QUIT.
    """
    return _Polite(answers or {}, tuple(capabilities), context)


def thinks_at_mail(go_on: asyncio.Event, answer: bytes) -> Script:
    """A script that answers MAIL, with this, once it is told to go on; then it says nothing more."""

    async def script(client: Client) -> None:
        await client.say(b"220 hi\r\n")
        await client.expect(b"EHLO")
        await client.say(b"250 hi\r\n")
        await client.expect(b"MAIL")
        await go_on.wait()
        await client.say(answer)
        await client.reader.read()

    return script


class _Polite:
    def __init__(
        self,
        answers: Mapping[str, Answer | Iterable[Answer]],
        capabilities: tuple[str, ...],
        context: ssl.SSLContext | None,
    ) -> None:
        self._context = context
        self._special = {
            verb: answer if isinstance(answer, bytes | Trick) else iter(answer) for verb, answer in answers.items()
        }
        self._default = {
            "GREETING": b"220 scripted ESMTP\r\n",
            "EHLO": _hello("scripted", *capabilities, *(["STARTTLS"] if context is not None else [])),
            "STARTTLS": b"220 2.0.0 go\r\n",
            "AUTH": b"235 2.7.0 welcome\r\n",
            "DATA": b"354 go\r\n",
            "DOT": b"250 2.0.0 taken\r\n",
            "QUIT": b"221 2.0.0 bye\r\n",
        }

    async def __call__(self, client: Client) -> None:
        verb: str | None = "GREETING"
        while verb is not None:
            answer = self._answer_to(verb)
            if isinstance(answer, bytes):
                await client.say(answer)
            elif not await client.trick(answer):
                return
            verb = await self._next(client, verb, answer)

    def _answer_to(self, verb: str) -> Answer:
        answer = self._special.get(verb)
        if answer is not None and not isinstance(answer, bytes | Trick):
            answer = next(answer, None)
        return self._default.get(verb, b"250 2.0.0 ok\r\n") if answer is None else answer

    async def _next(self, client: Client, verb: str, answer: Answer) -> str | None:
        """What the client says next; None when the conversation is over."""
        code = answer[:3] if isinstance(answer, bytes) else b""
        if verb == "QUIT":
            return None
        if (verb, code) == ("DATA", b"354"):
            message = await client.message()
            if client.reader.at_eof():
                return None
            client.server.mails.append(message)
            return "DOT"
        if (verb, code) == ("STARTTLS", b"220") and self._context is not None:
            await client.encrypt(self._context)
        line = await client.command()
        if not line:
            return None
        return "AUTH" if code == b"334" else line.decode("utf-8", "replace").partition(" ")[0].upper()


def _hello(*lines: str) -> bytes:
    return "".join(f"250{' ' if line is lines[-1] else '-'}{line}\r\n" for line in lines).encode()
