"""How fast mail goes to one SMTP sink, against the raw limit, interleaved in one run.

    python bench/send.py --messages 20000 --size 6144

Uses postfix's smtp-sink and smtp-source where they are installed; else a counting sink of our own in a process of its
own, and no raw limit. Machines are noisy: only ratios of one run mean anything.
"""

import argparse
import asyncio
import os
import shutil
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import cast

import uvloop

from ringpost.domain.addresses import Address
from ringpost.domain.deliveries import Verdict
from ringpost.domain.messages import Envelope
from ringpost.domain.settings import Auth, SmtpEndpoint, TlsMode
from ringpost.transports.smtp import SmtpOptions, SmtpTransport

PATH = "/usr/sbin:/usr/bin:/bin"
ENVELOPE = Envelope(
    Address("bench", "sender.example", "sender.example"), Address("rcpt", "recipient.example", "recipient.example")
)


def main() -> None:
    """Run the rounds and print medians and ranges in messages per second."""
    parser = argparse.ArgumentParser(description="Messages per second into one SMTP sink.")
    parser.add_argument("--messages", type=int, default=20000)
    parser.add_argument("--size", type=int, default=6144, help="bytes of a message")
    parser.add_argument("--connections", type=int, default=4)
    parser.add_argument("--concurrency", type=int, default=256, help="sends under way at once")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    source = shutil.which("smtp-source", path=PATH)
    raw: list[float] = []
    ours: list[float] = []
    with sink() as port:
        for _ in range(options.rounds):
            if source is not None:
                raw.append(run_source(source, port, options.messages, options.size))
            ours.append(uvloop.run(run_ours(port, options)))
    if raw:
        report("smtp-source, 8 sessions", raw)
    report(f"ringpost, {options.connections} connections", ours)
    if raw:
        report("ratio", [mine / theirs for mine, theirs in zip(ours, raw, strict=True)])


def run_source(source: str, port: int, messages: int, size: int) -> float:
    """Messages per second of smtp-source with kept connections."""
    command = [source, "-d", "-s", "8", "-l", str(size), "-m", str(messages), f"127.0.0.1:{port}"]
    begin = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return messages / (time.perf_counter() - begin)


async def run_ours(port: int, options: argparse.Namespace) -> float:
    """Messages per second of our transport, with a steady number of sends under way."""
    endpoint = SmtpEndpoint("127.0.0.1", port, TlsMode.CLEAR, Auth.DISABLE, "", None, restricted=False)
    transport = SmtpTransport(endpoint, SmtpOptions(ehlo_name="bench.example", connections=options.connections))
    content = message(options.size)
    left = iter(range(options.messages))

    async def sender() -> None:
        for _ in left:
            outcome = await transport.send(ENVELOPE, content)
            assert outcome.verdict is Verdict.SENT, outcome

    begin = time.perf_counter()
    await asyncio.gather(*(sender() for _ in range(options.concurrency)))
    seconds = time.perf_counter() - begin
    await transport.close()
    return float(options.messages / seconds)


def message(size: int) -> bytes:
    """A message of about `size` bytes in lines of 76."""
    head = b"From: bench@sender.example\r\nTo: rcpt@recipient.example\r\nSubject: bench\r\n\r\n"
    line = b"QUJD" * 19 + b"\r\n"
    return head + line * max(1, (size - len(head)) // len(line))


@contextmanager
def sink() -> Generator[int]:
    """A running sink's port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    binary = shutil.which("smtp-sink", path=PATH)
    # As root smtp-sink insists on being told whom to become.
    user = ["-u", "nobody"] if os.geteuid() == 0 else []
    command = (
        [binary, *user, f"127.0.0.1:{port}", "1000"] if binary else [sys.executable, __file__, "--sink", str(port)]
    )
    process = subprocess.Popen(command)
    try:
        _wait_for(port)
        yield port
    finally:
        process.terminate()
        process.wait()


def _wait_for(port: int) -> None:
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise SystemExit("The sink did not start.")


class OwnSink(asyncio.Protocol):
    """Says yes to everything and throws mail away."""

    def __init__(self) -> None:
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
            self._answer(b"." if self._in_data else line[:4].upper())
        self._rest = rest

    def _answer(self, verb: bytes) -> None:
        self._in_data = verb == b"DATA"
        if verb == b"EHLO":
            self._write(b"250-sink.example\r\n250 PIPELINING\r\n")
        else:
            self._write(b"354 go\r\n" if self._in_data else b"221 bye\r\n" if verb == b"QUIT" else b"250 ok\r\n")


async def serve(port: int) -> None:
    """Be the sink until ended."""
    server = await asyncio.get_running_loop().create_server(OwnSink, "127.0.0.1", port)
    await server.serve_forever()


def report(name: str, values: list[float]) -> None:
    """One line: median and range."""
    print(f"{name:60} median {statistics.median(values):10,.2f}   range {min(values):10,.2f} .. {max(values):10,.2f}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--sink"]:
        uvloop.run(serve(int(sys.argv[2])))
    else:
        main()
