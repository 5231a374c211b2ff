"""The catalogue: which events there are, who is told of them, and what their templates can say.

CONTRIBUTING.md has the steps to add a type. Its default templates and its words in the console stand elsewhere; all
else follows from the table below.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import Final

from ringpost.domain.deliveries import Urgency


class Audience(Enum):
    """Who is told."""

    USER = "user"
    """The recipients of the event; when it has none, the address in its variable USER_EMAIL."""
    EVENT = "event"
    """The recipients of the event."""
    TENANT = "tenant"
    """The recipients in the tenant's settings."""
    EVENT_AND_TENANT = "event_and_tenant"
    """Both; nobody gets it twice."""
    EVENT_ELSE_TENANT = "event_else_tenant"
    """The recipients of the event; when it has none, the tenant's."""


class Kind(Enum):
    """What a variable's value is, for forms and samples. Escaping does not rely on it."""

    TEXT = "text"
    NUMBER = "number"
    PHONE = "phone"
    EMAIL = "email"
    URL = "url"
    TIME = "time"
    IMAGE = "image"
    """Not text: shown as an inline image in HTML, and left out everywhere else."""


@dataclass(frozen=True, slots=True)
class Variable:
    """One `%%NAME%%` of an event type."""

    name: str
    description: str
    """One sentence for people who edit templates."""
    sample: str
    """For previews; never anybody's real number, name or address (RFC 2606, RFC 5737, 555-01xx)."""
    kind: Kind = Kind.TEXT
    secret: bool = False
    """Sealed at rest, never logged, erased with the mail's body."""
    essential: bool = False
    """A template without it tells its reader too little; the check says so."""


@dataclass(frozen=True, slots=True, eq=False)  # there is one of each, so it is quick to look things up by it
class EventType:
    """One kind of event. Its name is the name of its template."""

    name: str
    description: str
    """One sentence: when it happens."""
    toggle: str | None
    """The field of the settings that switches it, which is off by default; None: always on."""
    urgency: Urgency
    audience: Audience
    variables: tuple[Variable, ...]
    """Its own, then those that every type has."""
    secret: bool = False
    """Its mails hold a secret whatever variables come: they are erased as soon as their deliveries have ended."""
    system: bool = False
    """It belongs to the system level and not to a tenant."""

    @property
    def variable_names(self) -> frozenset[str]:
        """Names without aliases."""
        return frozenset(variable.name for variable in self.variables)

    @property
    def samples(self) -> dict[str, str]:
        """A sample value for each variable, for previews."""
        return {variable.name: variable.sample for variable in self.variables}


ALIASES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "DATA_TIME": "DATE_TIME",
        "QR_CODE_URL": "QR_CODE",
        "CALLER_EXTENSION_NUMBER": "CALLER_NUMBER",
        "MEETING_TOPIC": "TOPIC",
    }
)
"""Other names that templates in the field use -> the name in the catalogue."""

IMAGE_VARIABLES: Final = frozenset({"QR_CODE", "QR_CODE_URL"})
"""Variables that are images, with their aliases; the same for every type."""

_COMMON = (
    Variable("TENANT_NAME", "The name of the tenant.", "Northwind Traders"),
    Variable("PBX_WEB_DOMAIN", "The host name of the phone system's web portal.", "pbx.example.com"),
    Variable("DATE_TIME", "When it happened, in the tenant's time zone.", "2026-01-05 09:30:00 CET", Kind.TIME),
)
_DISPLAY_NAME = Variable("DISPLAY_NAME", "The full name of the person.", "Jane Doe")
_QUEUE_NAME = Variable("QUEUE_NAME", "The name of the queue.", "Sales", essential=True)
_QUEUE_NUMBER = Variable("QUEUE_NUMBER", "The extension number of the queue.", "8001", Kind.PHONE)
_CALLER_NAME = Variable("CALLER_NAME", "The caller's name, as far as it is known.", "Alex Rivera")
_CALLER_NUMBER = Variable("CALLER_NUMBER", "The caller's number.", "+1 555 0143", Kind.PHONE, essential=True)
_CALL_BACK_NUMBER = Variable(
    "CALL_BACK_NUMBER", "The number that is called back.", "+1 555 0143", Kind.PHONE, essential=True
)
_TRUNK_NAME = Variable("TRUNK_NAME", "The name of the SIP trunk.", "Carrier East", essential=True)
_QUEUE_CALL = (_QUEUE_NAME, _QUEUE_NUMBER, _CALLER_NAME, _CALLER_NUMBER)

_EVENT_TYPES = (
    EventType(
        name="USER_CREATION",
        description="A user was created.",
        toggle="notify_user_registration",
        urgency=Urgency.NORMAL,
        audience=Audience.USER,
        secret=True,
        variables=(
            _DISPLAY_NAME,
            Variable("USER_NAME", "The name to sign in with.", "jane.doe", essential=True),
            Variable("USER_EMAIL", "The user's e-mail address.", "jane.doe@example.com", Kind.EMAIL),
            Variable("USER_PASSWORD", "The password to sign in with.", "sample-Pass-42", secret=True, essential=True),
            Variable("EXTENSION_NUMBER", "The user's extension number.", "1042", Kind.PHONE, essential=True),
            Variable("EXTENSION_PASSWORD", "The SIP password of the extension.", "sample-Sip-7Q", secret=True),
            Variable("VOICEMAIL_PIN", "The PIN of the voicemail box.", "482915", secret=True),
            Variable("DOMAIN", "The SIP domain to register with.", "sip.example.com"),
            Variable("SIP_PUBLIC_IP", "The phone system's address on the internet.", "203.0.113.10"),
            Variable("SIP_PRIVATE_IP", "The phone system's address in the office network.", "192.0.2.10"),
            Variable("UDP_PORT", "The SIP port for UDP.", "5060", Kind.NUMBER),
            Variable("TCP_PORT", "The SIP port for TCP.", "5063", Kind.NUMBER),
            Variable("TLS_PORT", "The SIP port for TLS.", "5061", Kind.NUMBER),
            Variable(
                "QR_CODE",
                "The QR code that sets up the phone app; an image, in HTML only.",
                "sip:1042@sip.example.com",
                Kind.IMAGE,
                secret=True,
            ),
            *_COMMON,
        ),
    ),
    EventType(
        name="QUEUE_CALL_LOST",
        description="A caller left a queue unanswered.",
        toggle="notify_queue_call_lost",
        urgency=Urgency.NORMAL,
        audience=Audience.EVENT_AND_TENANT,
        variables=(*_QUEUE_CALL, *_COMMON),
    ),
    EventType(
        name="QUEUE_SLA",
        description="A caller has waited longer than the queue's service level allows.",
        toggle="notify_queue_sla_breached",
        urgency=Urgency.NORMAL,
        audience=Audience.EVENT_AND_TENANT,
        variables=(
            *_QUEUE_CALL,
            Variable("SLA_TIME", "The longest wait that the service level allows, in seconds.", "90", Kind.NUMBER),
            Variable("BREACHSLANO", "How many callers have waited longer than that.", "3", Kind.NUMBER),
            Variable("WAITSESSIONNO", "How many callers are waiting now.", "7", Kind.NUMBER),
            *_COMMON,
        ),
    ),
    EventType(
        name="QUEUE_CALLBACK",
        description="A queue called a caller back.",
        toggle="notify_queue_callback",
        urgency=Urgency.NORMAL,
        audience=Audience.EVENT_AND_TENANT,
        variables=(*_QUEUE_CALL, _CALL_BACK_NUMBER, *_COMMON),
    ),
    EventType(
        name="QUEUE_CALLBACK_FAILED",
        description="A queue could not call a caller back.",
        toggle="notify_queue_callback_failed",
        urgency=Urgency.NORMAL,
        audience=Audience.EVENT_AND_TENANT,
        variables=(*_QUEUE_CALL, _CALL_BACK_NUMBER, *_COMMON),
    ),
    EventType(
        name="VOICEMAIL_RECEIVED",
        description="A voicemail arrived.",
        toggle=None,
        urgency=Urgency.NORMAL,
        audience=Audience.EVENT,
        variables=(
            _DISPLAY_NAME,
            _CALLER_NAME,
            _CALLER_NUMBER,
            Variable("VOICEMAIL_NAME", "The name of the recording.", "msg-0107.wav"),
            Variable(
                "VOICEMAIL_DOWNLOAD_URL",
                "Where the recording can be heard.",
                "https://pbx.example.com/voicemail/0107",
                Kind.URL,
            ),
            *_COMMON,
        ),
    ),
    EventType(
        name="CALL_REPORT_COMPLETED",
        description="A call report is ready.",
        toggle=None,
        urgency=Urgency.NORMAL,
        audience=Audience.EVENT_ELSE_TENANT,
        variables=(
            Variable("CALLREPORT_NAME", "The name of the report.", "December calls", essential=True),
            Variable("CALLREPORT_TYPE", "The kind of report.", "Calls by extension"),
            Variable(
                "CALLREPORT_LINK",
                "Where the report can be downloaded.",
                "https://pbx.example.com/reports/2025-12",
                Kind.URL,
                essential=True,
            ),
            *_COMMON,
        ),
    ),
    EventType(
        name="DISK_LOW",
        description="Disk space runs low.",
        toggle=None,
        urgency=Urgency.ALERT,
        audience=Audience.TENANT,
        variables=(
            Variable("FREE_SIZE", "The disk space that is left.", "1.8 GB", essential=True),
            Variable("USED_SIZE", "The disk space in use.", "98.2 GB"),
            *_COMMON,
        ),
    ),
    EventType(
        name="EMERGENCY_CALL",
        description="An emergency number was dialled.",
        toggle=None,
        urgency=Urgency.EMERGENCY,
        audience=Audience.EVENT_AND_TENANT,
        variables=(
            _CALLER_NAME,
            _CALLER_NUMBER,
            Variable("CALLEE_NUMBER", "The emergency number that was dialled.", "112", Kind.PHONE, essential=True),
            *_COMMON,
        ),
    ),
    EventType(
        name="LICENSE_LIMITED",
        description="A limit of the license was reached.",
        toggle=None,
        urgency=Urgency.ALERT,
        audience=Audience.TENANT,
        variables=(
            Variable("LICENSE_TYPE", "What the license limits.", "Concurrent calls", essential=True),
            *_COMMON,
        ),
    ),
    EventType(
        name="RECHARGE",
        description="An account was recharged.",
        toggle=None,
        urgency=Urgency.NORMAL,
        audience=Audience.EVENT_ELSE_TENANT,
        variables=(
            _DISPLAY_NAME,
            Variable("PAYMENT_AMOUNT", "The amount that was paid.", "$50.00", essential=True),
            *_COMMON,
        ),
    ),
    EventType(
        name="CONFERENCE_INVITATION",
        description="Someone is invited to a meeting.",
        toggle=None,
        urgency=Urgency.NORMAL,
        audience=Audience.EVENT,
        variables=(
            Variable("TOPIC", "What the meeting is about.", "Quarterly planning", essential=True),
            Variable("TIME", "When the meeting begins.", "12 January 2026, 14:00", Kind.TIME, essential=True),
            Variable("JOIN_LINK", "The link to join by.", "https://pbx.example.com/meet/314159", Kind.URL),
            Variable("DIAL_NUMBER", "The number to join by telephone.", "+1 555 0199", Kind.PHONE),
            Variable("PASSWORD", "The password of the meeting.", "271828", secret=True),
            *_COMMON,
        ),
    ),
    EventType(
        name="TRUNK_CONNECTED",
        description="A SIP trunk came up.",
        toggle=None,
        urgency=Urgency.ALERT,
        audience=Audience.TENANT,
        variables=(_TRUNK_NAME, *_COMMON),
    ),
    EventType(
        name="TRUNK_DISCONNECTED",
        description="A SIP trunk went down.",
        toggle=None,
        urgency=Urgency.ALERT,
        audience=Audience.TENANT,
        variables=(
            _TRUNK_NAME,
            Variable("STATUS_CODE", "The SIP status code of the failure.", "503", Kind.NUMBER),
            *_COMMON,
        ),
    ),
)

CATALOGUE: Final[Mapping[str, EventType]] = MappingProxyType({kind.name: kind for kind in _EVENT_TYPES})
"""All types of tenants by name, in the order in which lists show them; domain/system_events has the system's."""

SECRET_VARIABLES: Final = frozenset(
    variable.name for kind in _EVENT_TYPES for variable in kind.variables if variable.secret
)
"""Names that are secret with whatever type they come: an event may carry variables that its type does not have."""

_SECRET_NAMES = SECRET_VARIABLES.union(alias for alias, name in ALIASES.items() if name in SECRET_VARIABLES)


def is_secret(kind: EventType, names: Iterable[str]) -> bool:
    """Whether mails of this type, with variables of these names, are for nobody but their recipients."""
    return kind.secret or not _SECRET_NAMES.isdisjoint(names)


def canonical_name(name: str) -> str:
    """The catalogue's name of a variable: an alias becomes what it stands for, any other name stays."""
    return ALIASES.get(name, name)
