"""The system level's own catalogue: what the operator is told of the host and of the phone system as a whole.

These events belong to no tenant. They go to the system's recipients through the system's mail server, each only while
its toggle in /admin/notification is on. Ringpost itself watches disk, CPU and memory (domain/watch); the rest is
reported by the phone system, with a token of the system level and without a tenant.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from ringpost.domain.catalogue import CATALOGUE, Audience, EventType, Kind, Variable
from ringpost.domain.deliveries import Urgency
from ringpost.domain.tenants import SYSTEM, TenantId

_COMMON = (
    Variable("TENANT_NAME", "What the system level is called.", "Phone system"),
    Variable("PBX_WEB_DOMAIN", "The host name of the phone system's web portal.", "pbx.example.com"),
    Variable("DATE_TIME", "When it happened, in UTC.", "2026-01-05 09:30:00 UTC", Kind.TIME),
)
_HOST_NAME = Variable("HOST_NAME", "The name of the machine.", "pbx-1.example.com", essential=True)
_THRESHOLD = Variable("THRESHOLD", "The threshold in the settings.", "90%")


def _type(
    name: str, description: str, toggle: str, *variables: Variable, urgency: Urgency = Urgency.ALERT
) -> EventType:
    return EventType(name, description, toggle, urgency, Audience.TENANT, (*variables, *_COMMON), system=True)


def _disk(sample: str) -> tuple[Variable, ...]:
    return (
        _HOST_NAME,
        Variable("DISK_USAGE", "The share of the disk that is in use.", sample, essential=True),
        _THRESHOLD,
        Variable("FREE_SIZE", "The disk space that is left.", "8.4 GB"),
        Variable("DISK_PATH", "The folder that the disk is watched at.", "/var/lib/ringpost"),
    )


def _cpu(sample: str) -> tuple[Variable, ...]:
    usage = Variable("CPU_USAGE", "The share of processor time in use, over a minute.", sample, essential=True)
    return (_HOST_NAME, usage, _THRESHOLD)


def _memory(sample: str) -> tuple[Variable, ...]:
    return (
        _HOST_NAME,
        Variable("MEMORY_USAGE", "The share of memory in use, over a minute.", sample, essential=True),
        _THRESHOLD,
        Variable("FREE_SIZE", "The memory that programs can still have.", "1.2 GB"),
    )


_DISK_TOGGLE = "notify_hard_disk_exceeded_threshold"
_CPU_TOGGLE = "notify_cpu_exceeded_threshold"
_MEMORY_TOGGLE = "notify_memory_exceeded_threshold"

_SYSTEM_TYPES = (
    _type("HARD_DISK_EXCEEDED", "A disk is fuller than the threshold.", _DISK_TOGGLE, *_disk("93%")),
    _type(
        "HARD_DISK_NORMAL",
        "A disk that was too full has room again.",
        _DISK_TOGGLE,
        *_disk("71%"),
        urgency=Urgency.NORMAL,
    ),
    _type("CPU_EXCEEDED", "The processors are busier than the threshold.", _CPU_TOGGLE, *_cpu("97%")),
    _type(
        "CPU_NORMAL",
        "Processors that were too busy have time again.",
        _CPU_TOGGLE,
        *_cpu("38%"),
        urgency=Urgency.NORMAL,
    ),
    _type("MEMORY_EXCEEDED", "More memory is in use than the threshold.", _MEMORY_TOGGLE, *_memory("94%")),
    _type(
        "MEMORY_NORMAL",
        "Memory that was nearly used up is free again.",
        _MEMORY_TOGGLE,
        *_memory("62%"),
        urgency=Urgency.NORMAL,
    ),
    _type(
        "IP_BLOCKED",
        "The phone system has blocked an address.",
        "notify_ip_blocked",
        Variable("BLOCKED_IP", "The address that was blocked.", "203.0.113.77", essential=True),
        Variable("REASON", "Why it was blocked.", "10 failed registrations within a minute"),
        Variable("BLOCKED_UNTIL", "When the block ends.", "2026-01-05 10:30:00 UTC", Kind.TIME),
    ),
    _type(
        "LICENSE_LIMITED",
        "A limit of the whole system's license was reached.",
        "notify_license_limited",
        Variable("LICENSE_TYPE", "What the license limits.", "Concurrent calls", essential=True),
    ),
    _type(
        "SERVICE_DISCONNECTED",
        "A service of the phone system has lost its connection.",
        "notify_service_disconnected",
        Variable("SERVICE_NAME", "The name of the service.", "Media server 2", essential=True),
        Variable("SERVICE_ADDRESS", "Where the service runs.", "media-2.example.com"),
        Variable("REASON", "What is known of the cause.", "No answer for 30 seconds"),
    ),
    _type(
        "PUSH_CERTS_UPDATE_FAILED",
        "The certificates for push notifications could not be updated.",
        "notify_push_certs_update_failed",
        Variable("APP_NAME", "The app whose certificate it is.", "Softphone for iOS", essential=True),
        Variable("REASON", "Why it failed.", "The update server did not answer"),
        Variable("EXPIRES_AT", "When the certificate in use ends.", "2026-01-19 00:00:00 UTC", Kind.TIME),
    ),
    EventType(
        "OAUTH_EXPIRING",
        "The OAuth credentials of a mail server end soon; told to the recipients of whom they belong to.",
        None,
        Urgency.ALERT,
        Audience.EVENT,
        (
            Variable("PROVIDER", "Whose credentials they are.", "Microsoft 365", essential=True),
            Variable("CREDENTIAL", "What ends: client secret or certificate.", "client secret"),
            Variable("MAILBOX", "The mailbox that is sent from.", "pbx@example.com", essential=True),
            Variable("CLIENT_ID", "The application that they belong to.", "1f2d7c1a-6a2b-4d0e-8c3e-0a1b2c3d4e5f"),
            Variable("EXPIRES_AT", "When they end.", "2026-02-04 00:00:00 UTC", Kind.TIME, essential=True),
            Variable("DAYS_LEFT", "Days until then.", "30"),
            *_COMMON,
        ),
        system=True,
    ),
)

SYSTEM_CATALOGUE: Final[Mapping[str, EventType]] = MappingProxyType({kind.name: kind for kind in _SYSTEM_TYPES})
"""All types of the system level by name, in the order in which lists show them."""


def catalogue_of(tenant: TenantId) -> Mapping[str, EventType]:
    """The types of event that a tenant, or the system level, can have."""
    return SYSTEM_CATALOGUE if tenant == SYSTEM else CATALOGUE
