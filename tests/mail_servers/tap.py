"""A wire tap: what goes to a server passes through and is remembered as it was on the wire."""

import asyncio
import contextlib
from base64 import b64encode
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from tests.closing import end
from tests.mail_servers.cells import PASSWORD, USERNAME


class Tap:
    """What a client has said, in clear or encrypted."""

    def __init__(self) -> None:
        self.said = bytearray()

    @property
    def heard_password(self) -> bool:
        """Whether the password was to be read, in any form that AUTH PLAIN and LOGIN give it."""
        name, secret = USERNAME.encode(), PASSWORD.encode()
        forms = (secret, b64encode(secret), b64encode(b"\0" + name + b"\0" + secret))
        return any(form in self.said for form in forms)

    @property
    def heard_mail(self) -> bool:
        """Whether a mail was to be read, or who it is for."""
        return b"MAIL FROM:" in self.said


@asynccontextmanager
async def tap(address: str, server: str, port: int) -> AsyncGenerator[Tap]:
    """Listens on `address` and passes everything on to the same port of `server`."""
    heard, tasks = Tap(), set[asyncio.Task[None]]()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            there, back = await asyncio.open_connection(server, port)
            try:
                await asyncio.gather(_pass_on(reader, back, heard.said), _pass_on(there, writer, bytearray()))
            finally:
                back.transport.abort()
        except (OSError, asyncio.CancelledError):
            pass  # Either side may hang up at any time.
        finally:
            writer.transport.abort()

    listener = await asyncio.start_server(accept, address, port)
    try:
        yield heard
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await end(listener)


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, heard: bytearray) -> None:
    while data := await reader.read(65536):
        heard += data
        writer.write(data)
        await writer.drain()
    with contextlib.suppress(OSError, RuntimeError):
        writer.write_eof()
