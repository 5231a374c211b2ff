"""Kept connections to one mail server, and the mails that wait for them.

Connections take mails from one queue. The first is dialed alone, so a server that is down or refuses the login is asked
once and not once per mail; its answer is the outcome of every mail that waits. When one is up, more are dialed while
mails wait. A further one that fails only lowers how many we try to have: many servers limit connections per client.
Likewise when one of several is told to go (421): its mail takes another one. Only what the last one is told is an
outcome.

Emergencies have a pool of their own, with other connections to the same server. When it gives one pool none because the
other has all that it permits, the mail goes by those of the other: emergencies before what waits there, others behind.

How many there are follows how many mails are in hand, which the worker's windows see to.
"""

import asyncio
from collections import deque
from collections.abc import Collection
from typing import Final

from ringpost.domain.deliveries import RETRY, Outcome, Party, Stage
from ringpost.domain.endpoints import SmtpEndpoint
from ringpost.domain.messages import Envelope
from ringpost.domain.traps import reaching
from ringpost.transports import Transport
from ringpost.transports.lease import ENDLESS, Lease
from ringpost.transports.smtp import classify
from ringpost.transports.smtp.connection import Connection
from ringpost.transports.smtp.dialing import Dial, Dialed
from ringpost.transports.smtp.mails import Mail
from ringpost.transports.smtp.options import SmtpOptions

ONE_BY_ONE: Final = 3600.0
"""Seconds for which a server that cannot do the PIPELINING that it offers gets one command at a time."""
FEWER: Final = 60.0
"""Seconds after which more connections are tried again when one too many was refused."""
GOODBYE: Final = 5.0
"""Seconds that `close` takes at most."""

_CLOSING = "Ringpost is shutting down. A delivery is tried again by itself."


class SmtpTransport:
    """Sends mail to one SMTP server. Implements `Transport`; belongs to the event loop that it is first used in."""

    def __init__(
        self,
        endpoint: SmtpEndpoint,
        options: SmtpOptions,
        *,
        urgent: bool = False,
        beside: Collection[Transport] = (),
    ) -> None:
        """`urgent`: what it sends are emergencies. `beside`: the open transports to the same server, as they change."""
        self._endpoint = endpoint
        self._options = options
        self._urgent = urgent
        self._beside = beside
        self._crowded_until = 0.0
        self._ahead: deque[Mail] = deque()
        """Emergencies that wait; they go before `_waiting`."""
        self._waiting: deque[Mail] = deque()
        self._connections: set[Connection] = set()
        self._idle: dict[Connection, None] = {}
        self._open_sockets: set[Connection] = set()
        self._dial: Dial | None = None
        self._dial_task: asyncio.Task[None] | None = None
        self._fewer = options.connections
        self._fewer_until = 0.0
        self._one_by_one_until = 0.0
        self._closing = False
        self._all_gone = asyncio.Event()

    async def send(self, envelope: Envelope, message: bytes, lease: Lease = ENDLESS) -> Outcome:
        """Try once to hand over a message; see `Transport.send`. Takes at most `Deadlines.overall` when that is set."""
        if self._closing:
            return Outcome(RETRY, Stage.CONNECT, Party.NETWORK, hint=_CLOSING)
        overall = self._options.deadlines.overall
        loop = asyncio.get_running_loop()
        ends_at = None if overall is None else loop.time() + overall
        other = self._other() if loop.time() < self._crowded_until else None
        if other is None:
            outcome = await self.take(envelope, message, lease, ends_at, urgent=self._urgent)
            if not classify.asks_for_fewer(outcome) or (other := self._other()) is None:
                return outcome
            self._crowded_until = loop.time() + FEWER
        return await other.take(envelope, message, lease, ends_at, urgent=self._urgent)

    @property
    def is_up(self) -> bool:
        """Whether it has connections that take mail."""
        return bool(self._connections) and not self._closing

    async def take(
        self, envelope: Envelope, message: bytes, lease: Lease, ends_at: float | None, *, urgent: bool
    ) -> Outcome:
        """Send by its own connections, also for another pool. `ends_at`: the loop's time at which that is given up."""
        while True:
            outcome = await self._hand_over(envelope, message, lease, ends_at, urgent=urgent)
            if outcome.code != 421 or not self._has_others():
                return outcome

    def _other(self) -> "SmtpTransport | None":
        """A pool whose connections take what has none here; None when there is none, or need not be."""
        if self.is_up or self._closing:
            return None
        return next((pool for pool in self._beside if isinstance(pool, SmtpTransport) and pool.is_up), None)

    def _hand_over(
        self, envelope: Envelope, message: bytes, lease: Lease, ends_at: float | None, *, urgent: bool
    ) -> asyncio.Future[Outcome]:
        loop = asyncio.get_running_loop()
        done: asyncio.Future[Outcome] = loop.create_future()
        try:
            mail = Mail(envelope, message, done, lease, urgent=urgent)
        except ValueError:
            done.set_result(classify.unwritable())
            return done
        self._line(mail).append(mail)
        self._give_out()
        if ends_at is not None:
            timer = loop.call_at(ends_at, self._give_up, mail)
            done.add_done_callback(lambda _: timer.cancel())
        return done

    def _has_others(self) -> bool:
        """Whether connections are left that take mail, after one was told to go; there are no more for a while."""
        if not self._connections or self._closing:
            return False
        self._have_fewer()
        return True

    async def close(self) -> None:
        """Let what is under way end, say goodbye to all connections, and be done after 5 s at most."""
        self._closing = True
        self._fail_waiting(Outcome(RETRY, Stage.CONNECT, Party.NETWORK, hint=_CLOSING))
        if self._dial_task is not None:
            self._dial_task.cancel()
        for connection in list(self._connections):
            connection.retire()
        if self._open_sockets:
            self._all_gone.clear()
            try:
                async with asyncio.timeout(GOODBYE):
                    await self._all_gone.wait()
            except TimeoutError:
                for connection in list(self._open_sockets):
                    connection.abort()
                await self._all_gone.wait()

    def next_mail(self, *, behind: bool) -> Mail | None:
        """The mail that has waited longest, emergencies first; None when none waits.

        `behind`: it would wait for the answer to another one, which may take minutes. An emergency does not while a
        connection of its own is on the way.
        """
        ahead = None if behind and self._dial_task is not None else self._ahead
        while line := ahead or self._waiting:
            mail = line.popleft()
            if mail.done.done():  # its sender has given up
                continue
            if not mail.lease.over:
                return mail
            mail.let_go()
        return None

    def connection_idle(self, connection: Connection) -> None:
        """It has nothing to do and is kept for a while."""
        self._idle[connection] = None

    def connection_over(self, connection: Connection, put_back: list[Mail], *, pipelining_broken: bool) -> None:
        """It takes no more mail; what it did not try goes to the front of the queue."""
        self._connections.discard(connection)
        self._idle.pop(connection, None)
        if pipelining_broken:
            self._one_by_one_until = asyncio.get_running_loop().time() + ONE_BY_ONE
        if self._closing:
            put_back_outcome = Outcome(RETRY, Stage.CONNECT, Party.NETWORK, hint=_CLOSING)
            for mail in put_back:
                mail.settle(put_back_outcome)
            return
        for mail in reversed(put_back):
            self._line(mail).appendleft(mail)
        self._give_out()

    def connection_gone(self, connection: Connection) -> None:
        """Its socket is closed."""
        self._open_sockets.discard(connection)
        self._options.sockets.closed()
        if not self._open_sockets:
            self._all_gone.set()

    def _line(self, mail: Mail) -> deque[Mail]:
        return self._ahead if mail.urgent else self._waiting

    def _some_wait(self) -> bool:
        for line in (self._ahead, self._waiting):
            while line and line[0].done.done():
                line.popleft()
        return bool(self._ahead or self._waiting)

    def _give_out(self) -> None:
        """See that somebody will take the mails that wait."""
        while (some_wait := self._some_wait()) and self._idle:
            # The one that was used last: the others may then grow old and be closed.
            connection, _ = self._idle.popitem()
            connection.work()
        if some_wait and self._dial_task is None and self._may_dial():
            self._dial = Dial(self._endpoint, self._options)
            self._dial_task = asyncio.get_running_loop().create_task(self._run_dial(self._dial))

    def _may_dial(self) -> bool:
        up = len(self._connections)
        if up == 0 or up >= self._options.connections:
            return up == 0
        if self._options.sockets.scarce:
            return False
        return up < self._fewer or asyncio.get_running_loop().time() >= self._fewer_until

    async def _run_dial(self, dial: Dial) -> None:
        result: Dialed | Outcome | None = None
        self._options.sockets.opened()
        try:
            result = await dial.run()
        finally:
            self._options.sockets.closed()
            self._dial = self._dial_task = None
            if isinstance(result, Dialed):
                self._add(result)
            else:
                # None: cancelled by close, or a fault of ours, which must not leave the mails waiting for ever.
                self._dial_failed(result or classify.for_drop(dial.stage))

    def _add(self, dialed: Dialed) -> None:
        loop = asyncio.get_running_loop()
        pipelining = loop.time() >= self._one_by_one_until
        connection = Connection(dialed, self._options, self, pipelining=pipelining)
        self._connections.add(connection)
        self._open_sockets.add(connection)
        self._options.sockets.opened()
        connection.start()
        self._give_out()

    def _dial_failed(self, outcome: Outcome) -> None:
        if self._connections:
            self._have_fewer()
        else:
            self._fail_waiting(outcome)

    def _have_fewer(self) -> None:
        self._fewer = len(self._connections)
        self._fewer_until = asyncio.get_running_loop().time() + FEWER

    def _fail_waiting(self, outcome: Outcome) -> None:
        waiting = [*self._ahead, *self._waiting]
        self._ahead.clear()
        self._waiting.clear()
        for mail in waiting:
            mail.settle(outcome)

    def _give_up(self, mail: Mail) -> None:
        """The time for the whole send is over."""
        for connection in self._connections:
            if connection.carries(mail):
                connection.give_up(mail)
                return
        # It was never begun: what we were waiting for tells most.
        if self._dial is None:
            mail.settle(classify.server_failed(Stage.CONNECT, reaching.TIMEOUT))
        else:
            mail.settle(classify.for_timeout(self._dial.stage, self._endpoint.port))
