"""From nothing to a connection that takes mail: resolve, connect, and carry out the steps of the opening."""

import asyncio
from dataclasses import dataclass, replace
from typing import Protocol

from ringpost.domain.deliveries import Outcome, Party, Stage
from ringpost.domain.endpoints import SmtpEndpoint, TlsMode
from ringpost.domain.hosts import parse_host
from ringpost.domain.secrets import Secret
from ringpost.domain.traps import encryption, reaching
from ringpost.transports.connecting import is_no_tls, lacks_ipv6, tls_context
from ringpost.transports.egress import CheckedAddress, EgressError, resolve
from ringpost.transports.smtp import classify, dialogue
from ringpost.transports.smtp.capabilities import Capabilities
from ringpost.transports.smtp.opening import Encrypt, Failed, Opening, Ready, Say, Step
from ringpost.transports.smtp.options import SmtpOptions
from ringpost.transports.smtp.replies import Garbage, Reply
from ringpost.transports.smtp.wire import Wire


@dataclass(frozen=True, slots=True)
class Dialed:
    """A connection that takes mail."""

    wire: Wire
    capabilities: Capabilities
    judge: classify.Judge
    """Knows what was logged in with, and keeps it out of what the server says later."""


class Watcher(Protocol):
    """Who wants to know each step of a dial while it is made, such as the doctor."""

    def resolved(self, addresses: list[CheckedAddress]) -> None:
        """The host has these addresses, and all may be connected to."""
        ...

    def tried(self, address: CheckedAddress, failure: OSError | None) -> None:
        """A connection to this address was tried; None: it is up."""
        ...

    def answered(self, stage: Stage, reply: Reply | Garbage) -> None:
        """The server has said this, at this stage."""
        ...

    def encrypted(self, wire: Wire) -> None:
        """The TLS handshake is done and the certificate is good."""
        ...


class Dial:
    """One try to set up a connection."""

    def __init__(self, endpoint: SmtpEndpoint, options: SmtpOptions, watcher: Watcher | None = None) -> None:
        self._watcher = watcher
        self._endpoint = endpoint
        self._options = options
        self._early = Stage.RESOLVE
        self._opening = Opening(endpoint, options.ehlo_name, clear_login=options.clear_login)
        self._wire: Wire | None = None
        self._address: CheckedAddress | None = None
        self._said: list[str] = []

    @property
    def stage(self) -> Stage:
        """How far it has come."""
        return self._early if self._early is not Stage.GREETING else self._opening.stage

    async def run(self) -> Dialed | Outcome:
        """Dialed, or the outcome for every mail that waits for this connection."""
        try:
            done = await self._run()
        except (OSError, EgressError) as error:  # ssl.SSLError, TimeoutError and ConnectionError are OSErrors
            done = self._judge(error)
        except BaseException:
            self._hang_up()
            raise
        if isinstance(done, Outcome):
            self._hang_up()
            return replace(done, dialogue=dialogue.whole(self._said))
        return done

    async def _run(self) -> Dialed | Outcome:
        grant = self._endpoint.grant
        if grant is None:
            return await self._try(None)
        refused: Secret | None = None
        while True:
            self._early = Stage.TOKEN
            assert self._options.tokens is not None  # noqa: S101  wiring's part
            token = await self._options.tokens.token(grant, instead_of=refused)
            if isinstance(token, Outcome):
                return token
            done = await self._try(token)
            if refused is not None or not _is_refused_login(done):
                return done
            refused = token  # once more, with a fresh one
            self._hang_up()

    async def _try(self, token: Secret | None) -> Dialed | Outcome:
        endpoint, options = self._endpoint, self._options
        self._early = Stage.RESOLVE
        self._said.clear()
        addresses = await resolve(
            endpoint.host,
            endpoint.port,
            options.egress,
            restricted=endpoint.restricted,
            limit=options.deadlines.resolve,
        )
        if self._watcher is not None:
            self._watcher.resolved(addresses)
        done = await self._at(addresses, token)
        others = self._others(addresses) if self._watcher is None and _may_be_the_address(done) else []
        if not others:
            return done
        self._hang_up()
        self._said.append(dialogue.OTHER_ADDRESS)
        other = await self._at(others, token)
        if isinstance(other, Outcome) and other.stage is Stage.CONNECT:
            self._said.pop()
            return done
        return other

    async def _at(self, addresses: list[CheckedAddress], token: Secret | None) -> Dialed | Outcome:
        """With the first of these that can be connected to."""
        endpoint, options = self._endpoint, self._options
        self._opening = Opening(endpoint, options.ehlo_name, clear_login=options.clear_login, token=token)
        self._early = Stage.CONNECT
        try:
            self._wire, self._address = await connect(addresses, options.deadlines.connect, self._watcher)
            if endpoint.tls is TlsMode.IMPLICIT:
                self._early = Stage.TLS
                await self._encrypt(self._wire)
            self._early = Stage.GREETING
            return await self._open(self._wire)
        except OSError as error:
            return self._judge(error)

    def _others(self, addresses: list[CheckedAddress]) -> list[CheckedAddress]:
        """Those that were not tried, first of the other kind: where IPv6 fails on its way, it does for all of them."""
        tried = self._address
        left = addresses[addresses.index(tried) + 1 :] if tried in addresses else []
        return sorted(left, key=lambda one: (":" in one.ip) == (":" in tried.ip)) if tried else []

    async def _open(self, wire: Wire) -> Dialed | Outcome:
        deadlines = self._options.deadlines
        step = self._hear(await wire.reply(deadlines.greeting))
        while True:
            match step:
                case Say(data):
                    self._said += (self._opening.shown(data), dialogue.NO_ANSWER)
                    step = self._hear(await wire.ask(data, deadlines.opening))
                case Encrypt():
                    if wire.has_unread:
                        return classify.server_failed(Stage.TLS, encryption.STARTTLS_INJECTION)
                    await self._encrypt(wire)
                    step = self._opening.encrypted()
                case Ready(capabilities):
                    if wire.has_unread:
                        return classify.server_failed(self.stage, reaching.UNASKED_REPLY)
                    return Dialed(wire, capabilities, self._opening.judge)
                case Failed(outcome):
                    return outcome

    def _hear(self, reply: Reply | Garbage) -> Step:
        if self._watcher is not None:
            self._watcher.answered(self._opening.stage, reply)
        if self._said[-1:] == [dialogue.NO_ANSWER]:
            self._said.pop()
        self._said.append(self._opening.shown(reply))
        return self._opening.receive(reply)

    async def _encrypt(self, wire: Wire) -> None:
        context = await asyncio.to_thread(tls_context, self._options.ca_file)
        name = parse_host(self._endpoint.host, single_label=True)
        await wire.encrypt(context, name, self._options.deadlines.opening)
        if self._watcher is not None:
            self._watcher.encrypted(wire)

    def _judge(self, error: Exception) -> Outcome:
        greeted = self._wire is not None and self._wire.has_unread
        if self._early is Stage.TLS and (greeted or is_no_tls(error)):
            return classify.server_failed(Stage.TLS, encryption.IMPLICIT_TLS_ON_STARTTLS_PORT)
        if self._early is not Stage.GREETING or self.stage is Stage.TLS:
            return classify.for_error(self.stage, error, self._endpoint.port)
        if isinstance(error, TimeoutError):
            return self._told_late()
        return classify.for_drop(self.stage)

    def _told_late(self) -> Outcome:
        if self._wire is None or not self._wire.partial:
            return classify.for_timeout(self.stage)
        if self._said[-1:] == [dialogue.NO_ANSWER]:
            self._said.pop()
        self._said.append(dialogue.NO_END)
        return classify.server_failed(self.stage, reaching.REPLY_UNFINISHED)

    def _hang_up(self) -> None:
        if self._wire is not None:
            self._wire.abort()


def _may_be_the_address(done: Dialed | Outcome) -> bool:
    """Whether another address is worth a try (RFC 5321 5.1); not after a login, which would count twice."""
    early = (Stage.GREETING, Stage.TLS, Stage.EHLO)
    return isinstance(done, Outcome) and done.party is Party.MAIL_SERVER and done.stage in early


def _is_refused_login(done: Dialed | Outcome) -> bool:
    """Whether a fresh token is worth a try."""
    return isinstance(done, Outcome) and done.stage is Stage.AUTH and done.code is not None and done.code // 100 == 5


async def connect(
    addresses: list[CheckedAddress], seconds: float, watcher: Watcher | None = None
) -> tuple[Wire, CheckedAddress]:
    """A TCP connection to the first address that answers, and which that is, within `seconds` over all.

    Raises the OSError of the last one, but for addresses that this machine has no way to when it has one to another.
    """
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    failure: OSError | None = None
    for left, address in zip(range(len(addresses), 0, -1), addresses, strict=True):
        # Each gets its share of what is left, so a first address that swallows everything leaves time for the next.
        try:
            async with asyncio.timeout((end - loop.time()) / left):
                _, wire = await loop.create_connection(Wire, address.ip, address.port)
        except OSError as error:
            if failure is None or not lacks_ipv6(address.ip, error):
                failure = error
            if watcher is not None:
                watcher.tried(address, error)
        else:
            if watcher is not None:
                watcher.tried(address, None)
            return wire, address
    raise failure or TimeoutError
