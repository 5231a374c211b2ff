"""Plan what becomes of an event: who is told, and the message, rendered and sealed.

A plan needs to know what is in force and nothing else, so it can be made before the commit that accepts the event,
while another one is being written. It is good as long as the same is in force in the commit: `holds`.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

import msgspec

from ringpost.domain.addresses import Address
from ringpost.domain.catalogue import SECRET_VARIABLES, Audience, EventType, canonical_name, is_secret
from ringpost.domain.deliveries import Urgency
from ringpost.domain.events import Event, SkipReason, Value, new_user
from ringpost.domain.hosts import parse_host
from ringpost.domain.messages import Message
from ringpost.domain.rendering import Rendered, Stamp
from ringpost.domain.system_events import catalogue_of
from ringpost.domain.tenants import Tenant
from ringpost.domain.times import local_time
from ringpost.errors import FieldError, Invalid, NotFound
from ringpost.storage.default_templates import language_of
from ringpost.storage.identifiers import new_id
from ringpost.storage.sealing import Place
from ringpost.storage.settings import InForce
from ringpost.storage.standing import Standing
from ringpost.storage.templates import Revision
from ringpost.usecases.prepare_template import prepared, qr_code
from ringpost.usecases.room import Room

_FINGERPRINT_VERSION = b"\x02"
"""How fingerprints begin: to be counted on with whatever makes that of the same event another one. Before there were
versions they began with 1."""


class Plan(NamedTuple):
    """What one event becomes if what was in force when it was planned still is."""

    event: Event
    key: str
    """The event's key, made for it."""
    tenant: Tenant
    settings: InForce
    revision: Revision | None
    content: bytes
    """`canonical` of the event."""
    fingerprint: bytes
    told: tuple[Address, ...] | SkipReason
    """Who is told, or why nobody is."""
    secret: bool
    """It is for nobody but its recipients."""
    message: Message | None
    """None when nobody is told."""
    sealed: bytes
    """The message, for storage."""
    variables: bytes | None
    """Sealed, but for the values of secrets; None when all are secret and nobody is told."""
    unknown: tuple[str, ...] = ()
    """Variables that the template asked for and nobody knew."""
    empty: tuple[str, ...] = ()
    """Variables that the template asked for and the event had no value for."""

    def holds(self, standing: Standing) -> bool:
        """Whether it would come out the same from what is in force now."""
        tenant, kind = self.event.tenant, self.event.type
        return (
            standing.tenants.get(tenant) == self.tenant
            and standing.settings.get(tenant) == self.settings
            and standing.revisions.get((tenant, kind), self) == self.revision
        )


def plan(room: Room, standing: Standing, event: Event, now: int) -> Plan:
    """Plan an event; what is in force for it must have been loaded. Raises NotFound, Invalid."""
    tenant = standing.tenants.get(event.tenant)
    if tenant is None:
        raise NotFound("There is no such tenant any more.")
    key, kind = new_id(now), catalogue_of(event.tenant)[event.type]
    settings, revision = standing.settings[event.tenant], standing.revisions[event.tenant, event.type]
    told = _who_is_told(event, kind, tenant, settings)
    rendered, sealed = None, b""
    if not isinstance(told, SkipReason):
        rendered = _render(room, event, kind, tenant, revision, now)
        sealed = room.sealer.seal(Place(event.tenant, "messages", key, "content"), rendered.message.pack())
    content, secret = canonical(event), is_secret(kind, event.variables)
    return Plan(
        event,
        key,
        tenant,
        settings,
        revision,
        content,
        _FINGERPRINT_VERSION + room.sealer.fingerprint(content),
        told,
        secret,
        rendered.message if rendered else None,
        sealed,
        None if rendered is None and kind.secret else _seal_variables(room, key, event, secret=secret),
        rendered.unknown if rendered else (),
        rendered.empty if rendered else (),
    )


def plan_early(room: Room, event: Event) -> Plan | None:
    """A plan from what was last known to be in force; None where that is not known, or the event is better left.

    What cannot be planned is told in the commit, where it is certain. Messages with files take their time, which the
    thread that answers requests does not have.
    """
    standing, tenant = room.standing.lately(), event.tenant
    known = tenant in standing.tenants and tenant in standing.settings and (tenant, event.type) in standing.revisions
    if not known or event.attachments:
        return None
    try:
        return plan(room, standing, event, room.clock())
    except Exception:  # noqa: BLE001  whatever is wrong is found again in the commit, and told there
        return None


def _who_is_told(event: Event, kind: EventType, tenant: Tenant, settings: InForce) -> tuple[Address, ...] | SkipReason:
    if not tenant.enabled:
        return SkipReason.TENANT_DISABLED
    if kind.toggle is not None and not settings.is_on(kind.toggle):
        return SkipReason.NOTIFICATION_OFF
    recipients = _audience(event, kind.audience, settings.recipients)
    if not recipients:
        return SkipReason.NO_RECIPIENTS
    if not (settings.own_server or settings.system_server) and kind.urgency is not Urgency.EMERGENCY:
        return SkipReason.NO_MAIL_SERVER  # an emergency waits for one
    return recipients


def _audience(event: Event, audience: Audience, tenants: tuple[Address, ...]) -> tuple[Address, ...]:
    match audience:
        case Audience.EVENT:
            return event.recipients
        case Audience.USER:
            return event.recipients or new_user(event)
        case Audience.TENANT:
            return tenants
        case Audience.EVENT_ELSE_TENANT:
            return event.recipients or tenants
        case Audience.EVENT_AND_TENANT:
            return tuple({address.key: address for address in (*tenants, *event.recipients)}.values())


def _render(room: Room, event: Event, kind: EventType, tenant: Tenant, revision: Revision | None, now: int) -> Rendered:
    occurred_at = now if event.occurred_at is None else event.occurred_at
    values: dict[str, Value] = {
        **event.variables,
        "TENANT_NAME": tenant.name,
        "PBX_WEB_DOMAIN": room.options.pbx_web_domain,
        "DATE_TIME": local_time(occurred_at // 1000, tenant.timezone),
    }
    template = prepared(kind, revision, language_of(tenant.locale))
    stamp, qr_png = Stamp(now, _host(tenant.domain)), qr_code(event.variables)
    try:
        return template.render(values, stamp, qr_png=qr_png, attachments=event.attachments)
    except Invalid as fault:  # it names a field of the template
        message = (
            f"{fault.errors[0].message} Shorten the variables, or use them less often in the template {kind.name}."
        )
        raise Invalid(FieldError("variables", message)) from None


def _seal_variables(room: Room, key: str, event: Event, *, secret: bool) -> bytes:
    """A secret is in the mail and nowhere else."""
    kept: Mapping[str, Value | None] = event.variables
    if secret:
        kept = {name: None if canonical_name(name) in SECRET_VARIABLES else value for name, value in kept.items()}
    return room.sealer.seal(Place(event.tenant, "events", key, "variables"), msgspec.json.encode(kept))


def is_same_content(room: Room, content: bytes, fingerprint: bytes) -> bool:
    """Whether the event that has this fingerprint had this content (`canonical`).

    A fingerprint of another version tells nothing of it. Then the event is taken for the repetition that its id says
    it is: an upgrade must not make refusals of what is posted again.
    """
    version, of_content = fingerprint[:1], fingerprint[1:]
    return version != _FINGERPRINT_VERSION or room.sealer.same_fingerprint(content, of_content)


def canonical(event: Event) -> bytes:
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
def _host(domain: str) -> str:
    return parse_host(domain, single_label=True)
