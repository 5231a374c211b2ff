"""Mail servers that misbehave as told, in a process of their own, which outlives every kill of Ringpost.

Each port is one server. Every mail that one took responsibility for is recorded before anything is answered, also when
the answer is then withheld: a line with the times when it was taken and when its message began to arrive, Message-ID,
recipient, and whether 250 was said at once. Orders come as lines of JSON on stdin and are answered on stdout; when
stdin ends, so does this.
"""

import argparse
import asyncio
import json
import os
import random
import re
import socket
import sys
import time
from pathlib import Path
from typing import Any, TextIO, cast

import uvloop

from chaos.mischief import Kind, Mischief, Moment

CAPABILITIES = b"250-mx.example.com\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SIZE 20000000\r\n"
SLOW_S = 0.3, 2.5
FLUSH_EVERY_S = 0.1
_MESSAGE_ID = re.compile(rb"^Message-ID:\s+(\S+)\r$", re.MULTILINE | re.IGNORECASE)
_PATH = re.compile(rb"TO:<([^>]*)>", re.IGNORECASE)
_KEEP_WAITING = {Kind.SILENT, Kind.HALF_OPEN, Kind.TARPIT, Kind.SLOW, Kind.ENDLESS}
_LATER = {Moment.CONNECT: b"421 4.3.2 Come back later\r\n"}


class Servers:
    """All servers of the process: what they do wrong, and what they took."""

    def __init__(self, record: TextIO, seed: int) -> None:
        self.random = random.Random(seed)  # noqa: S311  a run can be told by its seed
        self.mischief: dict[int, list[Mischief]] = {}
        self.sessions: set[Session] = set()
        self.misled: set[Session] = set()
        """Sessions that something was done to; healing ends them."""
        self._record = record
        self._left: dict[int, int] = {}

    def misbehave(self, port: int, mischief: list[Mischief]) -> None:
        """From now on, this goes wrong at a server, and nothing else."""
        for gone in self.mischief.get(port, ()):
            self._left.pop(id(gone), None)
        self.mischief[port] = mischief
        self._left.update({id(one): one.times for one in mischief if one.times is not None})

    def heal(self, ports: list[int]) -> None:
        """Nothing goes wrong any more; who was kept waiting is hung up on."""
        for port in ports:
            self.misbehave(port, [])
        self.hang_up(self.misled, ports)

    def hang_up(self, sessions: "set[Session]", ports: list[int]) -> None:
        """End those of these sessions that are at these servers."""
        for session in [one for one in sessions if one.port in ports]:
            session.hang_up()

    def choose(self, port: int, moment: Moment) -> Mischief | None:
        """What goes wrong now, if anything."""
        for one in self.mischief.get(port, ()):
            if one.moment is moment and self._left.get(id(one), 1) > 0 and self.random.random() < one.share:
                if one.times is not None:
                    self._left[id(one)] -= 1
                return one
        return None

    def took(self, message_id: str, recipient: str, *, began: float, said: bool) -> None:
        """A server has taken responsibility for a mail (RFC 5321 4.2.5) that began to arrive at that time."""
        fate = "said" if said else "withheld"
        self._record.write(f"{time.time():.3f} {began:.3f} {message_id} {recipient or 'none'} {fate}\n")

    def flush(self) -> None:
        """Let others read what was recorded."""
        self._record.flush()


class Session(asyncio.Protocol):
    """One client at one server."""

    def __init__(self, servers: Servers, port: int) -> None:
        self.port = port
        self._servers = servers
        self._input = bytearray()
        self._output: list[bytes] = []
        self._paused = False
        self._over = False
        self._in_body = False
        self._searched = 0
        self._begun = False
        """MAIL was accepted."""
        self._body_began: float | None = None
        """When the first octets of the message came."""
        self._recipient = ""
        self._lied = False

    # asyncio's hooks ----------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._servers.sessions.add(self)
        self._answer(Moment.CONNECT, b"220 mx.example.com ESMTP\r\n")
        self._write()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        self._over = True
        self._servers.misled.discard(self)
        self._servers.sessions.discard(self)

    def data_received(self, data: bytes) -> None:
        if self._in_body and self._body_began is None:
            self._body_began = time.time()
        self._input += data
        self._go_on()

    # The conversation ---------------------------------------------------------------------------------------------

    def hang_up(self) -> None:
        """End the connection without a word."""
        self._over = True
        self._transport.abort()

    def _go_on(self) -> None:
        while not (self._paused or self._over) and (self._take_message() if self._in_body else self._take_command()):
            pass
        self._write()

    def _write(self) -> None:
        if self._output and not self._transport.is_closing():
            self._transport.write(b"".join(self._output))
        self._output.clear()

    def _take_command(self) -> bool:
        end = self._input.find(b"\r\n")
        if end < 0:
            return False
        line = bytes(self._input[:end])
        del self._input[: end + 2]
        verb = line[:4].upper()
        if verb in (b"EHLO", b"HELO"):
            self._answer(Moment.EHLO, CAPABILITIES)
        elif verb == b"MAIL":
            self._recipient = ""
            self._begun = self._answer(Moment.MAIL, b"250 2.1.0 Ok\r\n")
        elif verb == b"RCPT" and not self._begun:
            self._output.append(b"503 5.5.1 MAIL first\r\n")
        elif verb == b"RCPT":
            path = _PATH.search(line)
            self._recipient = path[1].decode() if path else ""
            self._answer(Moment.RCPT, b"250 2.1.5 Ok\r\n")
        elif verb == b"DATA":
            self._begin_data()
        elif verb == b"QUIT":
            self._output.append(b"221 2.0.0 Bye\r\n")
            self._close()
        else:
            self._recipient = "" if verb == b"RSET" else self._recipient
            self._output.append(b"250 2.0.0 Ok\r\n")
        return True

    def _begin_data(self) -> None:
        if not self._recipient:
            self._output.append(b"503 5.5.1 RCPT first\r\n")
        elif self._answer(Moment.DATA, b"354 Go ahead\r\n"):
            self._in_body, self._searched = True, 0
            self._body_began = time.time() if self._input else None

    def _take_message(self) -> bool:
        if self._input.startswith(b".\r\n"):
            end, size = 0, 3
        else:
            end, size = self._input.find(b"\r\n.\r\n", max(0, self._searched - 4)), 5
            self._searched = len(self._input)
        if self._input and (wrong := self._servers.choose(self.port, Moment.BODY)):
            self._do(wrong, b"")
            return False
        if end < 0:
            return False
        message_id = _message_id(bytes(self._input[: end + 2]))
        del self._input[: end + size]
        self._in_body = False
        self._end_of_message(message_id)
        return True

    def _end_of_message(self, message_id: str) -> None:
        wrong = self._servers.choose(self.port, Moment.DOT)
        recipient, self._recipient = self._recipient, ""
        if self._lied:
            self._output.append(b"451 4.3.0 Not taken\r\n")
            return
        refused = wrong is not None and wrong.kind in (Kind.LATER, Kind.NEVER, Kind.BYE)
        if not refused:
            assert self._body_began is not None
            self._servers.took(message_id, recipient, began=self._body_began, said=wrong is None)
        if wrong is not None:
            self._do(wrong, b"250 2.0.0 Taken\r\n")
            return
        self._output.append(b"250 2.0.0 Taken\r\n")
        after = self._servers.choose(self.port, Moment.REPLIED)
        if after is not None:
            self._write()
            self._paused = True  # until the reply has left: the loop writes at the end of its turn
            asyncio.get_running_loop().call_later(0.001, self._do, after, b"")

    def _answer(self, moment: Moment, reply: bytes) -> bool:
        """Say `reply`, or do something else; True when the client is told that all is well."""
        wrong = self._servers.choose(self.port, moment)
        if wrong is None:
            self._output.append(reply)
            return True
        self._do(wrong, reply)
        return wrong.kind in (Kind.TARPIT, Kind.SLOW, Kind.SIGNAL, Kind.UNASKED)

    # What can go wrong --------------------------------------------------------------------------------------------

    def _do(self, wrong: Mischief, reply: bytes) -> None:
        self._servers.misled.add(self)
        if wrong.kind in _KEEP_WAITING:
            self._paused = True
            self._keep_waiting(wrong.kind, reply)
        else:
            self._reply_wrongly(wrong, reply)
        self._write()

    def _keep_waiting(self, kind: Kind, reply: bytes) -> None:
        match kind:
            case Kind.HALF_OPEN:
                self._transport.pause_reading()
            case Kind.TARPIT:
                self._drip(reply)
            case Kind.SLOW:
                asyncio.get_running_loop().call_later(self._servers.random.uniform(*SLOW_S), self._resume, reply)
            case Kind.ENDLESS:
                self._write_on()
            case _:  # silence
                pass

    def _reply_wrongly(self, wrong: Mischief, reply: bytes) -> None:
        match wrong.kind:
            case Kind.BYE:
                self._output.append(b"421 4.3.2 Going down\r\n")
                self._close()
            case Kind.GARBAGE:
                rng = self._servers.random
                self._output.append(b"\xff" + rng.randbytes(rng.randint(1, 200)) + b"\r\n")
            case Kind.UNASKED:
                self._lied = True
                self._output.append(reply + b"250 2.0.0 All is well\r\n")
            case Kind.LATER:
                self._refuse(_LATER.get(wrong.moment, b"451 4.7.1 Come back later\r\n"))
            case Kind.NEVER:
                self._refuse(b"554 5.7.1 Never\r\n")
            case Kind.SIGNAL:
                self._signal(wrong)
                if wrong.moment is Moment.BODY:  # the rest may be on its way already, and must not arrive
                    self.hang_up()
                else:
                    self._resume(reply)
            case _:  # close
                self._close()

    def _refuse(self, reply: bytes) -> None:
        self._recipient = ""
        self._output.append(reply)
        if reply.startswith(b"421"):
            self._close()

    def _signal(self, wrong: Mischief) -> None:
        for pid in wrong.pids:
            try:
                os.kill(pid, wrong.signal)
            except ProcessLookupError:
                continue
        tell(happened=wrong.kind, moment=wrong.moment, port=self.port)

    def _resume(self, reply: bytes) -> None:
        self._paused = False
        if not self._over:
            self._output.append(reply)
            asyncio.get_running_loop().call_soon(self._go_on)

    def _drip(self, reply: bytes) -> None:
        if self._over:
            return
        self._transport.write(reply[:1])
        if len(reply) > 1:
            asyncio.get_running_loop().call_later(1, self._drip, reply[1:])
        else:
            self._resume(b"")

    def _write_on(self) -> None:
        if not self._over:
            self._transport.write(b"250-AND-MORE\r\n" * 20)
            asyncio.get_running_loop().call_later(0.01, self._write_on)

    def _close(self) -> None:
        self._write()
        self._over = True
        self._transport.close()


def _message_id(message: bytes) -> str:
    found = _MESSAGE_ID.search(message)
    return found[1].decode() if found else "none"


def tell(**what: Any) -> None:
    """Tell whoever started this."""
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def obey(servers: Servers, order: dict[str, Any]) -> None:
    """Do what an order says, and say that it is done."""
    match order["do"]:
        case "misbehave":
            servers.misbehave(order["port"], [Mischief.from_json(one) for one in order["mischief"]])
        case "heal":
            servers.heal(order["ports"])
        case "hang_up":
            servers.hang_up(servers.sessions, order["ports"])
        case "flush":
            servers.flush()
        case unknown:
            raise ValueError(unknown)
    tell(done=order["number"])


async def main() -> None:
    """Serve until stdin ends."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--servers", type=int, default=1)
    parser.add_argument("--record", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    loop = asyncio.get_running_loop()
    with options.record.open("a") as record:
        servers = Servers(record, options.seed)
        ports: list[int] = []
        for _ in range(options.servers):
            listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
            port = int(listener.getsockname()[1])
            await loop.create_server(lambda port=port: Session(servers, port), sock=listener, backlog=1024)
            ports.append(port)
        tell(ports=ports)
        orders = asyncio.StreamReader()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
        flusher = loop.create_task(_flush_for_ever(servers))
        while line := await orders.readline():
            obey(servers, json.loads(line))
        flusher.cancel()


async def _flush_for_ever(servers: Servers) -> None:
    while True:
        servers.flush()
        await asyncio.sleep(FLUSH_EVERY_S)


if __name__ == "__main__":
    uvloop.run(main())
