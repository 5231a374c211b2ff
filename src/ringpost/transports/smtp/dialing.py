"""From nothing to a connection that takes mail: resolve, connect, and carry out the steps of the opening."""

import asyncio
from dataclasses import dataclass

from ringpost.domain.deliveries import Outcome, Stage
from ringpost.domain.hosts import parse_host
from ringpost.domain.settings import SmtpEndpoint, TlsMode
from ringpost.domain.traps import encryption, reaching
from ringpost.transports.egress import CheckedAddress, EgressError, resolve
from ringpost.transports.smtp import classify
from ringpost.transports.smtp.capabilities import Capabilities
from ringpost.transports.smtp.opening import Encrypt, Failed, Opening, Ready, Say
from ringpost.transports.smtp.options import SmtpOptions
from ringpost.transports.smtp.wire import Wire, tls_context


@dataclass(frozen=True, slots=True)
class Dialed:
    """A connection that takes mail."""

    wire: Wire
    capabilities: Capabilities


class Dial:
    """One try to set up a connection."""

    def __init__(self, endpoint: SmtpEndpoint, options: SmtpOptions) -> None:
        self._endpoint = endpoint
        self._options = options
        self._early = Stage.RESOLVE
        self._opening = Opening(endpoint, options.ehlo_name, clear_login=options.clear_login)
        self._wire: Wire | None = None

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
        return done

    async def _run(self) -> Dialed | Outcome:
        endpoint, options = self._endpoint, self._options
        addresses = await resolve(
            endpoint.host,
            endpoint.port,
            options.egress,
            restricted=endpoint.restricted,
            limit=options.deadlines.resolve,
        )
        self._early = Stage.CONNECT
        wire = self._wire = await _connect(addresses, options.deadlines.connect)
        if endpoint.tls is TlsMode.IMPLICIT:
            self._early = Stage.TLS
            await self._encrypt(wire)
        self._early = Stage.GREETING
        return await self._open(wire)

    async def _open(self, wire: Wire) -> Dialed | Outcome:
        deadlines = self._options.deadlines
        step = self._opening.receive(await wire.reply(deadlines.greeting))
        while True:
            match step:
                case Say(data):
                    step = self._opening.receive(await wire.ask(data, deadlines.opening))
                case Encrypt():
                    if wire.has_unread:
                        return classify.server_failed(Stage.TLS, encryption.STARTTLS_INJECTION)
                    await self._encrypt(wire)
                    step = self._opening.encrypted()
                case Ready(capabilities):
                    if wire.has_unread:
                        return classify.server_failed(self.stage, reaching.UNASKED_REPLY)
                    return Dialed(wire, capabilities)
                case Failed(outcome):
                    return outcome

    async def _encrypt(self, wire: Wire) -> None:
        context = await asyncio.to_thread(tls_context, self._options.ca_file)
        name = parse_host(self._endpoint.host, single_label=True)
        await wire.encrypt(context, name, self._options.deadlines.opening)

    def _judge(self, error: Exception) -> Outcome:
        if self._early is Stage.TLS and self._wire is not None and self._wire.has_unread:
            return classify.server_failed(
                Stage.TLS, encryption.IMPLICIT_TLS_ON_STARTTLS_PORT
            )  # It greeted us in clear text.
        if self._early is not Stage.GREETING or self.stage is Stage.TLS:
            return classify.for_error(self.stage, error, self._endpoint.port)
        if isinstance(error, TimeoutError):
            return classify.for_timeout(self.stage)
        return classify.for_drop(self.stage)

    def _hang_up(self) -> None:
        if self._wire is not None:
            self._wire.abort()


async def _connect(addresses: list[CheckedAddress], seconds: float) -> Wire:
    """A TCP connection to the first address that answers, within `seconds` over all. Raises the last OSError."""
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    failure: OSError = TimeoutError()
    for left, address in zip(range(len(addresses), 0, -1), addresses, strict=True):
        # Each gets its share of what is left, so a first address that swallows everything leaves time for the next.
        try:
            async with asyncio.timeout((end - loop.time()) / left):
                _, wire = await loop.create_connection(Wire, address.ip, address.port)
        except OSError as error:
            failure = error
        else:
            return wire
    raise failure
