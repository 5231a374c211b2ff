"""Export a tenant's settings and templates, or the system level's, as one file without secrets."""

from typing import Any

from sqlalchemy import Connection

from ringpost.domain.oauth import OAuthSettings, oauth_to_json
from ringpost.domain.system_events import catalogue_of
from ringpost.domain.tenant_files import write_file
from ringpost.domain.tenants import TenantId
from ringpost.storage import oauth, settings, templates
from ringpost.usecases.change_settings import editable_fields
from ringpost.usecases.room import Room

_TOLD_BY_TIME = ("days_left", "expiry_warning", "certificate_expires_at")
"""What GET adds to credentials and nobody enters."""


async def export_tenant(room: Room, tenant: TenantId) -> dict[str, object]:
    """The file (domain/tenant_files) as JSON."""
    return await room.database.read(_export, tenant)


def oauth_fields(credentials: OAuthSettings) -> dict[str, Any]:
    """What a file says of OAuth credentials."""
    shown = oauth_to_json(credentials, 0)
    return {name: value for name, value in shown.items() if name not in _TOLD_BY_TIME}


def _export(connection: Connection, tenant: TenantId) -> dict[str, object]:
    shown = settings.show(connection, tenant)
    credentials = oauth.show(connection, tenant)
    custom = {revision.name: revision.parts for revision in templates.list_custom(connection, tenant)}
    return write_file(
        tenant,
        (shown, editable_fields(shown)),
        (credentials, oauth_fields(credentials)) if credentials else None,
        {name: custom[name] for name in catalogue_of(tenant) if name in custom},
    )
