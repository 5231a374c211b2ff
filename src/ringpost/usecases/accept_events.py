"""Accept events: decide who is told, render the message, and put it into the outbox, all in one commit."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import structlog
from sqlalchemy import Connection

from ringpost.domain.addresses import Address, parse_address
from ringpost.domain.catalogue import Audience, EventType
from ringpost.domain.deliveries import State, Urgency
from ringpost.domain.events import Event, SkipReason, Value
from ringpost.domain.hosts import parse_host
from ringpost.domain.rendering import Stamp
from ringpost.domain.system_events import catalogue_of
from ringpost.domain.tenants import SYSTEM, Tenant, TenantId
from ringpost.errors import AlreadyExists, Invalid, NotFound, RingpostError
from ringpost.storage import bell
from ringpost.storage import events as event_rows
from ringpost.storage import settings as settings_rows
from ringpost.storage import templates as template_rows
from ringpost.storage import tenants as tenant_rows
from ringpost.storage.default_templates import language_of
from ringpost.storage.identifiers import new_id
from ringpost.storage.outcomes import on_hold
from ringpost.storage.queues import queue_of
from ringpost.storage.sealing import Place
from ringpost.usecases.prepare_template import prepared, qr_code
from ringpost.usecases.room import Room

Rows = list[dict[str, Any]]

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
    results = await room.database.write_each(accept, room, wanted)
    room.bell.set()
    return results


def accept(
    connection: Connection, room: Room, requests: Sequence[Sequence[Event]]
) -> list[list[Receipt | RingpostError]]:
    """The write behind `accept_events`, for many requests at once."""
    desk = _Desk.open(connection, room, [event for request in requests for event in request])
    results = [[desk.take(event) for event in request] for request in requests]
    event_rows.add(connection, desk.events, desk.messages, desk.deliveries)
    if desk.deliveries:
        bell.ring(connection)
    return results


@dataclass(slots=True)
class _Desk:
    """What one commit knows when it starts, and the rows that it will write."""

    room: Room
    now: int
    tenants: dict[TenantId, Tenant]
    settings: dict[TenantId, settings_rows.InForce]
    revisions: dict[tuple[TenantId, str], template_rows.Revision]
    receipts: dict[tuple[TenantId, str], tuple[bytes, Receipt]]
    """Receipts of events accepted before, with their fingerprints."""
    failing: set[str]
    """Tenants with an emergency whose own server fails."""
    events: Rows = field(default_factory=list[dict[str, Any]])
    messages: Rows = field(default_factory=list[dict[str, Any]])
    deliveries: Rows = field(default_factory=list[dict[str, Any]])

    @classmethod
    def open(cls, connection: Connection, room: Room, wanted: Sequence[Event]) -> "_Desk":
        """Look up all that the events need, with one query of each kind."""
        owners = {event.tenant for event in wanted}
        return cls(
            room,
            room.clock(),
            tenant_rows.by_id(connection, owners) | {SYSTEM: room.options.system_level()},
            settings_rows.settings_in_force(connection, owners),
            template_rows.templates_in_force(connection, {(event.tenant, event.type) for event in wanted}),
            _receipts(connection, {(event.tenant, event.id) for event in wanted if event.id is not None}),
            on_hold(connection, sorted({event.tenant for event in wanted if _is_emergency(event)})),
        )

    def take(self, event: Event) -> Receipt | RingpostError:
        """Accept one event, or say why not."""
        written = len(self.events), len(self.messages), len(self.deliveries)
        try:
            return self._take(event)
        except RingpostError as error:
            refusal = error
        except Exception:  # noqa: BLE001  one event's fault must not be that of those beside it in the commit
            _log.exception("event_failed", tenant=event.tenant, type=event.type)
            refusal = RingpostError("The event could not be taken.")
        for rows, length in zip((self.events, self.messages, self.deliveries), written, strict=True):
            del rows[length:]
        return refusal

    def _take(self, event: Event) -> Receipt:
        if event.tenant not in self.tenants:
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
        unknown, empty = ((), ()) if isinstance(recipients, SkipReason) else self._write_message(key, event, kind)
        deliveries = () if isinstance(recipients, SkipReason) else self._queue(key, event, kind, recipients)
        fingerprint = self.room.sealer.fingerprint(content)
        revision = self.revisions.get((event.tenant, event.type))
        erase_at = self.now if kind.secret else self.now + self.room.options.keep_messages_s * 1000
        self.events.append(
            {
                "key": key,
                "tenant": event.tenant,
                "id": event.id or key,
                "type": event.type,
                "occurred_at": self._occurred_at(event),
                "accepted_at": self.now,
                "fingerprint": fingerprint,
                "variables": None if skipped and kind.secret else self._seal_variables(key, event),
                "template": revision.id if revision else None,
                "unknown_variables": ", ".join(unknown) or None,
                "skip_reason": skipped,
                "erase_at": erase_at if skipped else None,
            }
        )
        receipt = Receipt(event.id or key, event.type, deliveries, skipped, unknown=unknown, empty=empty)
        return receipt, fingerprint

    def _recipients(self, event: Event, kind: EventType) -> tuple[Address, ...] | SkipReason:
        """Who is told, or why nobody is."""
        settings = self.settings[event.tenant]
        if not self.tenants[event.tenant].enabled:
            return SkipReason.TENANT_DISABLED
        if kind.toggle is not None and not settings.is_on(kind.toggle):
            return SkipReason.NOTIFICATION_OFF
        recipients = _audience(event, kind.audience, settings.recipients)
        if not recipients:
            return SkipReason.NO_RECIPIENTS
        if not (settings.own_server or settings.system_server) and kind.urgency is not Urgency.EMERGENCY:
            return SkipReason.NO_MAIL_SERVER  # an emergency waits for one
        return recipients

    def _write_message(self, key: str, event: Event, kind: EventType) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Render the message; returns the variables that the template asked for: those unknown, and those empty."""
        language = language_of(self.tenants[event.tenant].locale)
        template = prepared(kind, self.revisions.get((event.tenant, event.type)), language)
        rendered = template.render(
            self._values(event),
            Stamp(self.now, parse_host(self.tenants[event.tenant].domain, single_label=True)),
            qr_png=qr_code(event.variables),
            attachments=event.attachments,
        )
        sealed = self.room.sealer.seal(Place(event.tenant, "messages", key, "content"), rendered.message.pack())
        self.messages.append({"event": key, "tenant": event.tenant, "content": sealed})
        if rendered.unknown or rendered.empty:  # names only: a value may be a secret
            names = {"unknown": rendered.unknown, "empty": rendered.empty}
            _log.info("variables_unfilled", tenant=event.tenant, type=event.type, event_key=key, **names)
        return rendered.unknown, rendered.empty

    def _values(self, event: Event) -> dict[str, Value]:
        tenant = self.tenants[event.tenant]
        moment = datetime.fromtimestamp(self._occurred_at(event) / 1000, UTC).astimezone(ZoneInfo(tenant.timezone))
        return {
            **event.variables,
            "TENANT_NAME": tenant.name,
            "PBX_WEB_DOMAIN": self.room.options.pbx_web_domain,
            "DATE_TIME": f"{moment:%Y-%m-%d %H:%M:%S} {moment.tzname()}",
        }

    def _queue(
        self, key: str, event: Event, kind: EventType, recipients: Sequence[Address]
    ) -> tuple[tuple[str, str], ...]:
        """One delivery per recipient; returns their ids and recipients."""
        lifetime = self.room.options.retry_policy.schedule(kind.urgency).lifetime
        common = {
            "tenant": event.tenant,
            "event": key,
            "type": event.type,
            "urgency": kind.urgency.value,
            "secret": kind.secret,
            "queue": queue_of(event.tenant, own_server=self._goes_through_own_server(event)),
            "state": State.QUEUED.value,
            "created_at": self.now,
            "due_at": self.now,
            "expires_at": self.now + int(lifetime * 1000),
        }
        made = tuple((f"{key}-{number}", address.canonical) for number, address in enumerate(recipients, 1))
        self.deliveries.extend({**common, "id": delivery, "recipient": recipient} for delivery, recipient in made)
        return made

    def _goes_through_own_server(self, event: Event) -> bool:
        """An emergency does not even try a server that is known to fail, when the system's stands by."""
        settings = self.settings[event.tenant]
        falls_over = _is_emergency(event) and settings.system_server and event.tenant in self.failing
        return settings.own_server and not falls_over

    def _occurred_at(self, event: Event) -> int:
        return self.now if event.occurred_at is None else event.occurred_at

    def _seal_variables(self, key: str, event: Event) -> bytes | None:
        if not event.variables:
            return None
        text = json.dumps(event.variables, ensure_ascii=False).encode()
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
    return json.dumps(
        [
            event.type,
            event.occurred_at,
            event.variables,
            [address.key for address in event.recipients],
            [(file.filename, file.content_type, file.data.hex()) for file in event.attachments],
        ],
        sort_keys=True,
    ).encode()


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
