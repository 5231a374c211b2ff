"""What a doctor examines."""

from dataclasses import dataclass

from ringpost.domain.addresses import Address
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
