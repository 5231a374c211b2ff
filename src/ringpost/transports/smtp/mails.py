"""A mail on its way through a connection, and how a server that can do this and that is told of it. No I/O."""

from asyncio import Future
from enum import IntEnum

from ringpost.domain.deliveries import Outcome
from ringpost.domain.messages import Envelope
from ringpost.transports.lease import ENDLESS, Lease, LeaseOver
from ringpost.transports.smtp import classify, commands
from ringpost.transports.smtp.capabilities import Capabilities
from ringpost.transports.smtp.replies import Reply


class Kind(IntEnum):
    """What a reply is awaited for."""

    RSET = 0
    MAIL = 1
    RCPT = 2
    DATA = 3
    DOT = 4
    EMPTY_DOT = 5


class Mail:
    """One mail on its way, and where its outcome goes."""

    __slots__ = ("ascii", "bare", "done", "envelope", "failure", "heard", "lease", "size", "stuffed", "urgent", "utf8")

    def __init__(
        self,
        envelope: Envelope,
        message: bytes,
        done: Future[Outcome],
        lease: Lease = ENDLESS,
        *,
        urgent: bool = False,
    ) -> None:
        """ValueError when the message has a bare CR or LF."""
        self.envelope = envelope
        self.stuffed = commands.stuffed(message)
        self.size = len(message)
        self.ascii = message.isascii()
        head_is_ascii = self.ascii or message.partition(b"\r\n\r\n")[0].isascii()
        self.utf8 = not head_is_ascii or commands.needs_smtputf8(envelope.sender, envelope.recipient)
        """Some address is not ASCII before the @, which may also be that of Reply-To (RFC 6531 3.4)."""
        self.done = done
        self.lease = lease
        self.urgent = urgent
        self.bare = False
        """The server did not understand a parameter of MAIL, so this goes without."""
        self.failure: Outcome | None = None
        """What an earlier reply of a group has decided; the later replies of the group still have to come."""

        self.heard: list[tuple[Kind, Reply]] = []
        """What was said of it on this connection, for who asks why it failed."""

    def settle(self, outcome: Outcome) -> None:
        """Tell the sender, unless it has gone away."""
        if not self.done.done():
            self.done.set_result(outcome)

    def let_go(self) -> None:
        """Tell the sender that it was not sent, and is no longer its own."""
        if not self.done.done():
            self.done.set_exception(LeaseOver())


class Phrases:
    """What is said of a mail to a server with these capabilities."""

    __slots__ = ("_capabilities",)

    def __init__(self, capabilities: Capabilities) -> None:
        self._capabilities = capabilities

    def impossible(self, mail: Mail) -> Outcome | None:
        """The outcome of a mail that this server has already said it cannot take; None when it may go."""
        limit = self._capabilities.size_limit
        if limit is not None and mail.size > limit:
            return classify.too_large(mail.size, limit)
        if mail.utf8 and not self._capabilities.smtputf8:
            return classify.no_smtputf8(recipient=not mail.envelope.recipient.local.isascii())
        return None

    def mail(self, mail: Mail, *, bare: bool | None = None) -> bytes:
        """The MAIL command, `bare` without what can be left out. ValueError when the sender cannot be written."""
        bare = mail.bare if bare is None else bare
        size = None if bare else mail.size
        eight_bit = not bare and not mail.ascii
        parameters = commands.mail_parameters(self._capabilities, size, utf8=mail.utf8, eight_bit=eight_bit)
        return commands.mail(mail.envelope.sender, parameters)

    def has_parameters(self, mail: Mail) -> bool:
        """Whether MAIL has parameters that can be left out."""
        return self._capabilities.size_offered or (self._capabilities.eight_bit_mime and not mail.ascii)
