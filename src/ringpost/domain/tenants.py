"""A tenant is one customer of the phone system: its own settings, templates, events and mail."""

from dataclasses import dataclass
from typing import NewType

TenantId = NewType("TenantId", str)
"""Opaque. The first argument of every storage function that touches a tenant's rows."""

SYSTEM = TenantId("system")
"""The owner of the system level's own settings and events. No tenant can have this id: ids of tenants are made here."""


@dataclass(frozen=True, slots=True)
class Tenant:
    """One tenant. `timezone` is an IANA name, `locale` a BCP 47 tag; times are milliseconds since 1970, UTC."""

    id: TenantId
    name: str
    domain: str
    enabled: bool
    timezone: str
    locale: str
    created_at: int
