"""Stands between Ringpost and PostgreSQL, and can lose or delay the answer to a commit."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from tests.closing import end


class Middleman:
    """Passes everything on, until it is told to watch out for a commit."""

    def __init__(self, server_port: int) -> None:
        self.port = 0
        self.has_answer = asyncio.Event()
        """The commit stands in the database, and its answer has come this far."""
        self.pass_on = asyncio.Event()
        """Let the answer go on; without it, the connection is ended instead."""
        self._server_port = server_port
        self._words: bytes | None = None
        self._loses = False
        self._is_cut = False
        self._writers: list[asyncio.StreamWriter] = []

    def lose_answer(self, words: bytes) -> None:
        """Hang up instead of answering the commit of the next transaction with a statement that has these words."""
        self._words, self._loses = words, True

    def delay_answer(self, words: bytes) -> None:
        """Keep the answer to that commit until `pass_on` is set."""
        self._words, self._loses = words, False

    def cut(self) -> None:
        """End all connections, and every new one."""
        self._is_cut = True
        for writer in self._writers:
            writer.close()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection of Ringpost."""
        if self._is_cut:
            writer.close()
            return
        answers, questions = await asyncio.open_connection("127.0.0.1", self._server_port)
        self._writers += [writer, questions]
        commits = asyncio.Event()
        await asyncio.gather(self._ask(reader, questions, commits), self._answer(answers, writer, commits))

    async def _ask(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, commits: asyncio.Event) -> None:
        has_words = False
        while data := await _read(reader):
            has_words = has_words or (self._words is not None and self._words in data)
            if has_words and b"COMMIT\0" in data:
                self._words, has_words = None, False
                commits.set()
            writer.write(data)
        writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, commits: asyncio.Event) -> None:
        while data := await _read(reader):
            if commits.is_set() and b"COMMIT\0" in data:
                commits.clear()
                self.has_answer.set()
                if self._loses:
                    break
                await self.pass_on.wait()
            writer.write(data)
        writer.close()

    @property
    def writers(self) -> list[asyncio.StreamWriter]:
        """Of all connections, to either side."""
        return self._writers


async def _read(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.read(65536)
    except ConnectionError:
        return b""


@asynccontextmanager
async def middleman(server_port: int) -> AsyncGenerator[Middleman]:
    """One that listens on a free port."""
    between = Middleman(server_port)
    server = await asyncio.start_server(between.serve, "127.0.0.1", 0)
    between.port = server.sockets[0].getsockname()[1]
    try:
        yield between
    finally:
        between.pass_on.set()
        await end(server, [writer.transport for writer in between.writers])
