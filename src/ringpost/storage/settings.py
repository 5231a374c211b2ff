"""Notification settings of tenants and of the system level, and which mail server is in force.

A tenant has a mail server of its own when settings were saved that can send; else it borrows the system's, when the
system administrator has one and lets tenants use it.
"""

import json
from collections.abc import Collection, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, cast

from sqlalchemy import Connection, Select, select

from ringpost.domain.addresses import Address, format_recipients, readable_recipients
from ringpost.domain.credentials import Credentials, GoogleUser, MicrosoftApp, ProviderHosts
from ringpost.domain.endpoints import Auth, Endpoint
from ringpost.domain.mail_servers import MailServer, ServerType, sender_of
from ringpost.domain.secrets import Secret
from ringpost.domain.settings import Settings, SystemSettings, sending_to_json
from ringpost.domain.tenants import SYSTEM, TenantId
from ringpost.errors import RingpostError
from ringpost.storage.oauth import credentials_in_force
from ringpost.storage.sealing import Place, SealBroken, Sealer
from ringpost.storage.tables import AnyRow, oauth
from ringpost.storage.tables import settings as table
from ringpost.storage.tables import tenants as tenants_table
from ringpost.storage.tenants import must_exist

TENANTS_PER_QUERY = 10_000
"""SQLite takes at most 32,766 parameters in one statement (sqlite.org/limits.html)."""

_SYSTEM_FIELDS = ("enable_tenant_access", "hard_disk_threshold", "cpu_threshold", "memory_threshold")
_STORED = Secret("stored")
"""Stands for a password that there is, where nobody needs to know it."""
_NO_SERVER = ""
"""The `type` of settings without a mail server."""
_PROVIDERS = ProviderHosts()
_QUERY = select(table, oauth.c.provider.label("oauth_provider")).outerjoin(oauth, oauth.c.tenant == table.c.tenant)
"""Settings, and whose OAuth credentials there are beside them."""


class Unreadable(SealBroken):
    """What is stored of a mail server is of a kind that this version does not know, as when a newer one saved it."""


@dataclass(frozen=True, slots=True)
class InForce:
    """What an event needs to know of its tenant's settings. No secret was opened for it."""

    recipients: tuple[Address, ...] = ()
    switches: dict[str, bool] | None = None
    own_server: bool = False
    """The tenant's own mail server can send."""
    system_server: bool = False
    """The system's mail server can send, and may be used by tenants."""

    def is_on(self, switch: str) -> bool:
        """Whether the notification of this notify_* field is on; off is the default of all of them."""
        return (self.switches or {}).get(switch, False)


@dataclass(frozen=True, slots=True)
class ServerInForce:
    """The mail server that a mail of a tenant goes through, and as whom."""

    lane: str
    """Whose server it is: the tenant's id, or `system`."""
    sender: Address
    reply_to: Address | None
    endpoint: Endpoint


def show(connection: Connection, tenant: TenantId) -> Settings:
    """The settings of a tenant, or of the system level, with a stand-in for the password.

    The defaults for what was not saved or is unreadable.
    """
    row = _row(connection, tenant)
    return _defaults(tenant) if row is None else _settings(row, _readable_server(row))


def show_system(connection: Connection) -> SystemSettings:
    """The system level's settings, as `show`."""
    row = _row(connection, SYSTEM)
    return SystemSettings() if row is None else _system_settings(row, _readable_server(row))


def load(connection: Connection, sealer: Sealer, tenant: TenantId) -> Settings:
    """The same with the password; the defaults when none were saved. Raises SealBroken."""
    row = _row(connection, tenant)
    return _defaults(tenant) if row is None else _settings(row, _mail_server(row, _open(sealer, row)))


def lock(connection: Connection, tenant: TenantId) -> None:
    """Let nobody else change the tenant's settings until this transaction ends; on SQLite there is nobody else.

    Raises NotFound when there is no such tenant any more.
    """
    must_exist(connection, tenant)
    for one in _rows_of([tenant]):
        connection.execute(one.with_for_update(key_share=True))


def keep_as_they_are(connection: Connection, tenants: Collection[TenantId]) -> None:
    """Let nobody change the settings of these until this transaction ends.

    For whoever puts mail into a queue: who saves settings moves what waits, and ends the holds that there are, once.
    Who is just saving is waited for. Any number of transactions may do so at the same time.
    """
    for some in _rows_of(tenants):
        connection.execute(some.with_for_update(read=True))


def _rows_of(tenants: Collection[TenantId]) -> Sequence[Select[Any]]:
    """What is locked of these: a tenant is there before its settings are first saved; the system level is none."""
    return [
        select(column).where(column.in_(tenants)).order_by(column) for column in (tenants_table.c.id, table.c.tenant)
    ]


def save(connection: Connection, sealer: Sealer, tenant: TenantId, settings: Settings) -> None:
    """Replace all settings of the tenant."""
    server = settings.mail_server
    password = server.password if server else None
    values = {
        **sending_to_json(settings),
        "type": server.type.value if server else _NO_SERVER,
        "username": server.username if server else "",
        "password": sealer.seal(_place(tenant), password.reveal().encode()) if password else None,
        "recipients": format_recipients(settings.recipients) or None,
        "switches": json.dumps(settings.switches),
        "system": _system_json(settings) if isinstance(settings, SystemSettings) else None,
    }
    changed = connection.execute(table.update().where(table.c.tenant == tenant).values(values))
    if not changed.rowcount:
        connection.execute(table.insert().values(tenant=tenant, **values))


def system_server_offered(connection: Connection) -> bool:
    """Whether tenants may send through the system's mail server: there is one, and the administrator lets them."""
    return _is_offered(_row(connection, SYSTEM))


def settings_in_force(connection: Connection, tenants: Iterable[TenantId]) -> dict[TenantId, InForce]:
    """What events need to know, for many tenants at once; every tenant asked for is in the answer."""
    wanted = {SYSTEM, *tenants}
    rows = _rows(connection, wanted)
    offered = _is_offered(rows.get(SYSTEM))
    return {tenant: _in_force(rows.get(tenant), offered=offered) for tenant in wanted}


def mail_server_in_force(
    connection: Connection, sealer: Sealer, tenant: TenantId, hosts: ProviderHosts = _PROVIDERS
) -> ServerInForce | None:
    """The tenant's own mail server when it can send, else the system's when it may be used, else None.

    Raises SealBroken. `hosts` are the operator's.
    """
    return _in_force_for(connection, sealer, tenant, _rows(connection, {SYSTEM, tenant}), hosts)


def mail_servers_in_force(
    connection: Connection, sealer: Sealer, tenants: Collection[TenantId], hosts: ProviderHosts = _PROVIDERS
) -> dict[TenantId, ServerInForce | None]:
    """The same for many tenants at once. A tenant whose secrets do not open is left out of the answer."""
    rows = _rows(connection, {SYSTEM, *tenants})
    found: dict[TenantId, ServerInForce | None] = {}
    for tenant in tenants:
        with suppress(SealBroken):
            found[tenant] = _in_force_for(connection, sealer, tenant, rows, hosts)
    return found


def can_send(connection: Connection, tenant: TenantId) -> bool:
    """Whether the tenant's own mail server can send."""
    row = _row(connection, tenant)
    return row is not None and _can_send(row)


def borrowed_server(
    connection: Connection, sealer: Sealer, tenant: TenantId, hosts: ProviderHosts = _PROVIDERS
) -> ServerInForce | None:
    """The system's mail server as this tenant may use it, whatever it has of its own; None when it may not.

    Answers go to the tenant's `reply_to`, because nobody at the system's address could answer for the tenant.
    """
    return _borrowed_by(connection, sealer, tenant, _rows(connection, {SYSTEM, tenant}), hosts)


def _in_force_for(
    connection: Connection, sealer: Sealer, tenant: TenantId, rows: Mapping[TenantId, AnyRow], hosts: ProviderHosts
) -> ServerInForce | None:
    """What `mail_server_in_force` says, by the rows of the tenant and of the system."""
    row = rows.get(tenant)
    with _unreadable_stops_nobody_else():
        server = None if row is None else _whole_server(connection, sealer, row)
        if server is None:
            return None if tenant == SYSTEM else _borrowed_by(connection, sealer, tenant, rows, hosts)
        return _server_in_force(tenant, server, server.reply_to, hosts)


@contextmanager
def _unreadable_stops_nobody_else() -> Generator[None]:
    """Raise Unreadable for whatever is wrong with what is stored of one tenant."""
    try:
        yield
    except (ValueError, TypeError, LookupError, RingpostError) as error:
        raise Unreadable("What is stored of a mail server is not to be understood") from error


def _borrowed_by(
    connection: Connection, sealer: Sealer, tenant: TenantId, rows: Mapping[TenantId, AnyRow], hosts: ProviderHosts
) -> ServerInForce | None:
    system, row = rows.get(SYSTEM), rows.get(tenant)
    server = _whole_server(connection, sealer, system) if system is not None and _is_offered(system) else None
    if server is None:
        return None
    reply_to = _address(row.reply_to) if row is not None and row.reply_to else server.reply_to
    return _server_in_force(SYSTEM, server, reply_to, hosts)


def _server_in_force(
    lane: TenantId, server: MailServer, reply_to: Address | None, hosts: ProviderHosts
) -> ServerInForce:
    sender = sender_of(server)
    if sender is None:  # `_can_send` has seen to it
        raise ValueError("A mail server without a sender address is not in force.")
    if reply_to is not None and reply_to.key == sender.key:
        reply_to = None
    return ServerInForce(lane, sender, reply_to, server.endpoint(restricted=lane != SYSTEM, hosts=hosts))


def _in_force(row: AnyRow | None, *, offered: bool) -> InForce:
    if row is None:
        return InForce(system_server=offered)
    return InForce(_recipients(row.recipients or ""), json.loads(row.switches), _can_send(row), offered)


def _is_offered(system: AnyRow | None) -> bool:
    return (
        system is not None and _can_send(system) and json.loads(system.system or "{}").get("enable_tenant_access", True)
    )


def _can_send(row: AnyRow) -> bool:
    """An unreadable one can: its mail waits until somebody reads it, or it is saved again."""
    try:
        server = _stored_server(row)
    except Unreadable:
        return True
    return server is not None and server.complete


def _readable_server(row: AnyRow) -> MailServer | None:
    with suppress(Unreadable):
        return _stored_server(row)
    return None


def _stored_server(row: AnyRow) -> MailServer | None:
    """The mail server with a stand-in for its password."""
    return _mail_server(row, _stand_in_of(row))


def _stand_in_of(row: AnyRow) -> Secret | None:
    return _STORED if row.password is not None else None


def _row(connection: Connection, tenant: TenantId) -> AnyRow | None:
    return connection.execute(_QUERY.where(table.c.tenant == tenant)).first()


def _rows(connection: Connection, tenants: Iterable[TenantId]) -> dict[TenantId, AnyRow]:
    """The rows that there are of these."""
    wanted = sorted(tenants)
    rows: dict[TenantId, AnyRow] = {}
    for start in range(0, len(wanted), TENANTS_PER_QUERY):
        query = _QUERY.where(table.c.tenant.in_(wanted[start : start + TENANTS_PER_QUERY]))
        rows.update({TenantId(row.tenant): row for row in connection.execute(query)})
    return rows


def _defaults(tenant: TenantId) -> Settings:
    return SystemSettings() if tenant == SYSTEM else Settings()


def _settings(row: AnyRow, server: MailServer | None) -> Settings:
    if row.tenant == SYSTEM:
        return _system_settings(row, server)
    reply_to = _address(row.reply_to) if server is None and row.reply_to else None
    return Settings(server, _recipients(row.recipients or ""), json.loads(row.switches), reply_to)


def _system_settings(row: AnyRow, server: MailServer | None) -> SystemSettings:
    own = cast("dict[str, Any]", json.loads(row.system or "{}"))
    return SystemSettings(server, _recipients(row.recipients or ""), json.loads(row.switches), **own)


def _system_json(settings: SystemSettings) -> str:
    return json.dumps({name: getattr(settings, name) for name in _SYSTEM_FIELDS})


def _whole_server(connection: Connection, sealer: Sealer, row: AnyRow) -> MailServer | None:
    """The mail server with all its secrets; None when it cannot send, and then nothing is opened."""
    server = _stored_server(row)
    if server is None or not server.complete:
        return None
    if server.password is not None:
        server = replace(server, password=_open(sealer, row))
    if server.credentials is not None:
        server = replace(server, oauth=credentials_in_force(connection, sealer, TenantId(row.tenant)))
    return server


def stored_oauth(connection: Connection, tenant: TenantId) -> Credentials | None:
    """A stand-in for the tenant's OAuth credentials; None when there are none."""
    return _stand_in(connection.execute(select(oauth.c.provider).where(oauth.c.tenant == tenant)).scalar())


def _stand_in(provider: str | None) -> Credentials | None:
    """Stands for OAuth credentials of a provider that there are, where nobody needs to know them."""
    if provider is None:
        return None
    return MicrosoftApp("", "") if provider == ServerType.MS365 else GoogleUser("", _STORED, _STORED)


def _mail_server(row: AnyRow, password: Secret | None) -> MailServer | None:
    if row.type == _NO_SERVER:
        return None
    with _unreadable_stops_nobody_else():
        return MailServer(
            type=ServerType(row.type),
            server=row.server,
            port=row.port,
            reply_to=_address(row.reply_to) if row.reply_to else None,
            username=row.username,
            password=password,
            auth=Auth(row.auth),
            enable_tls_ssl=row.enable_tls_ssl,
            enable_starttls_auto=row.enable_starttls_auto,
            oauth=_stand_in(row.oauth_provider),
        )


def _open(sealer: Sealer, row: AnyRow) -> Secret | None:
    if row.password is None:
        return None
    return Secret(sealer.unseal(_place(TenantId(row.tenant)), row.password).decode())


def _place(tenant: TenantId) -> Place:
    return Place(tenant, "settings", tenant, "password")


# What was saved was checked when it was saved; reading it again is only work, so it is done once.


@lru_cache(4096)
def _recipients(text: str) -> tuple[Address, ...]:
    return readable_recipients(text)


def _address(text: str) -> Address | None:
    return next(iter(_recipients(text)), None)
