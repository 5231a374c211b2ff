"""What is said on a connection that is ready: mails in, bytes out, replies in, outcomes out. No I/O.

With PIPELINING (RFC 2920) MAIL, RCPT and DATA of a mail go in one write, and while mails wait, the final dot of one
mail is followed in the same write by that group of the next one. So a mail costs one round trip:

    us      MAIL RCPT DATA │            │ body 1 . MAIL RCPT DATA │                 │ body 2 . MAIL ...
    server                 │ 250 250 354│                         │ 250 250 250 354 │

The answer to DATA is always seen before a body goes, so at most one mail of a connection is past its final dot without
an answer. Only that one is ambiguous when the connection is lost; a mail whose commands went behind another's dot has
not been handed over and is put back.
"""

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Final

from ringpost.domain.deliveries import Outcome, Stage
from ringpost.domain.traps import reaching
from ringpost.transports.smtp import classify, commands, dialogue
from ringpost.transports.smtp.capabilities import Capabilities
from ringpost.transports.smtp.mails import Kind, Mail, Phrases
from ringpost.transports.smtp.replies import Garbage, Reply

BLOCK: Final = 65536
"""Octets of a message that are written at once; a larger one goes in blocks, each with a deadline of its own."""

_STAGES: Final = (Stage.MAIL_FROM, Stage.MAIL_FROM, Stage.RCPT_TO, Stage.DATA, Stage.ACCEPTED, Stage.DATA)
_RSET, _MAIL, _RCPT, _DATA, _DOT, _EMPTY_DOT = Kind
_GROUP: Final = (_MAIL, _RCPT, _DATA)
_MAYBE_PARAMETER = frozenset({501, 504, 555})


class Transactions:
    """The mails of one connection."""

    def __init__(
        self,
        capabilities: Capabilities,
        judge: classify.Judge,
        take: Callable[[bool], Mail | None],
        *,
        pipelining: bool,
    ) -> None:
        """`take` gives the next mail that waits; it is asked whenever one more can be begun, and told if that is
        behind the final dot of another, whose answer the mail then waits for.
        """
        self.out: list[bytes] = []
        """Bytes to write, in order."""
        self.body: Mail | None = None
        """A mail too large for one write. Write it in blocks, then call `body_written`."""
        self.put_back: list[Mail] = []
        """Mails that this connection gives back untried."""
        self.closed = False
        """The connection is of no more use."""
        self.pipelining_broken = False
        """The server offered PIPELINING and cannot do it."""
        self._phrases = Phrases(capabilities)
        self._judge = judge
        self._take = take
        self._pipelining = pipelining and capabilities.pipelining
        self._expected: deque[tuple[Kind, Mail]] = deque()
        self._handlers = (self._on_rset, self._on_mail, self._on_rcpt, self._on_data, self._on_dot, self._on_empty_dot)
        self._reset_first = False
        self._again: Mail | None = None
        self._kept = False
        self._group_answered = False
        """A group was answered whole, so the server can do PIPELINING, at least of what comes by itself."""
        self._behind_dot = False
        """The group that was written last went behind a final dot."""

    @property
    def awaited(self) -> Kind | None:
        """What the next reply is for; None when no reply is due."""
        return self._expected[0][0] if self._expected else None

    @property
    def idle(self) -> bool:
        """True when a mail could be begun at once."""
        return not (self._expected or self.body or self.closed)

    @property
    def stage(self) -> Stage:
        """How far the mail that is next to be answered has come."""
        return _STAGES[self._expected[0][0]] if self._expected else Stage.DATA if self.body else Stage.MAIL_FROM

    def carries(self, mail: Mail) -> bool:
        """Whether the mail is under way here."""
        return self.body is mail or any(one is mail for _, one in self._expected)

    def work(self) -> None:
        """Begin the next mail that waits, if any."""
        while (mail := self._take(bool(self._expected))) is not None:
            if self._begin(mail):
                return
        if not self._expected:
            self._kept = True

    def receive(self, replies: list[Reply | Garbage], *, partial: bool) -> None:
        """Replies in the order of arrival. `partial`: a further reply has begun to arrive."""
        # A reply can only answer what was written before it arrived, so what this call adds cannot be answered by it.
        due = len(self._expected)
        for reply in replies:
            if isinstance(reply, Garbage):
                return self._fail(lambda stage, why=reply.why: classify.server_failed(stage, why), written=due)
            if due == 0:
                return self._receive_unasked(reply)
            if reply.code == 421:
                return self._fail(lambda stage, bye=reply: self._judge.refused(stage, bye), written=due, answered=True)
            due -= 1
            kind, mail = self._expected.popleft()
            mail.heard.append((kind, reply))
            self._handlers[kind](mail, reply)
            if self.closed:
                return None
        if partial and due == 0 and self.body is None:
            self._receive_unasked(None)
        return None

    def body_written(self) -> None:
        """The whole of `body` has been handed to the network."""
        assert self.body is not None  # noqa: S101
        mail, self.body = self.body, None
        self._await_dot(mail)

    def let_go(self, mail: Mail) -> None:
        """It is no longer ours. The server has been told of it, and only hanging up keeps it from being taken."""
        self.closed = True
        self.body = None
        self.out.clear()
        self._give_back(one for _, one in self._expected if one is not mail)
        mail.let_go()

    def heard_unasked(self) -> None:
        """A reply has begun to arrive that cannot be the answer to what is about to be written."""
        self._receive_unasked(None)

    def timed_out(self) -> None:
        """A reply did not come in time."""
        in_group = self._pipelining and self._expected and self._expected[0][0] in _GROUP
        if in_group and (self._behind_dot or not self._group_answered):
            self._give_up_pipelining()
        else:
            self._fail(classify.for_timeout, written=len(self._expected))

    def give_up(self, mail: Mail) -> None:
        """The sender's own time is over; the connection is closed after this."""
        for kind, one in self._expected:
            if one is mail:
                past_dot = kind is _DOT
                self._settle(mail, classify.ambiguous() if past_dot else classify.for_timeout(_STAGES[kind]))
                break
        else:
            self._settle(mail, classify.for_timeout(Stage.DATA))

    def lost(self) -> None:
        """The connection has ended."""
        first = self._expected[0] if self._pipelining and self._expected and not self._kept else None
        if first is not None and first[0] in _GROUP and first[1].failure is None:
            # Some hang up on whoever says more than one command at once, although they offer it.
            self._give_up_pipelining()
        else:
            self._fail(classify.for_drop, written=len(self._expected))

    def _begin(self, mail: Mail) -> bool:
        """Say MAIL, and RCPT and DATA with it if they may be pipelined. False when the mail cannot go at all."""
        impossible = self._phrases.impossible(mail)
        if impossible is not None:
            mail.settle(impossible)
            return False
        try:
            group = self._phrases.mail(mail), commands.rcpt(mail.envelope.recipient), commands.DATA
        except ValueError:
            mail.settle(classify.unwritable())
            return False
        self._behind_dot = bool(self._expected)
        reset, self._reset_first = self._reset_first, False
        if reset:
            self._say(_RSET, mail, commands.RSET)
        if self._pipelining:
            self.out += group
            self._expected.extend(((_MAIL, mail), (_RCPT, mail), (_DATA, mail)))
        elif not reset:
            self._say(_MAIL, mail, group[0])
        return True

    def _say(self, kind: Kind, mail: Mail, command: bytes) -> None:
        self.out.append(command)
        self._expected.append((kind, mail))

    def _on_rset(self, mail: Mail, reply: Reply) -> None:
        if reply.code // 100 != 2:
            self._out_of_step(_RSET, mail, reply)
        elif not self._pipelining:
            self._say(_MAIL, mail, self._phrases.mail(mail))

    def _on_mail(self, mail: Mail, reply: Reply) -> None:
        if reply.code // 100 == 2:
            if not self._pipelining:
                self._say(_RCPT, mail, commands.rcpt(mail.envelope.recipient))
            return
        if reply.code in _MAYBE_PARAMETER and not mail.bare and self._phrases.has_parameters(mail):
            mail.bare = True
            self._again = mail
        self._refuse(_MAIL, mail, reply)

    def _on_rcpt(self, mail: Mail, reply: Reply) -> None:
        if reply.code // 100 != 2:
            self._refuse(_RCPT, mail, reply)
        elif not self._pipelining:
            self._say(_DATA, mail, commands.DATA)

    def _on_data(self, mail: Mail, reply: Reply) -> None:
        self._group_answered = True
        if reply.code != 354:
            self._reset_first = True
            if reply.code // 100 not in (4, 5) or (self._pipelining and reply.blames_pipelining):
                self._out_of_step(_DATA, mail, reply)
                return
            if mail.failure is None:
                mail.failure = self._judge.refused(Stage.DATA, reply)
            self._end(mail)
        elif mail.failure is not None:
            # It takes data without a recipient: an empty message ends that and goes to nobody (RFC 2920 3.1).
            self._say(_EMPTY_DOT, mail, commands.LONE_DOT)
        elif mail.lease.over:
            self.let_go(mail)
        elif len(mail.stuffed) > BLOCK:
            self.body = mail
        else:
            self.out += (mail.stuffed, commands.LONE_DOT)
            self._await_dot(mail)

    def _await_dot(self, mail: Mail) -> None:
        self._expected.append((_DOT, mail))
        if self._pipelining:
            self.work()

    def _on_dot(self, mail: Mail, reply: Reply) -> None:
        if reply.code // 100 == 2:
            self._kept = True
            mail.settle(self._judge.sent(reply))
        elif reply.code // 100 == 3:
            self._out_of_step(_DOT, mail, reply)
            return
        else:
            self._kept = True
            self._settle(mail, self._judge.refused(Stage.DATA, reply))
        if not self._expected:
            self.work()

    def _on_empty_dot(self, mail: Mail, _reply: Reply) -> None:
        self._reset_first = True
        self._end(mail)

    def _refuse(self, kind: Kind, mail: Mail, reply: Reply) -> None:
        if reply.code // 100 not in (4, 5) or (self._pipelining and reply.blames_pipelining):
            self._out_of_step(kind, mail, reply)
            return
        self._reset_first = True
        if mail.failure is None:
            mail.failure = self._judge.refused(_STAGES[kind], reply)
        if not self._pipelining:
            self._end(mail)

    def _end(self, mail: Mail) -> None:
        """All replies of a mail that failed are in."""
        self._kept = True
        failure, mail.failure = mail.failure, None
        again, self._again = self._again, None
        if again is not mail and failure is not None:
            self._settle(mail, failure)
            self.work()
        elif not self._begin(mail):
            self.work()

    def _receive_unasked(self, reply: Reply | None) -> None:
        if reply is not None and (reply.code == 421 or (self.body is not None and reply.code >= 400)):
            # Servers say 421 before they close, and some refuse a message while it is still being sent.
            self._fail(lambda stage: self._judge.refused(stage, reply), written=0)
        else:
            self._fail(lambda stage: classify.server_failed(stage, reaching.UNASKED_REPLY), written=0)

    def _out_of_step(self, kind: Kind, mail: Mail, reply: Reply) -> None:
        """An answer that cannot be one to its command, such as 250 to DATA."""
        self._expected.appendleft((kind, mail))
        if self._pipelining and kind in _GROUP:
            self._give_up_pipelining()
            return
        words = self._judge.words(reply)
        self._fail(lambda stage: classify.server_failed(stage, reaching.NOT_SMTP, words), written=1)

    def _give_up_pipelining(self) -> None:
        """What a group was answered cannot be told apart any more; none of its mails has been handed over."""
        self.closed = self.pipelining_broken = True
        self.out.clear()
        self._give_back(mail for _, mail in self._expected)

    def _fail(self, judge: Callable[[Stage], Outcome], *, written: int, answered: bool = False) -> None:
        """The connection is over. `written` of the awaited commands are out; `answered`: this answers the first."""
        self.closed = True
        self.out.clear()
        if self.body is not None:
            self._settle(self.body, judge(Stage.DATA))
            self.body = None
        if not self._expected:
            return
        kind, first = self._expected[0]
        rest = [mail for _, mail in self._expected if mail is not first]
        if first.failure is not None and first is not self._again:
            self._settle(first, first.failure)
        elif kind is _DOT and written:
            self._settle(first, judge(Stage.DATA) if answered else classify.ambiguous())
        elif first is self._again or (kind <= _MAIL and (self._kept or not written)):
            # A kept connection that the server has closed meanwhile is nobody's failure.
            rest.insert(0, first)
        else:
            self._settle(first, judge(Stage.DATA if kind is _DOT else _STAGES[kind]))
        self._give_back(rest)

    def _give_back(self, mails: Iterable[Mail]) -> None:
        self.put_back = list(dict.fromkeys(mails))
        self._expected.clear()
        for mail in self.put_back:
            mail.failure = None
            mail.heard.clear()

    def _settle(self, mail: Mail, outcome: Outcome) -> None:
        """Tell the sender of a mail that was not taken, with all that was said about it."""
        unanswered = [kind for kind, one in self._expected if one is mail] or ([_DOT] if self.body is mail else [])
        said = dialogue.of_a_mail(mail, unanswered, self._phrases, self._judge)
        mail.settle(replace(outcome, dialogue=said))
