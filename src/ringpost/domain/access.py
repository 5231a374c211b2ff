"""Who may do what: roles of people, scopes of tokens, and the principal that a token stands for."""

from dataclasses import dataclass
from enum import StrEnum

from ringpost.domain.tenants import TenantId


class Role(StrEnum):
    """What a person, or the maker of an API key, may do."""

    SYSTEM_ADMIN = "system_admin"
    TENANT_ADMIN = "tenant_admin"
    READ_ONLY = "read_only"


class Scope(StrEnum):
    """What a token may be used for. A login has all that its role allows; an API key has what it was given."""

    EVENTS_WRITE = "events:write"
    SETTINGS = "settings"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Principal:
    """Who a token stands for, and with that for which tenant."""

    tenant: TenantId
    """`SYSTEM` for the system level."""
    role: Role
    scopes: frozenset[Scope]
    name: str
    """For the audit log: the user's name or the API key's."""
    token_id: str
    session: str | None = None
