"""The conversation over mails, without a network: what is written, when, and what each reply does."""

import asyncio
from collections import deque

import pytest
from tests.transports.mail_samples import endpoint, envelope

from ringpost.domain.deliveries import RETRY, SENT, Outcome, Party, Stage
from ringpost.transports.smtp.capabilities import Capabilities
from ringpost.transports.smtp.classify import Judge
from ringpost.transports.smtp.mails import Mail
from ringpost.transports.smtp.replies import ReplyParser
from ringpost.transports.smtp.transactions import BLOCK, Transactions

BODY = b"Subject: x\r\n\r\nbody\r\n"
GROUP = b"MAIL FROM:<pbx@sender.example>\r\nRCPT TO:<alice@recipient.example>\r\nDATA\r\n"


class Talk:
    """A conversation that a test plays the server's part of."""

    def __init__(self, *bodies: bytes, pipelining: bool = True) -> None:
        self.mails = [Mail(envelope(), body, asyncio.Future()) for body in bodies]
        self._waiting = deque(self.mails)
        self._parser = ReplyParser()
        capabilities = Capabilities(pipelining=True)
        self.core = Transactions(capabilities, Judge(endpoint(25)), self._take, pipelining=pipelining)
        self.core.work()

    def written(self) -> bytes:
        """What is to be written since the last call."""
        out = b"".join(self.core.out)
        self.core.out.clear()
        return out

    def hear(self, data: bytes) -> bytes:
        """Let bytes of the server arrive; gives what is to be written then."""
        self.core.receive(self._parser.feed(data), partial=self._parser.partial)
        return self.written()

    def outcome(self, number: int) -> Outcome | None:
        """What became of a mail; None while it is open."""
        done = self.mails[number].done
        return done.result() if done.done() else None

    def _take(self, _behind: bool) -> Mail | None:
        return self._waiting.popleft() if self._waiting else None


async def test_a_mail_costs_one_round_trip_when_mails_wait() -> None:
    talk = Talk(BODY, BODY)

    assert talk.written() == GROUP
    assert talk.hear(b"250 ok\r\n250 ok\r\n354 go\r\n") == BODY + b".\r\n" + GROUP
    assert talk.hear(b"250 taken\r\n250 ok\r\n250 ok\r\n354 go\r\n") == BODY + b".\r\n"
    assert talk.hear(b"250 taken\r\n") == b""
    assert [talk.outcome(0), talk.outcome(1)] == [Outcome(SENT, Stage.ACCEPTED, code=250, reply="taken")] * 2
    assert talk.core.idle


async def test_without_pipelining_each_command_waits_for_the_answer_before() -> None:
    talk = Talk(BODY, BODY, pipelining=False)

    assert talk.written() == GROUP.splitlines(keepends=True)[0]
    assert talk.hear(b"250 ok\r\n") == GROUP.splitlines(keepends=True)[1]
    assert talk.hear(b"250 ok\r\n") == b"DATA\r\n"
    assert talk.hear(b"354 go\r\n") == BODY + b".\r\n"
    assert talk.hear(b"250 taken\r\n") == GROUP.splitlines(keepends=True)[0]


@pytest.mark.parametrize("body", [BODY, BODY + b"x\r\n" * BLOCK], ids=["small", "in blocks"])
async def test_an_answer_that_came_before_the_dot_is_not_the_dots(body: bytes) -> None:
    for early in (b"250 taken\r\n", b"250 ta"):
        talk = Talk(body)
        talk.written()

        written = talk.hear(b"250 ok\r\n250 ok\r\n354 go\r\n" + early)
        if talk.core.body is not None:
            written += talk.hear(b"ken\r\n" if early == b"250 ta" else b"")

        outcome = talk.outcome(0)
        assert written == b""
        assert talk.core.closed
        assert outcome is not None
        assert (outcome.verdict, outcome.party, outcome.ambiguous) == (RETRY, Party.MAIL_SERVER, False)


@pytest.mark.parametrize(
    ("answered", "ambiguous", "open_again"),
    [
        (b"", [True, None, None], [1]),
        (b"250 ta", [True, None, None], [1]),
        (b"250 taken\r\n", [False, None, None], [1]),
        (b"250 taken\r\n250 ok\r\n", [False, False, None], []),
        (b"250 taken\r\n250 ok\r\n250 ok\r\n", [False, False, None], []),
        (b"250 taken\r\n250 ok\r\n250 ok\r\n354 go\r\n", [False, True, None], [2]),
    ],
)
async def test_a_drop_at_any_point_of_a_batch_opens_only_what_was_unanswered(
    answered: bytes, ambiguous: list[bool | None], open_again: list[int]
) -> None:
    talk = Talk(BODY, BODY, BODY)
    talk.written()
    talk.hear(b"250 ok\r\n250 ok\r\n354 go\r\n")

    talk.hear(answered)
    talk.core.lost()

    outcomes = [talk.outcome(number) for number in range(3)]
    assert [outcome and outcome.ambiguous for outcome in outcomes] == ambiguous
    assert [talk.mails.index(mail) for mail in talk.core.put_back] == open_again


async def test_a_body_in_blocks_is_past_its_dot_only_when_the_last_block_is_written() -> None:
    talk = Talk(BODY + b"x\r\n" * BLOCK, BODY)
    talk.written()
    assert talk.hear(b"250 ok\r\n250 ok\r\n354 go\r\n") == b""
    assert talk.core.body is talk.mails[0]

    talk.core.body_written()

    assert talk.written() == GROUP
    talk.core.lost()
    outcome = talk.outcome(0)
    assert outcome is not None
    assert outcome.ambiguous
    assert talk.core.put_back == [talk.mails[1]]


@pytest.mark.parametrize("answered", [b"", b"250 ok\r\n550 5.1.1 nobody\r\n"], ids=["unanswered", "refused"])
async def test_a_mail_that_is_put_back_carries_nothing_over(answered: bytes) -> None:
    talk = Talk(BODY, BODY)
    talk.written()
    talk.hear(b"250 ok\r\n250 ok\r\n354 go\r\n")
    talk.hear(b"250 taken\r\n" + answered)

    talk.core.timed_out()

    assert talk.core.pipelining_broken
    assert talk.core.put_back == [talk.mails[1]]
    assert talk.mails[1].failure is None


@pytest.mark.parametrize("pipelining", [True, False])
async def test_past_its_dot_a_mail_is_not_begun_again_when_no_answer_comes_in_time(pipelining: bool) -> None:
    talk = Talk(BODY, BODY, pipelining=pipelining)
    for answer in (b"250 ok\r\n", b"250 ok\r\n", b"354 go\r\n"):
        talk.hear(answer)

    talk.core.timed_out()

    outcome = talk.outcome(0)
    assert outcome is not None
    assert (outcome.verdict, outcome.ambiguous) == (RETRY, True)
    assert talk.mails[0] not in talk.core.put_back
    assert not talk.core.pipelining_broken


@pytest.mark.parametrize(
    ("answered", "stage", "ambiguous"),
    [
        (b"", Stage.MAIL_FROM, False),
        (b"250 ok\r\n", Stage.RCPT_TO, False),
        (b"250 ok\r\n250 ok\r\n", Stage.DATA, False),
        (b"250 ok\r\n250 ok\r\n354 go\r\n", Stage.ACCEPTED, True),
    ],
)
async def test_a_mail_whose_whole_time_is_over_is_ambiguous_only_past_its_dot(
    answered: bytes, stage: Stage, ambiguous: bool
) -> None:
    talk = Talk(BODY)
    talk.hear(answered)

    talk.core.give_up(talk.mails[0])

    outcome = talk.outcome(0)
    assert outcome is not None
    assert (outcome.verdict, outcome.stage, outcome.ambiguous) == (RETRY, stage, ambiguous)


async def test_a_definite_refusal_stands_when_the_connection_is_lost_after_it() -> None:
    talk = Talk(BODY)
    talk.written()
    talk.hear(b"250 ok\r\n550 5.1.1 nobody\r\n")

    talk.core.lost()

    outcome = talk.outcome(0)
    assert outcome is not None
    assert (outcome.party, outcome.code) == (Party.RECIPIENT, 550)
