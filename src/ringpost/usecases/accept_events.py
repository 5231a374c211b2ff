"""Accept events: what each becomes (`plan`) goes into the outbox, in one commit; long lists of large mails in more."""

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import structlog
from sqlalchemy import Connection

from ringpost.domain.catalogue import EventType
from ringpost.domain.deliveries import State, Urgency
from ringpost.domain.events import Event, SkipReason
from ringpost.domain.messages import Message
from ringpost.domain.system_events import catalogue_of
from ringpost.domain.tenants import SYSTEM, TenantId
from ringpost.errors import AlreadyExists, RingpostError, StorageUnavailable
from ringpost.storage import bell, groups
from ringpost.storage import events as event_rows
from ringpost.storage.events import DeliveryRow, EventRow, MessageRow
from ringpost.storage.faults import fault_of
from ringpost.storage.groups import afterwards
from ringpost.storage.outbox import Claimed
from ringpost.storage.outcomes import look_around, on_hold
from ringpost.storage.queues import is_borrowed, queue_of
from ringpost.storage.sealing import SealBroken
from ringpost.storage.settings import ServerInForce, keep_as_they_are
from ringpost.storage.standing import Standing
from ringpost.transports import lease
from ringpost.transports.lease import ENDLESS, Lease
from ringpost.usecases.deliver import Work
from ringpost.usecases.hand_over import Taker
from ringpost.usecases.plan import Plan, canonical, is_same_content, plan, plan_early
from ringpost.usecases.room import Room

_QUEUED, _SENDING = State.QUEUED.value, State.SENDING.value

_log = structlog.get_logger("ringpost.accept_events")


class Receipt(NamedTuple):
    """What the sender of an event is told. The same for a repetition as for the first time."""

    id: str
    type: str
    deliveries: tuple[tuple[str, str], ...]
    """Delivery ids and recipients."""
    skipped: SkipReason | None
    repeated: bool = False
    """The event was accepted before; nothing new is sent. Not part of the answer, as what follows."""
    unknown: tuple[str, ...] = ()
    """Variables that the template asked for and nobody knew."""
    empty: tuple[str, ...] = ()
    """Variables that the template asked for and the event had no value for."""

    def to_json(self) -> dict[str, object]:
        """What the sender is told, as the API has it."""
        return {
            "id": self.id,
            "type": self.type,
            "deliveries": [{"id": delivery, "recipient": recipient} for delivery, recipient in self.deliveries],
            "skipped": self.skipped,
        }


PLANNED_AT_ONCE = 25
"""Weight of the events of a list, after which others on the same thread get their turn."""

FEW_RECIPIENTS = 8
"""How many recipients an event may have that is quick; each is a row."""
SMALL = 32 * 1024
"""Octets of a message and its variables."""
OCTETS_PER_ITEM = 16 * 1024
"""Of what an event writes, as many take the room of one item in a commit."""
UNPLANNED = 40
"""What an event weighs whose message is rendered in the commit only: there are templates of any size."""

_Post = tuple[Event, Plan | None]


async def accept_events(room: Room, wanted: Sequence[Event]) -> list[Receipt | RingpostError]:
    """Accept events; each is taken or refused by itself. When this returns, what was taken is on disk.

    Raises StorageUnavailable when nothing could be stored. A refusal is AlreadyExists (same id, other content),
    Invalid (the template renders to more than is allowed), StorageUnavailable (behind events that were stored), or
    RingpostError itself (a fault of ours; it is logged).
    """
    results: list[Receipt | RingpostError] = []
    while len(results) < len(wanted):
        posts, weight = await _planned(room, wanted[len(results) :])
        quick = all(_is_quick(made) for _, made in posts)
        try:
            results += await room.database.write_each(_accept, room, posts, quick=quick, weight=weight)
        except StorageUnavailable as error:
            if not results:
                raise
            results += [error] * (len(wanted) - len(results))
    return results


async def _planned(room: Room, wanted: Sequence[Event]) -> tuple[list[_Post], int]:
    """As many from the front as one commit has room for, and their weight: short lists may become gigabytes of mail."""
    posts: list[_Post] = []
    weight = turned = 0
    for event in wanted:
        if weight - turned >= PLANNED_AT_ONCE:
            await asyncio.sleep(0)
            turned = weight
        made = plan_early(room, event)
        posts.append((event, made))
        weight += _weight(event, made)
        if weight >= groups.LARGEST:
            break
    return posts, weight


def _weight(event: Event, made: Plan | None) -> int:
    """How many items' room an event takes in a commit, going by the rows and the octets that it writes."""
    if made is None:
        return UNPLANNED + sum(len(file.data) for file in event.attachments) // OCTETS_PER_ITEM
    recipients = 0 if isinstance(made.told, SkipReason) else len(made.told)
    return max(1, recipients, (len(made.sealed) + len(made.variables or b"")) // OCTETS_PER_ITEM)


def _is_quick(made: Plan | None) -> bool:
    """Whether it is a few small rows, as most events are."""
    if made is None:
        return False
    recipients = 0 if isinstance(made.told, SkipReason) else len(made.told)
    return recipients <= FEW_RECIPIENTS and len(made.sealed) + len(made.variables or b"") <= SMALL


def accept(connection: Connection, room: Room, events: Sequence[Event]) -> list[Receipt | RingpostError]:
    """The same as a part of another write."""
    return _accept(connection, room, [[(event, None) for event in events]])[0]


def _accept(
    connection: Connection, room: Room, requests: Sequence[Sequence[_Post]]
) -> list[list[Receipt | RingpostError]]:
    """The write behind it all, for many requests at once."""
    desk = _Desk.open(connection, room, [event for request in requests for event, _ in request])
    try:
        results = [[desk.take(*post) for post in request] for request in requests]
        event_rows.add(connection, desk.events, desk.messages, desk.deliveries)
    except BaseException:
        desk.put_down(0)
        raise
    desk.hand_over(connection)
    return results


@dataclass(slots=True)
class _Desk:
    """What one commit knows when it starts, and what it will write."""

    room: Room
    connection: Connection
    now: int
    standing: Standing
    receipts: dict[tuple[TenantId, str], tuple[bytes, Receipt]]
    """Receipts of events accepted before, with their fingerprints."""
    failing: Collection[str]
    """Lanes and queues on hold."""
    taker: Taker | None
    """A worker of this process that takes mail on at once."""
    claim: str = ""
    lease_until: int = 0
    lease: Lease = ENDLESS
    events: list[EventRow] = field(default_factory=list[EventRow])
    messages: list[MessageRow] = field(default_factory=list[MessageRow])
    deliveries: list[DeliveryRow] = field(default_factory=list[DeliveryRow])
    works: list[Work] = field(default_factory=list[Work])
    """What the worker has taken on."""

    @classmethod
    def open(cls, connection: Connection, room: Room, wanted: Sequence[Event]) -> "_Desk":
        """Look up all that the events need, with one query of each kind."""
        owners = {event.tenant for event in wanted}
        count, some_holds = look_around(connection)
        borrowed = {queue_of(owner, own_server=False) for owner in owners}
        failing = on_hold(connection, {*owners, SYSTEM, *borrowed}, some_holds)
        if SYSTEM in failing or not borrowed.isdisjoint(failing):
            keep_as_they_are(connection, owners)  # else a mail may wait behind a server that its tenant has just left
            count, _ = look_around(connection)
        since, now, standing = lease.now(), room.clock(), room.standing.as_of(count)
        standing.load(connection, owners, {(event.tenant, event.type) for event in wanted})
        standing.tenants.setdefault(SYSTEM, room.options.system_level())
        known = _receipts(connection, {(event.tenant, event.id) for event in wanted if event.id is not None})
        desk = cls(room, connection, now, standing, known, failing, room.takers.next())
        if desk.taker is not None:
            desk.claim, lease_ms = desk.taker.claim()
            desk.lease_until, desk.lease = now + lease_ms, Lease(lease_ms / 1000, since)
        return desk

    def take(self, event: Event, early: Plan | None) -> Receipt | RingpostError:
        """Accept one event, or say why not; `early` is its plan, if it has one."""
        written, taken = (len(self.events), len(self.messages), len(self.deliveries)), len(self.works)
        try:
            return self._take(event, early)
        except RingpostError as error:
            refusal = error
        except Exception as error:  # one event's fault must not be that of those beside it in the commit
            if isinstance(error, MemoryError) or fault_of(error) is not None:
                raise  # but this is not the event's: nobody knows what of the commit is left
            _log.exception("event_failed", tenant=event.tenant, type=event.type)
            refusal = RingpostError("The event could not be taken.")
        for rows, length in zip((self.events, self.messages, self.deliveries), written, strict=True):
            del rows[length:]
        self.put_down(taken)
        return refusal

    def put_down(self, first: int) -> None:
        """What the worker took on from this one on does not come about."""
        works, self.works[first:] = self.works[first:], []
        if works and self.taker is not None:
            self.taker.put_down(works)

    def hand_over(self, connection: Connection) -> None:
        """Once all this is on disk, the worker begins, and others hear of what waits."""
        queued = len(self.works) < len(self.deliveries)
        works, taker, ring = self.works, self.taker, self.room.bell.ring

        def begin() -> None:
            if works and taker is not None:
                taker.begin(works)
            if queued:
                ring()

        afterwards(connection, begin, lambda: self.put_down(0))
        if queued:  # last, as it may fail: from here on, what was taken on is put down with the transaction
            bell.ring(connection)

    def _take(self, event: Event, early: Plan | None) -> Receipt:
        if event.id is not None and (before := self.receipts.get((event.tenant, event.id))) is not None:
            fingerprint, receipt = before
            content = canonical(event) if early is None else early.content
            if is_same_content(self.room, content, fingerprint):
                return Receipt(receipt.id, receipt.type, receipt.deliveries, receipt.skipped, repeated=True)
            raise AlreadyExists(f"The event {event.id} was accepted before with other content.")
        holds = early is not None and early.holds(self.standing)
        made = early if early and holds else plan(self.room, self.standing, event, self.now)
        receipt = self._write(made)
        self.receipts[event.tenant, receipt.id] = made.fingerprint, receipt
        return receipt

    def _write(self, made: Plan) -> Receipt:
        """Put the event, its message and its deliveries among what is written."""
        event, key, kind = made.event, made.key, catalogue_of(made.event.tenant)[made.event.type]
        deliveries = self._queue(made, kind)
        skipped = made.told if isinstance(made.told, SkipReason) else None
        erase_at = self.now + self.room.options.keep_messages_s * 1000  # a secret that nobody is told was not kept
        self.events.append(
            EventRow(
                key=key,
                tenant=event.tenant,
                id=event.id or key,
                type=event.type,
                occurred_at=self.now if event.occurred_at is None else event.occurred_at,
                accepted_at=self.now,
                fingerprint=made.fingerprint,
                variables=made.variables,
                template=made.revision.id if made.revision else None,
                unknown_variables=", ".join(made.unknown) or None,
                skip_reason=skipped,
                erase_at=erase_at if skipped else None,
            )
        )
        if made.message is not None:
            self.messages.append(MessageRow(key, event.tenant, made.sealed))
        if made.unknown or made.empty:  # names only: a value may be a secret
            names = {"unknown": made.unknown, "empty": made.empty}
            _log.info("variables_unfilled", tenant=event.tenant, type=event.type, event_key=key, **names)
        return Receipt(event.id or key, event.type, deliveries, skipped, unknown=made.unknown, empty=made.empty)

    def _queue(self, made: Plan, kind: EventType) -> tuple[tuple[str, str], ...]:
        """One delivery per recipient; returns their ids and recipients."""
        if made.message is None or isinstance(made.told, SkipReason):
            return ()
        event, key, message = made.event, made.key, made.message
        lifetime = self.room.options.retry_policy.schedule(kind.urgency).lifetime
        expires_at = self.now + int(lifetime * 1000)
        queue = queue_of(event.tenant, own_server=self._goes_through_own_server(event))
        server = self._server_of(queue, event.tenant, kind.urgency)
        ids: list[tuple[str, str]] = []
        for number, address in enumerate(made.told, 1):
            delivery = f"{key}-{number}"
            ids.append((delivery, address.canonical))
            taken = server is not None and self._hands_take(queue, kind.urgency, message, server)
            row = DeliveryRow(
                id=delivery,
                tenant=event.tenant,
                event=key,
                type=event.type,
                recipient=address.canonical,
                urgency=kind.urgency.value,
                secret=made.secret,
                queue=queue,
                state=_SENDING if taken else _QUEUED,
                claims=int(taken),
                created_at=self.now,
                due_at=self.now,
                expires_at=expires_at,
                claim=self.claim if taken else None,
                lease_until=self.lease_until if taken else None,
            )
            self.deliveries.append(row)
            if taken:
                falls_over_to = self._falls_over_to(event)
                claimed = _claimed(row, kind.urgency)
                self.works.append(Work(claimed, message, server, 0, falls_over_to, lease=self.lease))
        return tuple(ids)

    def _hands_take(self, queue: str, urgency: Urgency, message: Message, server: ServerInForce) -> bool:
        return self.taker is not None and self.taker.take(queue, urgency, len(message.content), server.endpoint)

    def _server_of(self, queue: str, tenant: TenantId, urgency: Urgency) -> ServerInForce | None:
        """The mail server that a worker may try at once; None where the mail has to wait for its turn.

        What is borrowed is counted when it is claimed, and a lane on hold is probed by one mail at a time.
        """
        if self.taker is None or is_borrowed(queue) or (queue in self.failing and urgency is not Urgency.EMERGENCY):
            return None
        try:
            return self.standing.server(self.connection, self.room.sealer, tenant, self.room.options.provider_hosts)
        except SealBroken:
            return None  # the claim says what is wrong with it

    def _goes_through_own_server(self, event: Event) -> bool:
        """An emergency does not even try a server that is known to fail, when the system's stands by."""
        settings = self.standing.settings[event.tenant]
        falls_over = _is_emergency(event) and settings.system_server and event.tenant in self.failing
        return settings.own_server and not falls_over

    def _falls_over_to(self, event: Event) -> str | None:
        """Where an emergency goes on when its tenant's own server fails."""
        lent = self.standing.settings[event.tenant].system_server and event.tenant != SYSTEM
        if not _is_emergency(event) or not lent or SYSTEM in self.failing:
            return None
        return queue_of(event.tenant, own_server=False)


def _is_emergency(event: Event) -> bool:
    return catalogue_of(event.tenant)[event.type].urgency is Urgency.EMERGENCY


def _claimed(row: DeliveryRow, urgency: Urgency) -> Claimed:
    return Claimed(
        id=row.id,
        tenant=row.tenant,
        event=row.event,
        recipient=row.recipient,
        urgency=urgency,
        secret=row.secret,
        queue=row.queue,
        attempts=0,
        retries=0,
        created_at=row.created_at,
        expires_at=row.expires_at,
        claim=row.claim or "",
    )


def _receipts(
    connection: Connection, ids: set[tuple[TenantId, str]]
) -> dict[tuple[TenantId, str], tuple[bytes, Receipt]]:
    rows = event_rows.known(connection, ids)
    if not rows:
        return {}
    deliveries = event_rows.delivered_to(connection, [row.key for row in rows.values()])
    return {
        place: (
            row.fingerprint,
            Receipt(
                row.id,
                row.type,
                tuple(deliveries.get(row.key, ())),
                SkipReason(row.skip_reason) if row.skip_reason else None,
            ),
        )
        for place, row in rows.items()
    }
