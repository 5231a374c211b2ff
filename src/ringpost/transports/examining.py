"""What a doctor examines, and what it is to a use case."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from ringpost.domain.addresses import Address
from ringpost.domain.diagnosis import SMTP_STEPS, Step, skipped
from ringpost.domain.endpoints import Endpoint


@dataclass(frozen=True, slots=True)
class Case:
    """A mail server, and the addresses of a mail that would go through it."""

    endpoint: Endpoint
    sender: Address
    recipient: Address | None = None
    """Whom to try RCPT with; nothing is sent."""
    reply_to: Address | None = None
    """No server is told of it, but not every server takes a mail with it (RFC 6531 3.4)."""
    ask_domain: bool = True
    """Whether to look at the sender's domain as well."""


Examine = Callable[[Case], AsyncIterator[Step]]
"""Yields the steps while they are made."""


async def no_doctor(_case: Case) -> AsyncIterator[Step]:
    """For a room without a way out."""
    for step in skipped(SMTP_STEPS, "There is no doctor here."):
        yield step
