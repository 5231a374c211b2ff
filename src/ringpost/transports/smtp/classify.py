"""From what happened to an Outcome, by the table of outcomes. No I/O.

| condition | whose | what |
|---|---|---|
| no file descriptor or memory here for a connection | network | retry |
| anything else before MAIL; 421, a drop or garbage before the final dot | mail_server | retry |
| 454 and other 4xx at AUTH | mail_server | retry |
| 530, 534, 535, 538 anywhere, other 5xx at AUTH | configuration | retry |
| 4xx / 5xx at MAIL, DATA, final dot | message | retry / rejected |
| 4xx / 5xx at RCPT (552 counts as 4xx) | recipient | retry / rejected |
| lost touch after the final dot | nobody's | retry, ambiguous |

What is unknown is temporary.
"""

import socket
import ssl
from base64 import b64encode

from ringpost.domain.deliveries import REJECTED, RETRY, SENT, Outcome, Party, Stage
from ringpost.domain.endpoints import SmtpEndpoint
from ringpost.domain.secrets import Secret
from ringpost.domain.traps import Trap, mail, reaching
from ringpost.transports.connecting import lacks_room, no_room, trap_of_tls
from ringpost.transports.egress import EgressError
from ringpost.transports.smtp import hints
from ringpost.transports.smtp.replies import Reply
from ringpost.transports.words import clean

_LOGIN_NEEDED = frozenset({530, 534, 535, 538})
_OPENING = frozenset({Stage.RESOLVE, Stage.CONNECT, Stage.GREETING, Stage.TLS, Stage.EHLO})
_BUSY = frozenset({452, 552})
_NOT_ANSWERED = frozenset({socket.EAI_AGAIN, socket.EAI_FAIL, socket.EAI_MEMORY, socket.EAI_SYSTEM})
"""What look-ups end with that say nothing of the name (getaddrinfo(3))."""
_LESS = ("4.3.2", "4.7.")
"""Enhanced codes that go with too many connections, as they begin."""


class Judge:
    """Makes outcomes for one endpoint. Knows its password only to keep it out of what servers echo."""

    __slots__ = ("_oauth", "_secrets")

    def __init__(self, endpoint: SmtpEndpoint, token: Secret | None = None) -> None:
        self._oauth = endpoint.oauth
        secret = token or endpoint.password
        self._secrets = _forms_of_secret(endpoint.username, secret) if secret else ()

    def sent(self, reply: Reply) -> Outcome:
        """The server took the mail."""
        return Outcome(SENT, Stage.ACCEPTED, None, reply.code, reply.enhanced_code, self.words(reply))

    def refused(self, stage: Stage, reply: Reply) -> Outcome:
        """The answer was a refusal, or one that does not fit its command."""
        party, rejected = _whose(stage, reply.code)
        trap = hints.for_reply(stage, reply)
        if self._oauth is not None and stage is Stage.AUTH and party is Party.CONFIGURATION:
            trap = hints.for_token_login(self._oauth)
        return Outcome(
            REJECTED if rejected else RETRY,
            stage,
            party,
            reply.code,
            reply.enhanced_code,
            self.words(reply),
            trap.hint,
            trap=trap.code,
        )

    def words(self, reply: Reply) -> str:
        """The server's words without our password in any form."""
        raw = b" ".join(reply.lines)
        for secret in self._secrets:
            # Before the text is cut, or half of a secret could stay at its end.
            raw = raw.replace(secret, b"***")
        return clean(raw)


def server_failed(stage: Stage, trap: Trap, words: str = "") -> Outcome:
    """The mail server or the way to it failed; it waits without using up attempts."""
    return Outcome(RETRY, stage, Party.MAIL_SERVER, reply=words, hint=trap.hint, trap=trap.code)


def misconfigured(stage: Stage, trap: Trap) -> Outcome:
    """Somebody has to change the settings."""
    return Outcome(RETRY, stage, Party.CONFIGURATION, hint=trap.hint, trap=trap.code)


def asks_for_fewer(outcome: Outcome) -> bool:
    """Whether a connection was refused in a way that may mean that there are others: 421, or 4xx before MAIL."""
    before_mail = outcome.stage in _OPENING or outcome.stage is Stage.AUTH
    return outcome.code == 421 or (before_mail and (outcome.enhanced_code or "").startswith(_LESS))


def ambiguous() -> Outcome:
    """Lost touch after the final dot."""
    return Outcome(RETRY, Stage.ACCEPTED, hint=mail.LOST_AFTER_DOT.hint, ambiguous=True, trap=mail.LOST_AFTER_DOT.code)


def too_large(size: int, limit: int) -> Outcome:
    """The server has said that it takes no mail of this size."""
    hint = f"{mail.MAIL_TOO_LARGE.hint} It has {size} bytes; the mail server accepts {limit} bytes."
    return Outcome(REJECTED, Stage.MAIL_FROM, Party.MESSAGE, hint=hint, trap=mail.MAIL_TOO_LARGE.code)


def no_smtputf8(*, recipient: bool) -> Outcome:
    """An address, the recipient's or else the sender's, needs an extension that is not offered (RFC 6531 3.1)."""
    trap = mail.SMTPUTF8_MISSING
    if recipient:
        return Outcome(REJECTED, Stage.RCPT_TO, Party.RECIPIENT, hint=trap.hint, trap=trap.code)
    return Outcome(REJECTED, Stage.MAIL_FROM, Party.MESSAGE, hint=trap.hint, trap=trap.code)


def unwritable() -> Outcome:
    """The mail or an address cannot be put in SMTP without danger."""
    return Outcome(REJECTED, Stage.MAIL_FROM, Party.MESSAGE, hint=mail.UNWRITABLE.hint, trap=mail.UNWRITABLE.code)


def for_error(stage: Stage, error: Exception, port: int = 0) -> Outcome:
    """What a failure to resolve, connect or encrypt means."""
    if isinstance(error, EgressError):
        return misconfigured(stage, reaching.NOT_ALLOWED)
    if lacks_room(error):
        return no_room(stage)
    if stage is Stage.RESOLVE:
        away = isinstance(error, TimeoutError) or getattr(error, "errno", None) in _NOT_ANSWERED
        return server_failed(stage, reaching.DNS_TIMEOUT if away else reaching.NAME_NOT_FOUND)
    if isinstance(error, ssl.SSLError) or stage is Stage.TLS:
        return server_failed(Stage.TLS, trap_of_tls(error))
    return server_failed(stage, _no_connection(error, port))


def _no_connection(error: Exception, port: int) -> Trap:
    if isinstance(error, ConnectionRefusedError):
        return reaching.CONNECTION_REFUSED
    if port == 25:
        return reaching.PORT_25_BLOCKED
    return reaching.CONNECT_TIMEOUT if isinstance(error, TimeoutError) else reaching.HOST_UNREACHABLE


def for_timeout(stage: Stage, port: int = 0) -> Outcome:
    """The server did not answer a command in time, or the name server or `port` did not answer at all."""
    if stage in (Stage.RESOLVE, Stage.CONNECT):
        return for_error(stage, TimeoutError(), port)
    return server_failed(stage, reaching.GREETING_TIMEOUT if stage is Stage.GREETING else reaching.TIMEOUT)


def for_drop(stage: Stage) -> Outcome:
    """The connection ended before the final dot."""
    return server_failed(stage, reaching.CLOSED_BEFORE_GREETING if stage is Stage.GREETING else reaching.CLOSED_EARLY)


def _whose(stage: Stage, code: int) -> tuple[Party, bool]:
    """Whose failure it is, and whether it is for good."""
    if code == 421 or stage in _OPENING:
        return Party.MAIL_SERVER, False
    if code in _LOGIN_NEEDED:
        return Party.CONFIGURATION, False
    permanent = code // 100 == 5
    if stage is Stage.AUTH:
        return (Party.CONFIGURATION if permanent else Party.MAIL_SERVER), False
    if stage is Stage.RCPT_TO:
        return Party.RECIPIENT, permanent and code not in _BUSY
    return Party.MESSAGE, permanent


def _forms_of_secret(username: str, secret: Secret) -> tuple[bytes, ...]:
    text, name = secret.reveal().encode("utf-8", "replace"), username.encode("utf-8", "replace")
    plain, xoauth2 = b"\0" + name + b"\0" + text, b"user=" + name + b"\x01auth=Bearer " + text + b"\x01\x01"
    # Without the padding, which an echo may have lost. Longest first: a form may hold another.
    encoded = (b64encode(form).rstrip(b"=") for form in (text, plain, xoauth2))
    return tuple(sorted({text, *encoded}, key=len, reverse=True))
