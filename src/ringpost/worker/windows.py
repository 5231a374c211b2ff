"""What a worker has in hand, and how much more of each queue it takes on.

A worker has *slots*: a mail takes one for every 16 KiB that it has. So slots stand for memory, which is all that a mail
costs that only waits for its server. Who may take them:

- A tenth, 2 at least, is kept for class emergency. The last half of that is for queues with no emergency in hand: one
  whose server is silent holds what it has for minutes.
- A mail server (a lane) is given what it answers without slowing down: its *window*; see `concurrency`. A lane that
  works on a `Pace` is given no more than may go soon, of all lanes together that share it.
- While others wait, no queue takes more than a quarter. Alone, it may have all.
- Lanes that are slow (no answer for 5 s) have 11/16 at most among them, and 13/16 together with those that have not
  answered yet; the rest is for servers that answer. A lane that has not answered begins with one mail once a quarter
  of all is taken. So thousands of servers that are silent cost memory, and whoever has a quick one does not notice.
- What is free goes round the queues that wait, by deficit; see `shares`.

Emergencies have windows of their own: what hangs at a server must not keep an emergency from being tried.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Final, NamedTuple

from ringpost.domain.deliveries import Outcome, Urgency, Verdict
from ringpost.domain.retries import uses_up_attempt
from ringpost.domain.traps import mail, reaching
from ringpost.storage.queues import lane_of
from ringpost.worker.at_pace import AtPace, Paced
from ringpost.worker.concurrency import FIRST_WINDOW, Concurrency
from ringpost.worker.shares import Bid, share_out

SLOT_BYTES: Final = 16 * 1024
"""Bytes of a message for one slot; the mail as it is sent and what belongs to it take about four times that."""
SLOW_S: Final = 5.0
"""A lane without an answer for so long is slow."""
SLOW_SHARE: Final = 11 / 16
"""The share of the slots that slow lanes may have."""
UNPROVEN_SHARE: Final = 13 / 16
"""The share of the slots that slow lanes and those that have not answered yet may have together."""
LOOK_S: Final = 0.5
"""How often to look which lanes are slow."""

_LESS: Final = frozenset({"4.3.2", "4.4.5", "4.7.0", "4.7.28"})
"""Not accepting, congested (RFC 3463), and what large providers say when it is too fast for them."""
_TOO_MUCH: Final = frozenset({mail.SENDING_LIMIT.code, reaching.TOO_MANY_CONNECTIONS.code})
"""What those say in words who have no such code (Amazon: `454 Throttling failure: Maximum sending rate exceeded`)."""

_Side = tuple[str, bool]
"""A queue or a lane, and whether it is about its emergencies."""


class Said(NamedTuple):
    """What an outcome says about its server: nothing good, to begin with."""

    answered_after_s: float | None = None
    """None when it did not answer as a server."""
    asks_for_less: bool = False


NOTHING: Final = Said()


def said_by(outcome: Outcome, took_s: float) -> Said:
    """What an outcome that took so many seconds says about its server."""
    if not uses_up_attempt(outcome):
        return NOTHING
    less = outcome.enhanced_code in _LESS or outcome.trap in _TOO_MUCH
    return Said(took_s, outcome.verdict is Verdict.RETRY and less)


@dataclass(slots=True)
class _Lane:
    concurrency: Concurrency
    emergency: bool
    heard_at: float
    """When it last answered, or was given its first mail."""
    mails: int = 0
    slots: int = 0
    pace: Paced | None = None
    slow: bool = False
    """Whether its mails wait long for an answer, as of the last look."""

    def is_slow(self, now: float) -> bool:
        """Whether its mails wait long for an answer."""
        return (self.concurrency.best_s or 0.0) > SLOW_S or (self.mails > 0 and now - self.heard_at > SLOW_S)

    @property
    def paced_lately(self) -> bool:
        """Whether mails that went lately still count against its pace."""
        return self.pace is not None and not self.pace.idle

    @property
    def unproven(self) -> bool:
        """Whether it has not shown that it is quick."""
        return self.slow or self.concurrency.best_s is None


@dataclass(slots=True)
class _Queue:
    lane: _Lane
    """Its server's, looked up once and not for every mail."""
    mails: int = 0
    slots: int = 0
    weight: float = 1.0
    """Slots that one of its mails takes, on the average of late."""
    debt: float = 0.0
    """Turns that its heavy mails still cost it."""
    visit: int = 0
    """When it was last visited, for `shares`."""
    asked: bool = True
    """Whether it waited since `forget_idle`."""


class Windows:
    """Counts what is in hand. Called by the worker, and on its behalf by the thread that writes."""

    def __init__(self, slots: int, clock: Callable[[], float]) -> None:
        """`clock`: monotonic seconds."""
        self._lock = Lock()
        self._slots = slots
        self._kept = max(2, slots // 10)
        self._clock = clock
        self._taken = 0
        self._lanes: dict[_Side, _Lane] = {}
        self._queues: dict[_Side, _Queue] = {}
        self._at_pace = AtPace()
        self._slow = 0
        self._unproven = 0
        self._looked_at = float("-inf")
        self._visits = 0

    def free(self, urgency: Urgency) -> int:
        """How many slots there are for a class."""
        with self._lock:
            return self._free(urgency)

    def share_out(
        self, queues: Sequence[str], urgency: Urgency, free: int, taken: Mapping[str, int], *, others_wait: bool = False
    ) -> dict[str, int]:
        """How many mails each of these queues, which wait, may take of the free slots.

        `taken`: mails of queues that were claimed in the same go and are not in hand yet. `others_wait`: beside these.
        """
        others_wait = others_wait or len(queues) > 1
        with self._lock:
            known_as = {queue: self._queue(_side(queue, urgency)) for queue in queues}
            circle = sorted(queues, key=lambda queue: known_as[queue].visit)
            room_of = self._rooms(dict.fromkeys(map(lane_of, circle)), urgency, taken)
            bids: list[Bid] = []
            for queue, known in known_as.items():
                known.asked = True
                if room_of[lane_of(queue)] <= 0:
                    continue
                room = self._room_of_queue(known, others_wait=others_wait) - taken.get(queue, 0)
                bids.append(Bid(queue, lane_of(queue), room, known.weight, known.debt, known.visit))
            for queue, mails in taken.items():
                if lane_of(queue) in room_of:
                    room_of[lane_of(queue)] -= mails
            self._share_out(bids, known_as, free, room_of, urgency)
            for bid in bids:
                known_as[bid.queue].debt, known_as[bid.queue].visit = bid.debt, bid.visit
            return {bid.queue: bid.given for bid in bids if bid.given}

    def take(self, queue: str, urgency: Urgency, size: int, pace: Paced | None = None) -> bool:
        """Take one more of the queue into hand, if there is room for it."""
        slots = slots_of(size)
        with self._lock:
            known = self._queue(_side(queue, urgency))
            there_is_room = (
                self._free(urgency) >= slots
                and self._room_for(known) > 0
                and (pace is None or self._at_pace.more(pace, emergency=known.lane.emergency) > 0)
            )
            if there_is_room:
                self._took(known, slots, pace)
            return there_is_room

    def took(self, queue: str, urgency: Urgency, size: int = 0, pace: Paced | None = None, *, more: int = 0) -> None:
        """One more of the queue is in hand, with so many bytes; `pace` is that of its server, if it has one.

        `more`: bytes that take no slots, because there are none for them; its queue pays for them all the same.
        """
        with self._lock:
            known = self._queue(_side(queue, urgency))
            self._took(known, slots_of(size), pace)
            known.debt += slots_of(size + more) - slots_of(size)

    def would_wait(self, queue: str, urgency: Urgency, pace: Paced) -> bool:
        """Whether one more of the queue would only wait: the pace of its lane may not have been known before."""
        with self._lock:
            lane = self._queue(_side(queue, urgency)).lane
            self._go_at(lane, pace)
            return self._at_pace.more(pace, emergency=lane.emergency) <= 0

    def ended(self, queue: str, urgency: Urgency, said: Said, size: int = 0) -> None:
        """One of the queue is no longer in hand."""
        with self._lock:
            known = self._queue(_side(queue, urgency))
            lane, was_unproven = known.lane, known.lane.unproven
            if said.answered_after_s is None:
                lane.concurrency.failed()
            elif said.asks_for_less:
                lane.concurrency.asked_for_less(lane.mails)
            else:
                lane.concurrency.answered(said.answered_after_s, lane.mails)
            lane.heard_at = self._clock()
            if lane.unproven is not was_unproven:
                self._unproven += -lane.slots if was_unproven else lane.slots
            self._put_down(known, slots_of(size))

    def put_down(self, queue: str, urgency: Urgency, size: int = 0) -> None:
        """One of the queue is no longer in hand; nothing was heard of its server."""
        with self._lock:
            self._put_down(self._queue(_side(queue, urgency)), slots_of(size))

    def forget_idle(self) -> None:
        """Drop what is known of idle lanes and queues, so that memory follows the work."""
        with self._lock:
            self._lanes = {side: lane for side, lane in self._lanes.items() if lane.mails or lane.paced_lately}
            self._queues = {side: known for side, known in self._queues.items() if known.mails or known.asked}
            for side, known in self._queues.items():
                known.asked = False
                known.lane = self._lane(lane_of(side[0]), emergency=side[1])

    # With the lock held: ---------------------------------------------------------------------------------------------

    def _share_out(
        self, bids: Sequence[Bid], known_as: Mapping[str, _Queue], free: int, room_of: dict[str, int], urgency: Urgency
    ) -> None:
        """Of the emergencies, the last slots go to the first of each queue."""
        if urgency is not Urgency.EMERGENCY:
            self._visits = share_out(bids, free, room_of, self._visits)
            return
        self._visits = share_out(bids, min(free, self._free_for_more), room_of, self._visits)
        free -= math.ceil(sum(bid.given * bid.weight for bid in bids))
        firsts = [bid for bid in bids if not bid.given and not known_as[bid.queue].mails]
        for bid in firsts:
            bid.room = min(bid.room, 1)
        self._visits = share_out(firsts, free, room_of, self._visits)

    @property
    def _free_for_more(self) -> int:
        """How many slots there are for emergencies of queues that have some in hand."""
        return self._free(Urgency.EMERGENCY) - self._kept // 2

    def _free(self, urgency: Urgency) -> int:
        self._look_for_slow()
        kept = 0 if urgency is Urgency.EMERGENCY else self._kept
        return max(0, self._slots - kept - self._taken)

    def _room_for(self, known: _Queue) -> int:
        """How many more mails of a queue may be taken on, as if others waited: whether any do is not known here."""
        room, left = self._room_of_lane(known.lane), self._left_for(known.lane)
        of_queue = self._room_of_queue(known, others_wait=True)
        if known.lane.emergency and known.mails:
            of_queue = min(of_queue, self._free_for_more)
        return min(room, of_queue) if left is None else min(room, of_queue, left)

    def _took(self, known: _Queue, slots: int, pace: Paced | None) -> None:
        lane = known.lane
        if not lane.mails:
            lane.heard_at = self._clock()
        if lane.unproven:
            self._unproven += slots
        if lane.slow:
            self._slow += slots
        self._go_at(lane, pace)
        lane.mails += 1
        lane.slots += slots
        self._at_pace.add(pace, 1, emergency=lane.emergency)
        known.mails += 1
        known.slots += slots
        known.weight += (slots - known.weight) / 4
        known.debt += slots - 1
        self._taken += slots

    def _put_down(self, known: _Queue, slots: int) -> None:
        lane = known.lane
        if lane.unproven:
            self._unproven -= slots
        if lane.slow:
            self._slow -= slots
        lane.mails -= 1
        lane.slots -= slots
        self._at_pace.add(lane.pace, -1, emergency=lane.emergency)
        known.mails -= 1
        known.slots -= slots
        self._taken -= slots

    def _go_at(self, lane: _Lane, pace: Paced | None) -> None:
        if pace is not lane.pace:
            self._at_pace.add(lane.pace, -lane.mails, emergency=lane.emergency)
            lane.pace = pace
            self._at_pace.add(pace, lane.mails, emergency=lane.emergency)

    def _rooms(self, servers: Iterable[str], urgency: Urgency, taken: Mapping[str, int]) -> dict[str, int]:
        """How many more mails each server is given; those not known to be quick divide what is left to them.

        So do those at one pace. What cannot be divided goes to the first of them.
        """
        emergency = urgency is Urgency.EMERGENCY
        lanes = {server: self._lane(server, emergency=emergency) for server in servers}
        rooms = {server: self._room_of_lane(lane) for server, lane in lanes.items()}
        doubtful = {server: left for server, lane in lanes.items() if (left := self._left_for(lane)) is not None}
        _divide(doubtful, rooms, taken)
        paces = dict.fromkeys(lane.pace for lane in lanes.values() if lane.pace is not None)
        for pace in paces:
            soon = self._at_pace.more(pace, emergency=emergency)
            _divide({server: soon for server, lane in lanes.items() if lane.pace is pace}, rooms, taken)
        return rooms

    def _room_of_lane(self, lane: _Lane) -> int:
        crowded = self._taken > self._slots // 4
        width = 1 if crowded and lane.concurrency.best_s is None else lane.concurrency.width
        room = width - lane.mails
        return room if lane.pace is None else min(room, self._at_pace.more(lane.pace, emergency=lane.emergency))

    def _left_for(self, lane: _Lane) -> int | None:
        """The slots left to all lanes like this one; None for those that are known to be quick, and for emergencies."""
        if lane.emergency:
            return None
        if lane.slow:
            return max(0, int(self._slots * SLOW_SHARE) - self._slow)
        if lane.concurrency.best_s is None:
            return max(0, int(self._slots * UNPROVEN_SHARE) - self._unproven)
        return None

    def _room_of_queue(self, known: _Queue, others_wait: bool) -> int:
        most = max(FIRST_WINDOW, self._slots // 4) if others_wait else self._slots
        if not known.mails:
            return max(1, int(most / known.weight))
        return int((most - known.slots) / known.weight)

    def _look_for_slow(self) -> None:
        now = self._clock()
        if now - self._looked_at < LOOK_S:
            return
        self._looked_at = now
        self._slow = self._unproven = 0
        for lane in self._lanes.values():
            lane.slow = not lane.emergency and lane.is_slow(now)
            self._slow += lane.slots if lane.slow else 0
            self._unproven += lane.slots if lane.unproven else 0

    def _lane(self, server: str, *, emergency: bool) -> _Lane:
        lane = self._lanes.get((server, emergency))
        if lane is None:
            lane = self._lanes[server, emergency] = _Lane(Concurrency(self._slots), emergency, self._clock())
        return lane

    def _queue(self, side: _Side) -> _Queue:
        known = self._queues.get(side)
        if known is None:
            known = self._queues[side] = _Queue(self._lane(lane_of(side[0]), emergency=side[1]))
        return known


def _divide(left: Mapping[str, int], rooms: dict[str, int], taken: Mapping[str, int]) -> None:
    """Have servers that share what is left give up what is more than their parts of it."""
    claimed = sum(mails for queue, mails in taken.items() if lane_of(queue) in left)
    with_room = [server for server in left if rooms[server] > 0]
    for place, server in enumerate(with_room):
        each, more = divmod(max(0, left[server] - claimed), len(with_room))
        rooms[server] = min(rooms[server], each + (place < more))


def slots_of(size: int) -> int:
    """How many slots a mail of so many bytes takes; 1 at least."""
    return -(-size // SLOT_BYTES) or 1


def _side(name: str, urgency: Urgency) -> _Side:
    return name, urgency is Urgency.EMERGENCY
