"""The way out. A transport takes a message to one mail server and says what became of it."""

from typing import Protocol

from ringpost.domain.deliveries import Outcome
from ringpost.domain.messages import Envelope
from ringpost.transports.lease import ENDLESS, Lease


class Transport(Protocol):
    """One mail server in force. Safe for many concurrent sends; keeps its own connections."""

    async def send(self, envelope: Envelope, message: bytes, lease: Lease = ENDLESS) -> Outcome:
        """Try once to hand over a complete RFC 5322 message (CRLF lines, not dot-stuffed).

        Never raises for what a server or the network does: that is an Outcome. Raises asyncio.CancelledError only when
        cancelled by the caller, and LeaseOver when the mail was not handed over while the lease ran.
        """
        ...

    async def close(self) -> None:
        """Say goodbye (QUIT) to kept connections; takes at most 5 s (RFC 5321 sets no limit for QUIT)."""
        ...
