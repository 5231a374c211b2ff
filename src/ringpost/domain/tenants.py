"""A tenant is one customer of the phone system: its own settings, templates, events and mail."""

import re
from dataclasses import dataclass, fields
from typing import Final, NewType

import idna

from ringpost.domain.hosts import parse_host, parse_ip
from ringpost.domain.times import time_zones
from ringpost.errors import FieldError, Invalid

TenantId = NewType("TenantId", str)
"""Opaque. The first argument of every storage function that touches a tenant's rows."""

SYSTEM = TenantId("system")
"""The owner of the system level's own settings and events. No tenant can have this id: ids of tenants are made here."""

LOCALE: Final = (
    "[A-Za-z]{2,3}(?:-[A-Za-z]{4})?(?:-(?:[A-Za-z]{2}|[0-9]{3}))?(?:-(?:[A-Za-z0-9]{5,8}|[0-9][A-Za-z0-9]{3}))*"
)
"""The parts of RFC 5646 2.1 that name a language as people use it: language, script, region, variants."""
LONGEST_LOCALE: Final = 35
LONGEST_NAME: Final = 128
_LOCALE = re.compile(LOCALE)

_NO_ZONES = frozenset({"localtime", "posixrules", "Factory"})
"""Files beside those of the IANA database: what they mean is up to the machine, or they say that nothing was chosen."""


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


def system_level(name: str, host_name: str, locale: str) -> Tenant:
    """What stands for the system level where a tenant is asked for; it is always enabled, and its time is UTC."""
    return Tenant(SYSTEM, name, host_name, enabled=True, timezone="UTC", locale=locale, created_at=0)


@dataclass(frozen=True, slots=True)
class TenantDraft:
    """What a system administrator says about a tenant; `parse_tenant` checks it."""

    name: str
    domain: str
    enabled: bool = True
    timezone: str = "UTC"
    locale: str = "en"

    def differences(self, other: Tenant) -> tuple[str, ...]:
        """Names of the fields in which the two differ, for the audit log."""
        names = (field.name for field in fields(self))
        return tuple(name for name in names if getattr(self, name) != getattr(other, name))


def parse_tenant(draft: TenantDraft) -> TenantDraft:
    """The same in canonical form. Raises Invalid with one entry per wrong field."""
    name, locale = draft.name.strip(), draft.locale.strip()
    wrong: list[FieldError] = []
    domain, timezone = draft.domain.strip(), draft.timezone.strip()
    if not 1 <= len(name) <= LONGEST_NAME or not name.isprintable():
        wrong.append(FieldError("name", "A name has 1 to 128 characters, none of them control characters."))
    try:
        domain = parse_domain(domain)
    except ValueError:
        wrong.append(
            FieldError("domain", "A domain is a host name, such as acme.example; it has no spaces and no port.")
        )
    if timezone in _NO_ZONES or timezone not in time_zones():
        wrong.append(FieldError("timezone", "A timezone is a name of the IANA database, such as Europe/Berlin."))
    if not is_locale(locale):
        wrong.append(
            FieldError(
                "locale",
                "A locale is a BCP 47 tag of a language, with script and region if need be, such as en or de-CH.",
            )
        )
    if wrong:
        raise Invalid(*wrong)
    return TenantDraft(name, domain, draft.enabled, timezone, locale)


def is_locale(text: str) -> bool:
    """Whether this is such a BCP 47 tag. Where there are no templates in its language, English ones serve."""
    return len(text) <= LONGEST_LOCALE and _LOCALE.fullmatch(text) is not None


def parse_domain(text: str) -> str:
    """A tenant's domain, alike for all ways to write it: lower case, U-labels (RFC 5890 2.3.2.1). Or ValueError."""
    host = parse_host(text.strip(), single_label=True)
    if parse_ip(host) is not None:
        raise ValueError("An address is not a domain.")
    return idna.decode(host) if "xn--" in host else host
