"""A mail on its way through a connection."""

from asyncio import Future

from ringpost.domain.deliveries import Outcome
from ringpost.domain.messages import Envelope
from ringpost.transports.smtp import commands


class Mail:
    """One mail on its way, and where its outcome goes."""

    __slots__ = ("ascii", "bare", "done", "envelope", "failure", "frame", "size")

    def __init__(self, envelope: Envelope, message: bytes, done: Future[Outcome]) -> None:
        """ValueError when the message has a bare CR or LF."""
        self.envelope = envelope
        self.frame = commands.framed(message)
        self.size = len(message)
        self.ascii = message.isascii()
        self.done = done
        self.bare = False
        """The server did not understand a parameter of MAIL, so this goes without."""
        self.failure: Outcome | None = None
        """What an earlier reply of a group has decided; the later replies of the group still have to come."""

    def settle(self, outcome: Outcome) -> None:
        """Tell the sender, unless it has gone away."""
        if not self.done.done():
            self.done.set_result(outcome)
