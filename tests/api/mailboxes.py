"""A mail server for tests of test mails."""

from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope, Session


@dataclass
class Mailbox:
    """A mail server of this machine, and what it took."""

    host: str
    port: int
    mails: list[tuple[Envelope, EmailMessage]]
    refuse: str | None = None
    """What it answers to RCPT instead of 250."""

    def settings(self, **changes: Any) -> dict[str, Any]:
        """What to post to use it."""
        return {
            "type": "SMTP",
            "server": self.host,
            "port": self.port,
            "username": "pbx@example.com",
            "auth": "DISABLE",
            "enable_tls_ssl": False,
            **changes,
        }

    async def handle_RCPT(  # noqa: N802  aiosmtpd's name and parameters
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        """Take a recipient, or not."""
        if self.refuse:
            return self.refuse
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Take a mail."""
        assert isinstance(envelope.content, bytes)
        self.mails.append((envelope, message_from_bytes(envelope.content, policy=policy.default)))  # pyright: ignore[reportArgumentType]
        return "250 OK"
