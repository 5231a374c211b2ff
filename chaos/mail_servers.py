"""The handle on the process of the mail servers: give orders, read what they took."""

import asyncio
import json
import sys
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chaos.mischief import Mischief

ROOT = Path(__file__).parent.parent


@dataclass(frozen=True, slots=True)
class Taken:
    """One mail that a server has taken responsibility for."""

    at: float
    """Seconds since 1970."""
    began: float
    """When the message began to arrive; seconds since 1970."""
    message_id: str
    recipient: str
    said: bool
    """250 was said at once; else something went wrong with the reply."""

    @property
    def delivery(self) -> str:
        """The id of the delivery, which is the left side of its Message-ID."""
        return self.message_id.strip("<>").partition("@")[0]


class MailServers:
    """A running process with mail servers."""

    def __init__(self, process: asyncio.subprocess.Process, record: Path, ports: list[int]) -> None:
        self.ports = ports
        self.happened: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        """Signals that were sent."""
        self._process = process
        self._record = record
        self._orders = 0
        self._waiting: dict[int, asyncio.Future[None]] = {}
        self._read_up_to = 0
        self._reading = asyncio.Lock()
        self._listener = asyncio.create_task(self._listen())

    async def misbehave(self, port: int, *mischief: Mischief) -> None:
        """From now on, this goes wrong at a server, and nothing else."""
        await self._order("misbehave", port=port, mischief=[one.to_json() for one in mischief])

    async def heal(self, *ports: int) -> None:
        """Nothing goes wrong any more, at these servers or at all."""
        await self._order("heal", ports=list(ports or self.ports))

    async def hang_up(self) -> None:
        """End every connection without a word, so that the next mail needs a new one."""
        await self._order("hang_up", ports=self.ports)

    async def newly_taken(self) -> list[Taken]:
        """What they took since the last call."""
        async with self._reading:
            await self._order("flush")
            found, self._read_up_to = await asyncio.to_thread(_read, self._record, self._read_up_to)
            return found

    async def end(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        await self._process.wait()
        await self._listener

    async def _order(self, do: str, **how: Any) -> None:
        assert self._process.stdin is not None
        self._orders += 1
        number = self._orders
        done = self._waiting[number] = asyncio.get_running_loop().create_future()
        self._process.stdin.write(json.dumps({"do": do, "number": number, **how}).encode() + b"\n")
        await self._process.stdin.drain()
        await done

    async def _listen(self) -> None:
        assert self._process.stdout is not None
        while line := await self._process.stdout.readline():
            told = json.loads(line)
            if "done" in told:
                done = self._waiting.pop(told["done"])
                if not done.done():  # whoever gave the order may have been cancelled
                    done.set_result(None)
            else:
                self.happened.put_nowait(told)
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(ConnectionError("the process of the mail servers has ended"))


def _read(record: Path, start: int) -> tuple[list[Taken], int]:
    with record.open("rb") as file:
        file.seek(start)
        content = file.read()
    content = content[: content.rfind(b"\n") + 1]
    found: list[Taken] = []
    for line in content.decode().splitlines():
        at, began, message_id, recipient, fate = line.split(" ")
        found.append(Taken(float(at), float(began), message_id, recipient, fate == "said"))
    return found, start + len(content)


@asynccontextmanager
async def mail_servers(folder: Path, count: int = 1, seed: int = 0) -> AsyncGenerator[MailServers]:
    """Start mail servers on loopback, each on a port of its own; they record into `folder`."""
    record = folder / "mails-taken.txt"
    record.touch()
    arguments: Sequence[str] = ("--servers", str(count), "--record", str(record), "--seed", str(seed))
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "chaos.mail_server", *arguments,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, cwd=ROOT,
    )  # fmt: skip
    assert process.stdout is not None
    ports = json.loads(await process.stdout.readline())["ports"]
    servers = MailServers(process, record, ports)
    try:
        yield servers
    finally:
        await servers.end()
