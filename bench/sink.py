"""The mail server that all contenders send to: smtp-sink of Postfix, which says itself how many mails it has taken."""

import asyncio
import fcntl
import os
import re
import shutil
import socket
import sys
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final, cast

from bench import machine

_F_SETPIPE_SZ: Final = 1031
_LOOK_S: Final = 0.01
_COUNTER: Final = re.compile(rb"mesg=(\d+)")


class Sink:
    """A running mail server that counts and throws away."""

    def __init__(self, port: int, counters: IO[bytes]) -> None:
        self.port = port
        self.taken = 0
        """Mails so far."""
        self._counters = counters
        self._reading = threading.Thread(target=self._read, daemon=True)
        self._reading.start()

    def wait_until(self, taken: int, patience_s: float) -> float:
        """The time (`time.monotonic`) at which so many mails were taken. Raises TimeoutError."""
        deadline = time.monotonic() + patience_s
        while self.taken < taken:
            if time.monotonic() > deadline:
                raise TimeoutError(f"the mail server has only {self.taken} of {taken} mails after {patience_s:.0f} s")
            time.sleep(_LOOK_S)
        return self.at

    def join(self) -> None:
        """Wait until the last counters were read, after the sink has ended."""
        self._reading.join(5)

    at = 0.0
    """When the counter was last seen to change."""

    def _read(self) -> None:
        """Empty the pipe a hundred times a second, which costs the sink one write for each mail and us nothing."""
        fcntl.fcntl(self._counters, _F_SETPIPE_SZ, 1 << 20)
        rest = b""
        while text := os.read(self._counters.fileno(), 1 << 20):
            self.at = time.monotonic()
            rest = rest[-40:] + text
            if found := _COUNTER.findall(rest[: rest.rfind(b"\r") + 1]):
                self.taken = int(found[-1])
            time.sleep(_LOOK_S)


@contextmanager
def running_sink(log: Path) -> Generator[Sink]:
    """smtp-sink; where Postfix's tools are not installed, one of ours in a process of its own."""
    binary = shutil.which("smtp-sink", path=machine.PATH)
    port = machine.free_port()
    # As root smtp-sink insists on being told whom to become. -m: connections at once; the last: the backlog.
    user = ["-u", "nobody"] if os.geteuid() == 0 else []
    command = (
        [binary, *user, "-c", "-m", "1024", f"127.0.0.1:{port}", "4096"]
        if binary
        else [sys.executable, "-m", "bench.sink", str(port)]
    )
    reading, writing = os.pipe()
    pinned = machine.pinned(command, machine.cores().load)
    with os.fdopen(reading, "rb") as counters:
        with machine.process(pinned, log, stdout=writing, cwd=machine.ROOT) as started:
            os.close(writing)
            machine.wait_for(port, started)
            running = Sink(port, counters)
            yield running
        running.join()


@contextmanager
def capturing() -> Generator[tuple[int, list[bytes]]]:
    """The port of a mail server in this process, and the mails that it takes: what DATA brought, to the final dot."""
    mails: list[bytes] = []
    loop = asyncio.new_event_loop()
    listener = socket.create_server(("127.0.0.1", 0))
    loop.run_until_complete(loop.create_server(lambda: _Protocol(mails), sock=listener))
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield int(listener.getsockname()[1]), mails
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        listener.close()


class _Protocol(asyncio.Protocol):
    """Says yes to everything. With no list to keep mails in, it prints counters as smtp-sink does."""

    def __init__(self, kept: list[bytes] | None = None) -> None:
        self._kept = kept
        self._rest = b""
        self._in_data = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._write = cast("asyncio.WriteTransport", transport).write
        self._write(b"220 sink.example\r\n")

    def data_received(self, data: bytes) -> None:
        rest = self._rest + data
        while True:
            end = b"\r\n.\r\n" if self._in_data else b"\r\n"
            at = rest.find(end)
            if at < 0:
                break
            line, rest = rest[:at], rest[at + len(end) :]
            if self._in_data:
                self._take(line + b"\r\n")
            self._answer(b"." if self._in_data else line[:4].upper())
        self._rest = rest

    def _take(self, mail: bytes) -> None:
        if self._kept is not None:
            self._kept.append(mail)
        else:
            _Protocol.count += 1
            os.write(1, b"mesg=%d\r" % _Protocol.count)

    count = 0

    def _answer(self, verb: bytes) -> None:
        self._in_data = verb == b"DATA"
        if verb == b"EHLO":
            self._write(b"250-sink.example\r\n250 PIPELINING\r\n")
        else:
            self._write(b"354 go\r\n" if self._in_data else b"221 bye\r\n" if verb == b"QUIT" else b"250 ok\r\n")


async def _serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(_Protocol, "127.0.0.1", port, backlog=4096)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1])))
