"""Check a template that is not saved yet: what is wrong with its variables, and how it would look."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from sqlalchemy import Connection

from ringpost.domain.catalogue import SECRET_VARIABLES, EventType, canonical_name
from ringpost.domain.rendering import Rendered, Stamp, Value, prepare
from ringpost.domain.system_events import catalogue_of
from ringpost.domain.templates import Findings, Parts, Template, check, checked_parts, customise
from ringpost.domain.tenants import Tenant, TenantId
from ringpost.domain.times import local_time
from ringpost.storage import events
from ringpost.storage.default_templates import default_template, language_of
from ringpost.storage.sealing import Place, SealBroken
from ringpost.usecases.aside import aside, place_in_line
from ringpost.usecases.prepare_template import qr_code
from ringpost.usecases.room import Room
from ringpost.usecases.show_default_templates import tenant_or_system


class Values(StrEnum):
    """Where the values of a preview come from."""

    SAMPLES = "samples"
    LAST_EVENT = "last_event"


@dataclass(frozen=True, slots=True)
class Draft:
    """A template of this name as it is being written."""

    name: str
    parts: Parts


@dataclass(frozen=True, slots=True)
class Checked:
    """What was found."""

    findings: Findings
    preview: Rendered
    values: Values
    """What the preview was filled with; samples when there was no event to take values from."""


async def check_template(room: Room, tenant: TenantId, draft: Draft, values: Values) -> Checked:
    """Check a draft. Nothing is stored.

    Raises Invalid when it could not be saved or renders to more than 2 MiB, RateLimited when many of the tenant's wait.
    """
    with place_in_line(tenant):
        draft, kind = replace(draft, parts=checked_parts(draft.parts)), catalogue_of(tenant)[draft.name]
        owner, filled, source = await room.database.read(_values, room, tenant, kind, values)
        template = customise(default_template(kind, language_of(owner.locale)), draft.parts)
        findings, preview = await aside(tenant, _look_at, template, kind, filled, room.clock())
    return Checked(findings, preview, source)


def _look_at(template: Template, kind: EventType, values: Mapping[str, Value], now: int) -> tuple[Findings, Rendered]:
    preview = prepare(template, kind).render(values, Stamp(now, "preview.invalid"), qr_png=qr_code(values))
    return check(template, kind), preview


def _values(
    connection: Connection, room: Room, tenant: TenantId, event_type: EventType, wanted: Values
) -> tuple[Tenant, dict[str, Value], Values]:
    owner = tenant_or_system(connection, room, tenant)
    return owner, *_values_of(connection, room, owner, event_type, wanted)


def _values_of(
    connection: Connection, room: Room, tenant: Tenant, event_type: EventType, wanted: Values
) -> tuple[dict[str, Value], Values]:
    own: dict[str, Value] = {"TENANT_NAME": tenant.name, "PBX_WEB_DOMAIN": room.options.pbx_web_domain}
    samples: dict[str, Value] = {**event_type.samples, **own}
    last = _last_event(connection, room, tenant, event_type) if wanted is Values.LAST_EVENT else None
    if last is None:
        return samples, Values.SAMPLES
    secrets: dict[str, Value] = {one.name: one.sample for one in event_type.variables if one.secret}
    shown = {name: value for name, value in last.items() if canonical_name(name) not in SECRET_VARIABLES}
    return {**shown, **own, **secrets}, Values.LAST_EVENT  # secrets are for their recipient only


def _last_event(connection: Connection, room: Room, tenant: Tenant, event_type: EventType) -> dict[str, Value] | None:
    row = events.last_of_type(connection, tenant.id, event_type.name)
    if row is None:
        return None
    try:
        stored = room.sealer.unseal(Place(tenant.id, "events", row.key, "variables"), row.variables)
    except SealBroken:
        return None
    return {**json.loads(stored), "DATE_TIME": local_time(row.occurred_at // 1000, tenant.timezone)}
