"""A message is the rendered content of one event: everything of the mail but the headers that depend on the mail server."""

from dataclasses import dataclass

from ringpost.domain.addresses import Address


@dataclass(frozen=True, slots=True)
class Envelope:
    """Who it comes from and who it goes to, as SMTP sees it (RFC 5321 2.3.1: reverse-path and forward-path)."""

    sender: Address
    recipient: Address


@dataclass(frozen=True, slots=True)
class Message:
    """Rendered content, the same at every attempt and for every recipient."""

    from_name: str
    """Display name of the sender, one line of plain text; may be empty."""
    message_id_domain: str
    """Right side of the Message-ID, an A-label host name."""
    content: bytes
    """Subject, Date, MIME and automatic-mail headers and the body, CRLF lines of at most 76 octets (headers 78)."""
