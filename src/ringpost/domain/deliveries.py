"""A delivery is one message to one recipient. It has a state; every try at it is an attempt with an outcome.

    queued ──claim──▶ sending ──▶ sent        a server accepted it; nobody knows more, so we never say delivered
      ▲  ▲              │ ├─────▶ rejected    a server refused it for good, or it was set aside after 5 broken claims
      │  └── try later ─┘ └─────▶ expired     its time ran out (also straight from queued)
      └── retry by hand ── rejected, expired, cancelled
    queued ──────────────────────▶ cancelled  by hand

A worker that dies leaves its deliveries in `sending` under a lease; when the lease has run out they go back to
`queued` with an attempt that says so.
"""

from dataclasses import dataclass
from enum import IntEnum, StrEnum


class State(StrEnum):
    """Where a delivery stands. The same words stand in the schema's CHECK constraint."""

    QUEUED = "queued"
    SENDING = "sending"
    SENT = "sent"
    REJECTED = "rejected"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


OPEN_STATES = frozenset({State.QUEUED, State.SENDING})
"""The states of the outbox: what has not ended."""


class Urgency(IntEnum):
    """The class of an event; the smaller, the sooner."""

    EMERGENCY = 0
    ALERT = 1
    NORMAL = 2

    @property
    def word(self) -> str:
        """What it is called outside of the code."""
        return self.name.lower()


class Verdict(StrEnum):
    """What an attempt means for its delivery."""

    SENT = "sent"
    RETRY = "retry"
    REJECTED = "rejected"


class Party(StrEnum):
    """Whose fault a failure is, and with that who can mend it and what else it holds up."""

    RECIPIENT = "recipient"
    MESSAGE = "message"
    MAIL_SERVER = "mail_server"
    CONFIGURATION = "configuration"
    NETWORK = "network"


class Stage(StrEnum):
    """How far an attempt came. These words are part of the API."""

    RESOLVE = "resolve"
    CONNECT = "connect"
    GREETING = "greeting"
    TLS = "tls"
    EHLO = "ehlo"
    AUTH = "auth"
    MAIL_FROM = "mail_from"
    RCPT_TO = "rcpt_to"
    DATA = "data"
    ACCEPTED = "accepted"
    TOKEN = "token"  # noqa: S105  the stage of fetching an OAuth token
    API = "api"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one attempt. A failure is a value, not an exception."""

    verdict: Verdict
    stage: Stage
    party: Party | None = None
    """Whose failure it is; None when sent, and when nobody can know (ambiguous)."""
    code: int | None = None
    """The basic reply code (RFC 5321 4.2.1) or HTTP status."""
    enhanced_code: str | None = None
    """The enhanced status code, such as `5.7.1` (RFC 3463); only when its class agrees with the basic code."""
    reply: str = ""
    """The server's words, cleaned of control characters, at most 512 bytes."""
    hint: str = ""
    """Our words: what to change, for someone who is no mail expert."""
    ambiguous: bool = False
    """The server may have the mail: we lost touch after the final dot."""
    retry_after: float | None = None
    """Seconds to wait at least, when the server said so."""
    trap: str = ""
    """Code of the failure in the catalogue (`domain.traps`), as far as it is there."""
    dialogue: str = ""
    """What was said on the connection, a line each, `C:` we and `S:` the server; only when the mail was not taken."""


SENT = Verdict.SENT
RETRY = Verdict.RETRY
REJECTED = Verdict.REJECTED
