"""Notification settings: the mail server, who is told, and which notifications are on.

`parse_settings` and `parse_system_settings` read what was posted; `settings_to_json` and `system_settings_to_json` show
it again. What was shown, posted back, changes nothing.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from ringpost.domain.addresses import Address, format_address, format_recipients, parse_recipients
from ringpost.domain.endpoints import Auth
from ringpost.domain.fields import Fields
from ringpost.domain.mail_servers import MailServer, ServerType
from ringpost.domain.secrets import Secret
from ringpost.domain.server_rules import ServerRules, read_mail_server, read_reply_to
from ringpost.domain.tenants import SYSTEM, TenantId

_NULL_BESIDE_A_SERVER = (
    f"With null there is no mail server: then leave server, port, username and password out too. Else this is one of "
    f"{', '.join(ServerType)}."
)

TENANT_SWITCHES: Final = (
    "notify_user_registration",
    "notify_queue_sla_breached",
    "notify_queue_callback",
    "notify_queue_callback_failed",
    "notify_queue_call_lost",
)
"""The notifications that a tenant turns on; all are off by default."""

SYSTEM_SWITCHES: Final = (
    "notify_hard_disk_exceeded_threshold",
    "notify_cpu_exceeded_threshold",
    "notify_memory_exceeded_threshold",
    "notify_ip_blocked",
    "notify_license_limited",
    "notify_service_disconnected",
    "notify_push_certs_update_failed",
)
"""The notifications that the system administrator turns on; all are off by default."""


_OF_A_SERVER: Final = ("server", "port", "username", "password")


@dataclass(frozen=True, slots=True)
class Settings:
    """A tenant's notification settings; `mail_server` is None while it has none of its own."""

    mail_server: MailServer | None = None
    recipients: tuple[Address, ...] = ()
    switches: dict[str, bool] = field(default_factory=dict[str, bool])
    """Name of a notify_* field -> on or off; one that is absent has its documented default."""
    reply_to: Address | None = None
    """Where answers to mails go that the system's mail server sends; a mail server of its own has its own."""

    @property
    def can_send(self) -> bool:
        """Whether there is a mail server of its own, with all that it needs."""
        return self.mail_server is not None and self.mail_server.complete

    @property
    def password(self) -> Secret | None:
        """That of the mail server."""
        return self.mail_server.password if self.mail_server else None


@dataclass(frozen=True, slots=True)
class SystemSettings(Settings):
    """The system administrator's settings: what a tenant has, and what only the system has."""

    enable_tenant_access: bool = True
    """Tenants without a mail server of their own use this one."""
    hard_disk_threshold: float = 0.0
    """Share of the whole, 0 to 1; 0 is off. So are the two that follow."""
    cpu_threshold: float = 0.0
    memory_threshold: float = 0.0


def parse_settings(raw: Mapping[str, object], rules: ServerRules) -> Settings:
    """A tenant's settings as posted; Invalid with every wrong field. The password is still to be merged."""
    fields = Fields(raw)
    server = _own_mail_server(fields, rules, _OF_A_SERVER)
    reply_to = read_reply_to(fields) if server is None else None
    settings = Settings(server, _recipients(fields), _switches(fields, TENANT_SWITCHES), reply_to)
    fields.finish()
    return settings


def parse_system_settings(raw: Mapping[str, object], rules: ServerRules) -> SystemSettings:
    """The system's settings as posted; Invalid with every wrong field. The password is still to be merged."""
    fields = Fields(raw)
    settings = SystemSettings(
        _own_mail_server(fields, rules, (*_OF_A_SERVER, "reply_to")),
        _recipients(fields),
        _switches(fields, SYSTEM_SWITCHES),
        enable_tenant_access=fields.flag("enable_tenant_access", default=True),
        hard_disk_threshold=fields.number("hard_disk_threshold", 0, 1, default=0.0),
        cpu_threshold=fields.number("cpu_threshold", 0, 1, default=0.0),
        memory_threshold=fields.number("memory_threshold", 0, 1, default=0.0),
    )
    fields.finish()
    return settings


def parse_settings_of(owner: TenantId, raw: Mapping[str, object], rules: ServerRules) -> Settings:
    """Settings as posted of a tenant, or of the system level. Raises Invalid."""
    return (parse_system_settings if owner == SYSTEM else parse_settings)(raw, rules)


def settings_to_json(settings: Settings, *, system_server_offered: bool) -> dict[str, object]:
    """The fields of GET /tenant/notification. `system_server_offered`: there is one and the operator lets tenants."""
    return {
        **sending_to_json(settings),
        "recipients": format_recipients(settings.recipients) or None,
        "enable_system_email_server": system_server_offered,
        **_switches_to_json(settings, TENANT_SWITCHES),
    }


def system_settings_to_json(settings: SystemSettings) -> dict[str, object]:
    """The fields of GET /admin/notification."""
    return {
        **mail_server_to_json(settings.mail_server),
        "recipients": format_recipients(settings.recipients) or None,
        "enable_tenant_access": settings.enable_tenant_access,
        "hard_disk_threshold": settings.hard_disk_threshold,
        "cpu_threshold": settings.cpu_threshold,
        "memory_threshold": settings.memory_threshold,
        **_switches_to_json(settings, SYSTEM_SWITCHES),
    }


def sending_to_json(settings: Settings) -> dict[str, object]:
    """The fields of the mail server, and of a tenant that has none of its own, where answers go."""
    fields = mail_server_to_json(settings.mail_server)
    return fields if settings.reply_to is None else {**fields, "reply_to": format_address(settings.reply_to)}


def mail_server_to_json(mail_server: MailServer | None) -> dict[str, object]:
    """The fields of a mail server but its password; the defaults when there is none yet."""
    return {
        "type": mail_server.type.value if mail_server else None,
        "server": mail_server.server if mail_server else None,
        "port": mail_server.port if mail_server else None,
        "reply_to": format_address(mail_server.reply_to) if mail_server and mail_server.reply_to else None,
        "username": mail_server.username if mail_server else None,
        "auth": mail_server.auth.value if mail_server else Auth.AUTO.value,
        "enable_tls_ssl": mail_server.enable_tls_ssl if mail_server else True,
        "enable_starttls_auto": mail_server.enable_starttls_auto if mail_server else False,
    }


def _own_mail_server(fields: Fields, rules: ServerRules, of_a_server: Iterable[str]) -> MailServer | None:
    """None when `type` is null in so many words, and nothing else speaks of a server: what is shown at first.

    A `type` that was left out is a mistake of the client's, and must not take a mail server away.
    """
    if fields.is_null("type"):
        if not any(map(fields.is_given, of_a_server)):
            return None
        fields.wrong("type", _NULL_BESIDE_A_SERVER)
    return read_mail_server(fields, rules)


def _recipients(fields: Fields) -> tuple[Address, ...]:
    return fields.parsed("recipients", parse_recipients, ())


def _switches(fields: Fields, names: Iterable[str]) -> dict[str, bool]:
    return {name: fields.flag(name, default=False) for name in names}


def _switches_to_json(settings: Settings, names: Iterable[str]) -> dict[str, object]:
    return {name: settings.switches.get(name, False) for name in names}
