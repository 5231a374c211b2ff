"""What comes after an attempt: when to try again, when to stop, and when to leave a whole mail server alone.

A mail is tried again soon at first and then ever more seldom, by its class: an emergency after 5, 15, 30, 60 and 120 s,
then every 5 minutes for a day; an alert and anything normal after 1, 2, 5, 10, 15 and 30 minutes, then hourly for three
days. When its time has run out it is `expired`, and its tenant sees that. The last try is made when the time is up, not
up to an hour before. All delays vary by a fifth, so that what failed together does not come back together. What a
server asks for (`retry_after`) is granted, up to an hour.

Whose failure it is decides what else waits:

- The recipient's or the message's: this mail only. It has used up one attempt.
- The mail server's or the network's: every mail of the lane would fail alike, so the whole lane waits: 5, 10, 20, 40 s
  and so on up to 5 minutes. No mail has used up an attempt. The one that was tried goes back by its first delay, so
  that another one is the next probe: a mail that makes the server hang up cannot hold up the lane for long. An
  emergency does not wait for others to probe: it goes on by its own delays, so its tries count whoever fails.
- The configuration's (a wrong password): the lane waits 15 minutes, because every try counts as a wrong login there, or
  until the settings change.
- Nobody's, when touch was lost after the final dot: the server may have the mail. It is tried again all the same:
  better twice than never.

What is unknown is temporary: only time ends it. RFC 5321 4.5.4.1 asks four to five days of a relay; what a phone system
has to say is of no use so late.
"""

from dataclasses import dataclass
from typing import Final

from ringpost.domain.deliveries import Outcome, Party, State, Urgency, Verdict

_OF_THE_LANE: Final = frozenset({Party.MAIL_SERVER, Party.NETWORK, Party.CONFIGURATION})


@dataclass(frozen=True, slots=True)
class Schedule:
    """The delays of one class of mail, in seconds."""

    first: tuple[float, ...]
    then_every: float
    lifetime: float
    """The time from acceptance to `expired`."""

    def delay(self, attempts: int) -> float:
        """The delay after so many attempts, before jitter."""
        return self.first[attempts - 1] if attempts <= len(self.first) else self.then_every


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """The settings of this module, in seconds where not said otherwise."""

    emergency: Schedule = Schedule((5, 15, 30, 60, 120), 300, 24 * 3600)
    others: Schedule = Schedule((60, 120, 300, 600, 900, 1800), 3600, 72 * 3600)
    jitter: float = 0.2
    """Share of a delay by which it varies, either way."""
    first_hold: float = 5
    """How long a lane waits after the first failure of its mail server; doubled by each further one."""
    longest_hold: float = 300
    configuration_hold: float = 900
    longest_retry_after: float = 3600
    """The most that a server can ask for: a mistaken week must not stop a lane."""

    def schedule(self, urgency: Urgency) -> Schedule:
        """The schedule of a class."""
        return self.emergency if urgency is Urgency.EMERGENCY else self.others


DEFAULT: Final = RetryPolicy()


@dataclass(frozen=True, slots=True)
class TryAgain:
    """The delivery goes back into the queue and is due after so many seconds."""

    after_s: float


@dataclass(frozen=True, slots=True)
class End:
    """The delivery has ended."""

    state: State


_SENT: Final = End(State.SENT)
_REJECTED: Final = End(State.REJECTED)
_EXPIRED: Final = End(State.EXPIRED)


def uses_up_attempt(outcome: Outcome) -> bool:
    """False when the failure was not about this mail; such an attempt is recorded but does not lengthen the delay."""
    return outcome.verdict is not Verdict.RETRY or outcome.party not in _OF_THE_LANE


def next_step(
    urgency: Urgency, *, attempts: int, age_s: float, outcome: Outcome, jitter: float, policy: RetryPolicy = DEFAULT
) -> TryAgain | End:
    """What comes after an attempt.

    `attempts` is the place in the schedule: how many tries counted (`uses_up_attempt`; of an emergency, all), this one
    included; `age_s` is the time since the mail was accepted; `jitter` is a random number from -1 to 1.
    """
    if outcome.verdict is Verdict.SENT:
        return _SENT
    if outcome.verdict is Verdict.REJECTED:
        return _REJECTED
    schedule = policy.schedule(urgency)
    left = schedule.lifetime - age_s
    asked = _asked_for(outcome, policy)
    if left <= 0 or asked > left:
        return _EXPIRED
    is_probe = not uses_up_attempt(outcome) and urgency is not Urgency.EMERGENCY
    delay = schedule.delay(1 if is_probe else max(attempts, 1))
    return TryAgain(min(left, max(asked, delay * (1 + policy.jitter * jitter))))


def hold(outcome: Outcome, failures: int, policy: RetryPolicy = DEFAULT) -> float | None:
    """How many seconds the whole lane waits after an outcome; None when it does not.

    `failures` counts the lane's failures in a row, this one included. Any other outcome ends the row.
    """
    if uses_up_attempt(outcome):
        return None
    asked = _asked_for(outcome, policy)
    if outcome.party is Party.CONFIGURATION:
        return max(asked, policy.configuration_hold)
    doublings = min(max(failures, 1) - 1, 30)  # far beyond the longest hold, and no overflow
    return max(asked, min(policy.longest_hold, policy.first_hold * 2**doublings))


def _asked_for(outcome: Outcome, policy: RetryPolicy) -> float:
    return min(max(0.0, outcome.retry_after or 0.0), policy.longest_retry_after)
