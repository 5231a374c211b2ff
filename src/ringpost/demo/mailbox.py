"""A mail server that keeps what it is given, in memory: the demo tenant's."""

import asyncio
import itertools
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from functools import cached_property
from typing import Any, Final

from aiosmtpd.smtp import SMTP

KEPT: Final = 500
"""Mails kept; the oldest go first."""
LARGEST: Final = 20 * 1024 * 1024


@dataclass(frozen=True)
class Mail:
    """One mail as it came."""

    number: int
    sender: str
    recipient: str
    received_at: float
    """Seconds since 1970."""
    raw: bytes

    @cached_property
    def message(self) -> EmailMessage:
        """The mail, read."""
        return message_from_bytes(self.raw, policy=default)  # type: ignore[return-value]  # the policy makes it one

    @property
    def delivery(self) -> str:
        """Id of its delivery: Ringpost writes it into the Message-ID."""
        return self.header("Message-ID").strip("<>").partition("@")[0]

    def header(self, name: str) -> str:
        """A header's text; empty when there is none."""
        return str(self.message.get(name, ""))


@dataclass
class Mailbox:
    """All mails, the newest last. It is a handler of aiosmtpd, which calls `handle_DATA`."""

    mails: deque[Mail] = field(default_factory=lambda: deque[Mail](maxlen=KEPT))
    on_arrival: Callable[[Mail], None] | None = None
    _numbers: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802  aiosmtpd's name
        """Keep a mail, once for each of its recipients."""
        for recipient in envelope.rcpt_tos:
            mail = Mail(next(self._numbers), envelope.mail_from, recipient, time.time(), envelope.original_content)
            self.mails.append(mail)
            if self.on_arrival is not None:
                self.on_arrival(mail)
        return "250 2.0.0 It is in the mailbox"

    def find(self, number: int) -> Mail | None:
        """The mail with this number, when it is still kept."""
        return next((mail for mail in self.mails if mail.number == number), None)

    def of_delivery(self, delivery: str) -> Mail | None:
        """The mail of a delivery, when it has arrived."""
        return next((mail for mail in self.mails if mail.delivery == delivery), None)


async def open_mail_server(mailbox: Mailbox) -> tuple[asyncio.Server, int]:
    """A mail server on a free port of this machine, and that port."""
    loop = asyncio.get_running_loop()

    def session() -> SMTP:
        return SMTP(
            mailbox,
            data_size_limit=LARGEST,
            enable_SMTPUTF8=True,
            hostname="mail.northwind.example.com",
            ident="Northwind mailbox",
            loop=loop,
        )

    server = await loop.create_server(session, "127.0.0.1", 0)
    return server, server.sockets[0].getsockname()[1]
