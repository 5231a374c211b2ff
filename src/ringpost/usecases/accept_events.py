"""Accept events: decide who is told, render the message, and put it into the outbox, all in one commit."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

import msgspec
import structlog
from sqlalchemy import Connection

from ringpost.domain.addresses import Address, parse_address
from ringpost.domain.catalogue import Audience, EventType
from ringpost.domain.deliveries import State, Urgency
from ringpost.domain.events import Event, SkipReason, Value
from ringpost.domain.hosts import parse_host
from ringpost.domain.messages import Message
from ringpost.domain.rendering import Rendered, Stamp
from ringpost.domain.system_events import catalogue_of
from ringpost.domain.tenants import SYSTEM, Tenant, TenantId
from ringpost.errors import AlreadyExists, Invalid, NotFound, RingpostError
from ringpost.storage import bell
from ringpost.storage import events as event_rows
from ringpost.storage.database import afterwards
from ringpost.storage.default_templates import language_of
from ringpost.storage.events import DeliveryRow, EventRow, MessageRow
from ringpost.storage.identifiers import new_id
from ringpost.storage.outbox import Claimed
from ringpost.storage.outcomes import on_hold
from ringpost.storage.queues import is_borrowed, queue_of
from ringpost.storage.sealing import Place, SealBroken
from ringpost.storage.settings import ServerInForce
from ringpost.storage.standing import Standing
from ringpost.usecases.deliver import Work
from ringpost.usecases.hand_over import Taker
from ringpost.usecases.prepare_template import prepared, qr_code
from ringpost.usecases.room import Room

_QUEUED, _SENDING = State.QUEUED.value, State.SENDING.value

_log = structlog.get_logger("ringpost.accept_events")


@dataclass(frozen=True, slots=True)
class Receipt:
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


async def accept_events(room: Room, wanted: Sequence[Event]) -> list[Receipt | RingpostError]:
    """Accept events; each is taken or refused by itself. When this returns, what was taken is on disk.

    Raises StorageUnavailable when nothing could be stored. A refusal is AlreadyExists (same id, other content),
    Invalid (the template renders to more than is allowed), or RingpostError itself (a fault of ours; it is logged).
    """
    return await room.database.write_each(accept, room, wanted)


def accept(
    connection: Connection, room: Room, requests: Sequence[Sequence[Event]]
) -> list[list[Receipt | RingpostError]]:
    """The write behind `accept_events`, for many requests at once."""
    desk = _Desk.open(connection, room, [event for request in requests for event in request])
    try:
        results = [[desk.take(event) for event in request] for request in requests]
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
    events: list[EventRow] = field(default_factory=list[EventRow])
    messages: list[MessageRow] = field(default_factory=list[MessageRow])
    deliveries: list[DeliveryRow] = field(default_factory=list[DeliveryRow])
    works: list[Work] = field(default_factory=list[Work])
    """What the worker has taken on."""

    @classmethod
    def open(cls, connection: Connection, room: Room, wanted: Sequence[Event]) -> "_Desk":
        """Look up all that the events need, with one query of each kind."""
        now, standing = room.clock(), room.standing.now(connection)
        owners = {event.tenant for event in wanted}
        standing.load(connection, owners, {(event.tenant, event.type) for event in wanted})
        standing.tenants.setdefault(SYSTEM, room.options.system_level())
        known = _receipts(connection, {(event.tenant, event.id) for event in wanted if event.id is not None})
        desk = cls(room, connection, now, standing, known, on_hold(connection, {*owners, SYSTEM}), room.takers.next())
        if desk.taker is not None:
            desk.claim, lease_ms = desk.taker.claim()
            desk.lease_until = now + lease_ms
        return desk

    def take(self, event: Event) -> Receipt | RingpostError:
        """Accept one event, or say why not."""
        written, taken = (len(self.events), len(self.messages), len(self.deliveries)), len(self.works)
        try:
            return self._take(event)
        except RingpostError as error:
            refusal = error
        except Exception:  # noqa: BLE001  one event's fault must not be that of those beside it in the commit
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
        if queued:
            bell.ring(connection)
        works, taker, ring = self.works, self.taker, self.room.bell.set

        def begin() -> None:
            if works and taker is not None:
                taker.begin(works)
            if queued:
                ring()

        afterwards(connection, begin, lambda: self.put_down(0))

    def _take(self, event: Event) -> Receipt:
        if event.tenant not in self.standing.tenants:
            raise NotFound("There is no such tenant any more.")
        content = _canonical(event)
        if event.id is not None and (before := self.receipts.get((event.tenant, event.id))) is not None:
            fingerprint, receipt = before
            if self.room.sealer.same_fingerprint(content, fingerprint):
                return receipt
            raise AlreadyExists(f"The event {event.id} was accepted before with other content.")
        receipt, fingerprint = self._accept(event, content)
        repetition = Receipt(receipt.id, receipt.type, receipt.deliveries, receipt.skipped, repeated=True)
        self.receipts[event.tenant, receipt.id] = fingerprint, repetition
        return receipt

    def _accept(self, event: Event, content: bytes) -> tuple[Receipt, bytes]:
        key = new_id(self.now)
        kind = catalogue_of(event.tenant)[event.type]
        recipients = self._recipients(event, kind)
        skipped = recipients if isinstance(recipients, SkipReason) else None
        unknown, empty, deliveries = (), (), ()
        if not isinstance(recipients, SkipReason):
            rendered = self._write_message(key, event, kind)
            unknown, empty = rendered.unknown, rendered.empty
            deliveries = self._queue(key, event, kind, recipients, rendered.message)
        fingerprint = self.room.sealer.fingerprint(content)
        revision = self.standing.revisions[event.tenant, event.type]
        erase_at = self.now if kind.secret else self.now + self.room.options.keep_messages_s * 1000
        self.events.append(
            EventRow(
                key=key,
                tenant=event.tenant,
                id=event.id or key,
                type=event.type,
                occurred_at=self._occurred_at(event),
                accepted_at=self.now,
                fingerprint=fingerprint,
                variables=None if skipped and kind.secret else self._seal_variables(key, event),
                template=revision.id if revision else None,
                unknown_variables=", ".join(unknown) or None,
                skip_reason=skipped,
                erase_at=erase_at if skipped else None,
            )
        )
        receipt = Receipt(event.id or key, event.type, deliveries, skipped, unknown=unknown, empty=empty)
        return receipt, fingerprint

    def _recipients(self, event: Event, kind: EventType) -> tuple[Address, ...] | SkipReason:
        """Who is told, or why nobody is."""
        settings = self.standing.settings[event.tenant]
        if not self.standing.tenants[event.tenant].enabled:
            return SkipReason.TENANT_DISABLED
        if kind.toggle is not None and not settings.is_on(kind.toggle):
            return SkipReason.NOTIFICATION_OFF
        recipients = _audience(event, kind.audience, settings.recipients)
        if not recipients:
            return SkipReason.NO_RECIPIENTS
        if not (settings.own_server or settings.system_server) and kind.urgency is not Urgency.EMERGENCY:
            return SkipReason.NO_MAIL_SERVER  # an emergency waits for one
        return recipients

    def _write_message(self, key: str, event: Event, kind: EventType) -> Rendered:
        """Render the message and put it into its envelope for storage."""
        tenant = self.standing.tenants[event.tenant]
        revision = self.standing.revisions[event.tenant, event.type]
        rendered = prepared(kind, revision, language_of(tenant.locale)).render(
            self._values(event, tenant),
            Stamp(self.now, _host(tenant.domain)),
            qr_png=qr_code(event.variables),
            attachments=event.attachments,
        )
        sealed = self.room.sealer.seal(Place(event.tenant, "messages", key, "content"), rendered.message.pack())
        self.messages.append(MessageRow(key, event.tenant, sealed))
        if rendered.unknown or rendered.empty:  # names only: a value may be a secret
            names = {"unknown": rendered.unknown, "empty": rendered.empty}
            _log.info("variables_unfilled", tenant=event.tenant, type=event.type, event_key=key, **names)
        return rendered

    def _values(self, event: Event, tenant: Tenant) -> dict[str, Value]:
        return {
            **event.variables,
            "TENANT_NAME": tenant.name,
            "PBX_WEB_DOMAIN": self.room.options.pbx_web_domain,
            "DATE_TIME": _local_time(self._occurred_at(event) // 1000, tenant.timezone),
        }

    def _queue(
        self, key: str, event: Event, kind: EventType, recipients: Sequence[Address], message: Message
    ) -> tuple[tuple[str, str], ...]:
        """One delivery per recipient; returns their ids and recipients."""
        lifetime = self.room.options.retry_policy.schedule(kind.urgency).lifetime
        expires_at = self.now + int(lifetime * 1000)
        queue = queue_of(event.tenant, own_server=self._goes_through_own_server(event))
        server = self._server_of(queue, event.tenant, kind.urgency)
        made: list[tuple[str, str]] = []
        for number, address in enumerate(recipients, 1):
            delivery = f"{key}-{number}"
            made.append((delivery, address.canonical))
            taken = server is not None and self._hands_take(queue, kind.urgency, message, server)
            row = DeliveryRow(
                id=delivery,
                tenant=event.tenant,
                event=key,
                type=event.type,
                recipient=address.canonical,
                urgency=kind.urgency.value,
                secret=kind.secret,
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
                self.works.append(Work(_claimed(row, kind.urgency), message, server, 0, self._falls_over_to(event)))
        return tuple(made)

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

    def _occurred_at(self, event: Event) -> int:
        return self.now if event.occurred_at is None else event.occurred_at

    def _seal_variables(self, key: str, event: Event) -> bytes | None:
        if not event.variables:
            return None
        text = msgspec.json.encode(event.variables)
        return self.room.sealer.seal(Place(event.tenant, "events", key, "variables"), text)


def _is_emergency(event: Event) -> bool:
    return catalogue_of(event.tenant)[event.type].urgency is Urgency.EMERGENCY


def _audience(event: Event, audience: Audience, tenants: tuple[Address, ...]) -> tuple[Address, ...]:
    match audience:
        case Audience.EVENT:
            return event.recipients
        case Audience.USER:
            return event.recipients or _new_user(event)
        case Audience.TENANT:
            return tenants
        case Audience.EVENT_ELSE_TENANT:
            return event.recipients or tenants
        case Audience.EVENT_AND_TENANT:
            return tuple({address.key: address for address in (*tenants, *event.recipients)}.values())


def _new_user(event: Event) -> tuple[Address, ...]:
    try:
        return (parse_address(str(event.variables.get("USER_EMAIL", ""))),)
    except Invalid:
        return ()


def _canonical(event: Event) -> bytes:
    """The same bytes for the same content, whatever the order of its fields."""
    content = (
        event.type,
        event.occurred_at,
        event.variables,
        [address.key for address in event.recipients],
        [(file.filename, file.content_type, file.data) for file in event.attachments],
    )
    return msgspec.json.encode(content, order="deterministic")


@lru_cache(4096)
def _local_time(second: int, timezone: str) -> str:
    """A second since 1970 as people at a place write it."""
    moment = datetime.fromtimestamp(second, UTC).astimezone(ZoneInfo(timezone))
    return f"{moment:%Y-%m-%d %H:%M:%S} {moment.tzname()}"


@lru_cache(4096)
def _host(domain: str) -> str:
    return parse_host(domain, single_label=True)


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
                repeated=True,
            ),
        )
        for place, row in rows.items()
    }
