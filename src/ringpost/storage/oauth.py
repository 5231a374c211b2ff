"""OAuth credentials of tenants and of the system level; the secrets are one sealed value."""

import json
from dataclasses import dataclass, replace

from sqlalchemy import Connection, delete, or_, select, update

from ringpost.domain.credentials import Cloud, Credentials
from ringpost.domain.oauth import WARN_DAYS, Method, OAuthProvider, OAuthSettings
from ringpost.domain.secrets import Secret
from ringpost.domain.tenants import TenantId
from ringpost.domain.times import DAY_MS
from ringpost.storage.sealing import Place, Sealer
from ringpost.storage.tables import AnyRow
from ringpost.storage.tables import oauth as table


@dataclass(frozen=True, slots=True)
class Expiring:
    """Credentials that end soon."""

    tenant: TenantId
    settings: OAuthSettings
    saved_at: int
    """Milliseconds since 1970, UTC."""
    warned_days: int | None
    """The last threshold that somebody was warned at since then."""


def show(connection: Connection, tenant: TenantId) -> OAuthSettings | None:
    """The credentials without their secrets; None when there are none."""
    row = _row(connection, tenant)
    return None if row is None else _settings(row)


def load(connection: Connection, sealer: Sealer, tenant: TenantId) -> OAuthSettings | None:
    """The credentials with their secrets; None when there are none. Raises SealBroken."""
    row = _row(connection, tenant)
    if row is None:
        return None
    secrets: dict[str, str] = json.loads(sealer.unseal(_place(tenant), row.secrets))
    client_secret = secrets.get("client_secret")
    return replace(
        _settings(row),
        secret=Secret(secrets["secret"]),
        client_secret=None if client_secret is None else Secret(client_secret),
    )


def credentials_in_force(connection: Connection, sealer: Sealer, tenant: TenantId) -> Credentials | None:
    """As transports take them. Raises SealBroken."""
    settings = load(connection, sealer, tenant)
    return None if settings is None else settings.credentials


def lock(connection: Connection, tenant: TenantId) -> None:
    """Let nobody else change the credentials until this transaction ends; on SQLite there is nobody else."""
    connection.execute(select(table.c.tenant).where(table.c.tenant == tenant).with_for_update())


def save(connection: Connection, sealer: Sealer, tenant: TenantId, settings: OAuthSettings, now: int) -> None:
    """Replace the credentials. Nobody has been warned of the new ones yet."""
    if settings.method is None or settings.secret is None:
        raise ValueError("Credentials without a secret are not saved.")
    secrets = {"secret": settings.secret.reveal()}
    if settings.client_secret is not None:
        secrets["client_secret"] = settings.client_secret.reveal()
    values = {
        "provider": settings.provider.value,
        "method": settings.method.value,
        "directory": settings.directory,
        "client_id": settings.client_id,
        "cloud": settings.cloud.value,
        "account": settings.account,
        "secret_expires_at": settings.secret_expires_at,
        "certificate_expires_at": settings.certificate_expires_at,
        "secrets": sealer.seal(_place(tenant), json.dumps(secrets).encode()),
        "warned_days": None,
        "updated_at": now,
    }
    changed = connection.execute(table.update().where(table.c.tenant == tenant).values(values))
    if not changed.rowcount:
        connection.execute(table.insert().values(tenant=tenant, **values))


def remove(connection: Connection, tenant: TenantId) -> bool:
    """Forget the credentials; False when there were none."""
    return connection.execute(delete(table).where(table.c.tenant == tenant)).rowcount > 0


def expiring(connection: Connection, now: int) -> list[Expiring]:
    """All credentials that end within the longest time of warning and have not ended."""
    soon = now + WARN_DAYS[0] * DAY_MS
    rows = connection.execute(
        select(table).where(
            or_(table.c.secret_expires_at.between(now, soon), table.c.certificate_expires_at.between(now, soon))
        )
    )
    return [Expiring(TenantId(row.tenant), _settings(row), row.updated_at, row.warned_days) for row in rows]


def mark_warned(connection: Connection, of: Expiring, days: int) -> None:
    """Somebody has been warned of these credentials at this threshold, not of others that are saved meanwhile."""
    these = table.c.tenant == of.tenant, table.c.updated_at == of.saved_at
    connection.execute(update(table).where(*these).values(warned_days=days))


def _row(connection: Connection, tenant: TenantId) -> AnyRow | None:
    return connection.execute(select(table).where(table.c.tenant == tenant)).first()


def _settings(row: AnyRow) -> OAuthSettings:
    return OAuthSettings(
        OAuthProvider(row.provider),
        Method(row.method),
        directory=row.directory,
        client_id=row.client_id,
        cloud=Cloud(row.cloud),
        secret_expires_at=row.secret_expires_at,
        certificate_expires_at=row.certificate_expires_at,
        account=row.account,
    )


def _place(tenant: TenantId) -> Place:
    return Place(tenant, "oauth", tenant, "secrets")
