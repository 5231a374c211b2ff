"""What a mail server can do wrong, and at which moment of a session."""

import signal
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Self


class Moment(StrEnum):
    """A moment of a session, as the server sees it."""

    CONNECT = "connect"
    """A client has connected; the greeting is due."""
    EHLO = "ehlo"
    MAIL = "mail"
    RCPT = "rcpt"
    DATA = "data"
    """The command was heard; 354 is due."""
    BODY = "body"
    """A part of the message has come."""
    DOT = "dot"
    """The whole message has come; the reply is due."""
    REPLIED = "replied"
    """The final 250 is on its way."""


class Kind(StrEnum):
    """What the server does in place of the reply that is due."""

    CLOSE = "close"
    """Close the connection."""
    BYE = "bye"
    """421, and close."""
    SILENT = "silent"
    """Say nothing for ever."""
    HALF_OPEN = "half-open"
    """As if the machine were gone: nothing is read and nothing said, and the connection stays."""
    TARPIT = "tarpit"
    """The reply, one byte a second."""
    SLOW = "slow"
    """The reply, after some seconds."""
    GARBAGE = "garbage"
    """Bytes that are no reply."""
    ENDLESS = "endless"
    """A reply of ever more lines."""
    UNASKED = "unasked"
    """The reply, and one more that nobody asked for. A mail that follows is refused at its dot."""
    LATER = "later"
    """4xx."""
    NEVER = "never"
    """5xx."""
    SIGNAL = "signal"
    """Send a signal to Ringpost, and then the reply."""


PLACES: dict[Kind, tuple[Moment, ...]] = {
    Kind.CLOSE: tuple(Moment),
    Kind.BYE: (Moment.CONNECT, Moment.EHLO, Moment.MAIL, Moment.RCPT, Moment.DATA, Moment.DOT, Moment.REPLIED),
    Kind.SILENT: tuple(Moment),
    Kind.HALF_OPEN: tuple(Moment),
    Kind.TARPIT: (Moment.CONNECT, Moment.EHLO, Moment.MAIL, Moment.RCPT, Moment.DATA, Moment.DOT),
    Kind.SLOW: (Moment.CONNECT, Moment.EHLO, Moment.MAIL, Moment.RCPT, Moment.DATA, Moment.DOT),
    Kind.GARBAGE: (Moment.CONNECT, Moment.EHLO, Moment.MAIL, Moment.RCPT, Moment.DATA, Moment.DOT),
    Kind.ENDLESS: (Moment.EHLO,),
    Kind.UNASKED: (Moment.EHLO, Moment.MAIL, Moment.RCPT, Moment.DATA),
    Kind.LATER: (Moment.CONNECT, Moment.MAIL, Moment.RCPT, Moment.DATA, Moment.DOT),
    Kind.NEVER: (Moment.RCPT, Moment.DATA, Moment.DOT),
    Kind.SIGNAL: tuple(Moment),
}
"""Where each makes sense."""


@dataclass(frozen=True, slots=True)
class Mischief:
    """One thing that goes wrong."""

    kind: Kind
    moment: Moment
    share: float = 1.0
    """Of the times when it could."""
    times: int | None = None
    """At most so often; None: no end."""
    pids: tuple[int, ...] = ()
    """Who gets the signal."""
    signal: int = signal.SIGKILL

    def to_json(self) -> dict[str, Any]:
        """For the way to the server's process."""
        return asdict(self)

    @classmethod
    def from_json(cls, found: dict[str, Any]) -> Self:
        """What `to_json` made."""
        return cls(
            Kind(found["kind"]),
            Moment(found["moment"]),
            share=found["share"],
            times=found["times"],
            pids=tuple(found["pids"]),
            signal=found["signal"],
        )
