"""A connection at work: carries bytes between its mails (`Transactions`) and the network, and keeps the deadlines."""

import asyncio
from typing import Protocol

from ringpost.transports.smtp import commands
from ringpost.transports.smtp.dialing import Dialed
from ringpost.transports.smtp.mails import Kind, Mail
from ringpost.transports.smtp.options import Deadlines, SmtpOptions
from ringpost.transports.smtp.replies import Garbage, Reply
from ringpost.transports.smtp.sockets import SHORT_IDLE
from ringpost.transports.smtp.transactions import BLOCK, Transactions


class Owner(Protocol):
    """Who gives work to connections."""

    def next_mail(self, *, behind: bool) -> Mail | None:
        """The next mail that waits; None when none does. `behind`: it would go behind one that has no answer yet."""
        ...

    def connection_idle(self, connection: "Connection") -> None:
        """It has nothing to do."""
        ...

    def connection_over(self, connection: "Connection", put_back: list[Mail], *, pipelining_broken: bool) -> None:
        """It takes no more mail. What it gives back was not tried."""
        ...

    def connection_gone(self, connection: "Connection") -> None:
        """Its socket is closed."""
        ...


class Connection:
    """One connection that takes mail. Safe to drop: its owner hears of every end exactly once."""

    def __init__(self, dialed: Dialed, options: SmtpOptions, owner: Owner, *, pipelining: bool) -> None:
        self._wire = dialed.wire
        self._owner = owner
        self._limit = options.messages_per_connection
        self._idle_seconds = options.idle
        self._sockets = options.sockets
        self._seconds = _seconds(options.deadlines)
        self._deadlines = options.deadlines
        self._taken = 0
        self._over = False
        self._quitting = False
        self._loop = asyncio.get_running_loop()
        self._deadline = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._sent_of_body = 0
        self._mails = Transactions(dialed.capabilities, dialed.judge, self._take, pipelining=pipelining)

    def start(self) -> None:
        """Begin to work."""
        self._wire.listener = self
        self.work()

    def work(self) -> None:
        """Take a mail that waits. Only for an idle connection."""
        self._mails.work()
        self._flush()

    def retire(self) -> None:
        """Take no more mail, and say goodbye when what is under way has ended."""
        self._limit = 0
        if self._mails.idle:
            self._quit()

    def give_up(self, mail: Mail) -> None:
        """Wait no longer for the answer to this mail. What else is under way here is settled or put back."""
        self._mails.give_up(mail)
        self._mails.lost()
        self._flush()

    def abort(self) -> None:
        """Close without goodbye."""
        self._wire.abort()

    def carries(self, mail: Mail) -> bool:
        """Whether the mail is under way here."""
        return self._mails.carries(mail)

    def replies_came(self, replies: list[Reply | Garbage], *, partial: bool) -> None:
        if self._over:
            if self._quitting:
                self._wire.abort()  # the answer to QUIT, whatever it is
            return
        mails = self._mails
        mails.receive(replies, partial=partial)
        if replies or mails.closed:
            self._flush()

    def wire_closed(self) -> None:
        if not self._over:
            self._mails.lost()
            self._finish()
        self._stop_timer()
        self._owner.connection_gone(self)

    def wire_drained(self) -> None:
        if self._mails.body is not None:
            self._flush()

    def _take(self, behind: bool) -> Mail | None:
        if self._taken >= self._limit:
            return None
        mail = self._owner.next_mail(behind=behind)
        if mail is not None:
            self._taken += 1
        return mail

    def _flush(self) -> None:
        """Write what there is to say, see to a large body, and set the deadline for what comes next."""
        mails = self._mails
        self._write_out()
        while mails.body is not None and not self._wire.full:
            self._write_block(mails.body)
        if mails.closed:
            self._wire.abort()
            self._finish()
            return
        awaited = mails.awaited
        if awaited is not None:
            self._set_deadline(self._seconds[awaited])
        elif mails.body is not None:
            self._set_deadline(self._deadlines.block)
        elif self._taken >= self._limit:
            self._quit()
        else:
            self._set_deadline(SHORT_IDLE if self._sockets.scarce else self._idle_seconds)
            self._owner.connection_idle(self)

    def _write_out(self) -> None:
        out = self._mails.out
        if out:
            self._wire.write(b"".join(out))
            out.clear()

    def _write_block(self, mail: Mail) -> None:
        start = self._sent_of_body
        self._sent_of_body = start + BLOCK
        last = self._sent_of_body >= len(mail.stuffed)
        if last and self._wire.partial:
            # A reply that has begun before the final dot must not end as the answer to it.
            self._mails.heard_unasked()
            return
        if last and mail.lease.over:
            self._mails.let_go(mail)
            return
        self._wire.write(memoryview(mail.stuffed)[start : start + BLOCK])
        if last:
            self._wire.write(commands.LONE_DOT)
            self._sent_of_body = 0
            self._mails.body_written()
            self._write_out()

    def _finish(self) -> None:
        if self._over:
            return
        self._over = True
        self._stop_timer()
        mails = self._mails
        self._owner.connection_over(self, mails.put_back, pipelining_broken=mails.pipelining_broken)

    def _quit(self) -> None:
        if self._over:
            return
        self._wire.write(commands.QUIT)
        self._quitting = True
        self._finish()
        self._timer = self._loop.call_later(self._deadlines.quit, self._wire.abort)

    def _set_deadline(self, seconds: float) -> None:
        # One timer runs on and looks again when it fires: setting a timer for every reply would cost more than parsing.
        self._deadline = deadline = self._loop.time() + seconds
        if self._timer is None or deadline < self._timer.when():
            self._stop_timer()
            self._timer = self._loop.call_at(deadline, self._look_at_deadline)

    def _look_at_deadline(self) -> None:
        self._timer = None
        if self._loop.time() < self._deadline:
            self._timer = self._loop.call_at(self._deadline, self._look_at_deadline)
        elif self._mails.idle:
            self._quit()
        else:
            self._mails.timed_out()
            self._flush()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _seconds(deadlines: Deadlines) -> dict[Kind, float]:
    return {
        Kind.RSET: deadlines.mail,
        Kind.MAIL: deadlines.mail,
        Kind.RCPT: deadlines.rcpt,
        Kind.DATA: deadlines.data,
        Kind.DOT: deadlines.final_dot,
        Kind.EMPTY_DOT: deadlines.final_dot,
    }
