"""What an SMTP server says, taken apart as it arrives. No I/O."""

import re
from typing import Final

from ringpost.domain.traps import Trap, reaching
from ringpost.transports.words import clean

MAX_LINE: Final = 2048
"""Octets of one reply line with its line end. RFC 5321 4.5.3.1.5 says 512; real servers say more."""
MAX_REPLY: Final = 65536
"""Octets of one reply with all its lines."""

_ENHANCED: Final = {kind: re.compile(rb"%d\.\d{1,3}\.\d{1,3}(?= |$)" % kind) for kind in (2, 4, 5)}
_TOO_EARLY = re.compile(r"pipelin|synchroni[sz]ation", re.IGNORECASE)
_BEGINNINGS: Final = {
    b"%d%b" % (code, mark): (code, mark == b"-") for code in range(200, 600) for mark in (b" ", b"-", b"")
}
"""How a line begins -> its code, and whether the reply goes on. Looked up: a pattern takes three times as long."""


class Reply:
    """One complete reply (RFC 5321 4.2): its code and the text of each line, without codes and line ends."""

    __slots__ = ("code", "lines")

    def __init__(self, code: int, lines: tuple[bytes, ...]) -> None:
        self.code = code
        self.lines = lines

    @property
    def enhanced_code(self) -> str | None:
        """The enhanced status code (RFC 3463), only when its class equals the first digit of the reply code."""
        pattern = _ENHANCED.get(self.code // 100)
        found = pattern and pattern.match(self.lines[0])
        return found[0].decode("ascii") if found else None

    @property
    def text(self) -> str:
        """The server's words in one line, cleaned and cut to 512 octets."""
        return clean(b" ".join(self.lines))

    @property
    def blames_pipelining(self) -> bool:
        """Whether it refuses because a command came before the answer to the one before (Exim, Postfix and others)."""
        return self.code // 100 == 5 and _TOO_EARLY.search(self.text) is not None

    def __repr__(self) -> str:
        return f"Reply({self.code}, {self.text!r})"


class Garbage:
    """Bytes that are no reply, or a reply that nobody asked for. Nothing after it on this connection can be trusted."""

    __slots__ = ("why",)

    def __init__(self, why: Trap) -> None:
        self.why = why

    def __repr__(self) -> str:
        return f"Garbage({self.why.code})"


class ReplyParser:
    """Cuts a stream of bytes into replies. After Garbage it takes nothing more."""

    __slots__ = ("_broken", "_code", "_lines", "_rest", "_size")

    def __init__(self) -> None:
        self._rest = b""
        self._lines: list[bytes] = []
        self._code = 0
        self._size = 0
        self._broken = False

    @property
    def partial(self) -> bool:
        """True while a reply has begun and not ended."""
        return bool(self._rest or self._lines)

    def feed(self, data: bytes) -> list[Reply | Garbage]:
        """The replies that `data` completes, in order; a Garbage is always the last."""
        if self._broken:
            return []
        lines = (self._rest + data).split(b"\n")
        self._rest = lines.pop()
        found: list[Reply | Garbage] = []
        for line in lines:
            one = self._take(line)
            if one is not None:
                found.append(one)
                if self._broken:
                    return found
        if len(self._rest) > MAX_LINE:
            found.append(self._give_up(reaching.REPLY_TOO_LONG))
        return found

    def _take(self, line: bytes) -> Reply | Garbage | None:
        line = line.removesuffix(b"\r")
        beginning = _BEGINNINGS.get(line[:4])
        if beginning is None or len(line) > MAX_LINE - 2:
            return self._give_up(reaching.NOT_SMTP)
        code, goes_on = beginning
        if not goes_on and not self._lines:
            return Reply(code, (line[4:],))
        self._size += len(line) + 2
        if self._lines and code != self._code:
            return self._give_up(reaching.NOT_SMTP)
        if self._size > MAX_REPLY:
            return self._give_up(reaching.REPLY_TOO_LONG)
        self._code = code
        self._lines.append(line[4:])
        if goes_on:
            return None
        reply = Reply(code, tuple(self._lines))
        self._lines.clear()
        self._size = 0
        return reply

    def _give_up(self, why: Trap) -> Garbage:
        self._broken = True
        self._rest = b""
        self._lines.clear()
        return Garbage(why)
