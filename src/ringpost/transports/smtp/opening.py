"""From the greeting to a connection that takes mail, one step at a time. No I/O.

    greeting ─▶ EHLO (or HELO) ─▶ STARTTLS ─▶ TLS handshake ─▶ EHLO ─▶ AUTH ─▶ ready

`Opening` is told each reply and says what to do next. The caller carries it out; a diagnosis can show every step.
"""

from collections.abc import Callable
from dataclasses import dataclass

from ringpost.domain.credentials import Credentials
from ringpost.domain.deliveries import Outcome, Stage
from ringpost.domain.endpoints import Auth, SmtpEndpoint, TlsMode
from ringpost.domain.secrets import Secret
from ringpost.domain.traps import encryption, login
from ringpost.transports.smtp import commands, dialogue
from ringpost.transports.smtp.capabilities import NOTHING, Capabilities, read_capabilities
from ringpost.transports.smtp.classify import Judge, misconfigured, server_failed
from ringpost.transports.smtp.hints import for_token_login
from ringpost.transports.smtp.login import CONTINUE, XOAUTH2, Login, TokenLogin, choose_mechanisms
from ringpost.transports.smtp.replies import Garbage, Reply


@dataclass(frozen=True, slots=True)
class Say:
    """Send these bytes and wait for one reply."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Encrypt:
    """Do the TLS handshake now, then call `encrypted()`. Nothing may have been received after the last reply."""


@dataclass(frozen=True, slots=True)
class Ready:
    """The connection takes mail."""

    capabilities: Capabilities


@dataclass(frozen=True, slots=True)
class Failed:
    """The connection is of no use; close it."""

    outcome: Outcome


Step = Say | Encrypt | Ready | Failed


class Opening:
    """One run of the way from greeting to ready."""

    def __init__(
        self, endpoint: SmtpEndpoint, ehlo_name: str, *, clear_login: bool = False, token: Secret | None = None
    ) -> None:
        """`clear_login`: the operator permits a login without encryption where the endpoint is TlsMode.CLEAR.

        `token`: the access token for an endpoint that logs in with one.
        """
        self.stage = Stage.GREETING
        self.capabilities = NOTHING
        self._endpoint = endpoint
        self._name = ehlo_name
        self._clear_login = clear_login and endpoint.tls is TlsMode.CLEAR
        self._token = token
        self.judge = Judge(endpoint, token)
        self._encrypted = endpoint.tls is TlsMode.IMPLICIT
        self._next: Callable[[Reply], Step] = self._greeted
        self._mechanisms: list[str] = []
        self._login: Login | TokenLogin | None = None

    def shown(self, said: bytes | Reply | Garbage) -> str:
        """What we or the server said, without secrets."""
        if not isinstance(said, bytes):
            return dialogue.theirs(said, self.judge)
        in_login = self.stage is Stage.AUTH and said[:5].upper() != b"AUTH "
        return dialogue.hidden() if in_login else dialogue.ours(said)

    def receive(self, reply: Reply | Garbage) -> Step:
        """What to do after this reply."""
        if isinstance(reply, Garbage):
            return Failed(server_failed(self.stage, reply.why))
        return self._next(reply)

    def encrypted(self) -> Step:
        """What to do after the TLS handshake: everything said in clear is forgotten (RFC 3207 4.2)."""
        self._encrypted = True
        self.capabilities = NOTHING
        return self._say_ehlo()

    def _greeted(self, reply: Reply) -> Step:
        return self._say_ehlo() if reply.code == 220 else self._refused(reply)

    def _say_ehlo(self) -> Step:
        self.stage = Stage.EHLO
        self._next = self._ehlo_answered
        return Say(commands.ehlo(self._name))

    def _ehlo_answered(self, reply: Reply) -> Step:
        if reply.code == 250:
            self.capabilities = read_capabilities(reply)
            return self._secure()
        if reply.code in (500, 502):
            self._next = self._helo_answered
            return Say(commands.helo(self._name))
        return self._refused(reply)

    def _helo_answered(self, reply: Reply) -> Step:
        return self._secure() if reply.code == 250 else self._refused(reply)

    def _secure(self) -> Step:
        if self._encrypted or self._endpoint.tls is TlsMode.CLEAR:
            return self._log_in()
        if self.capabilities.starttls:
            self.stage = Stage.TLS
            self._next = self._starttls_answered
            return Say(commands.STARTTLS)
        if self._endpoint.tls is TlsMode.OPPORTUNISTIC:
            return self._log_in()
        return Failed(server_failed(Stage.TLS, encryption.STARTTLS_NOT_OFFERED))

    def _starttls_answered(self, reply: Reply) -> Step:
        # Also when encryption is only wanted: a refusal here may be somebody on the way who forges it.
        return Encrypt() if reply.code == 220 else self._refused(reply)

    def _log_in(self) -> Step:
        endpoint = self._endpoint
        if endpoint.auth is Auth.DISABLE and endpoint.oauth is None:
            return Ready(self.capabilities)
        self.stage = Stage.AUTH
        if not (self._encrypted or self._clear_login):
            return Failed(misconfigured(Stage.AUTH, login.LOGIN_IN_CLEAR))
        if endpoint.oauth is not None:
            return self._log_in_with_token(endpoint.oauth)
        if not endpoint.password or not endpoint.username:
            return Failed(misconfigured(Stage.AUTH, login.NO_PASSWORD))
        self._mechanisms = choose_mechanisms(endpoint.auth, self.capabilities.login)
        if not self._mechanisms:
            return Failed(misconfigured(Stage.AUTH, login.AUTH_NOT_OFFERED))
        return self._try_login()

    def _log_in_with_token(self, credentials: Credentials) -> Step:
        if XOAUTH2 not in self.capabilities.login:
            return Failed(misconfigured(Stage.AUTH, for_token_login(credentials)))
        try:
            self._login = TokenLogin(self._endpoint.username, self._token.reveal() if self._token else "")
        except ValueError:
            return Failed(misconfigured(Stage.AUTH, login.UNSENDABLE_PASSWORD))
        self._next = self._login_answered
        return Say(self._login.first())

    def _try_login(self) -> Step:
        assert self._endpoint.password is not None  # noqa: S101  checked in _log_in
        mechanism = self._mechanisms.pop(0)
        try:
            self._login = Login(mechanism, self._endpoint.username, self._endpoint.password.reveal())
        except ValueError:
            return Failed(misconfigured(Stage.AUTH, login.UNSENDABLE_PASSWORD))
        self._next = self._login_answered
        return Say(self._login.first())

    def _login_answered(self, reply: Reply) -> Step:
        if reply.code == 235:
            return Ready(self.capabilities)
        if reply.code == CONTINUE and self._login is not None:
            answer = self._login.answer(reply.lines[-1])
            return Say(answer) if answer else self._refused(reply)
        # 504: the mechanism was offered and is not known after all (RFC 4954 4). A wrong password (535) is never tried
        # again in another way: it would count twice against the account.
        if reply.code == 504 and self._mechanisms:
            return self._try_login()
        return self._refused(reply)

    def _refused(self, reply: Reply) -> Failed:
        return Failed(self.judge.refused(self.stage, reply))
