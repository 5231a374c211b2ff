"""Warn of OAuth credentials that end soon: 30, 14, 7 and 1 days ahead, once each, through the system's mail server.

The mail goes to whom the credentials belong: the recipients in the settings of their tenant, or of the system level.
While the system has no mail server, nothing is lost: the API shows the same, and the mail goes once there is one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import structlog
from sqlalchemy import Connection

from ringpost.domain.addresses import Address
from ringpost.domain.events import Event
from ringpost.domain.oauth import Method, OAuthProvider, warning_due
from ringpost.domain.tenants import SYSTEM
from ringpost.errors import RingpostError
from ringpost.storage import oauth as rows
from ringpost.storage import settings as settings_rows
from ringpost.storage import tenants as tenant_rows
from ringpost.storage.default_templates import language_of, words_in
from ringpost.usecases.accept_events import accept
from ringpost.usecases.room import Room

_log = structlog.get_logger("ringpost.watch")

_PROVIDERS: Final = {OAuthProvider.MS365: "Microsoft 365", OAuthProvider.GMAIL: "Gmail"}


@dataclass(frozen=True, slots=True)
class DueWarning:
    """A mail that is due."""

    of: rows.Expiring
    days: int
    """The threshold."""
    event: Event


async def warn_of_expiry(room: Room) -> int:
    """Put the mails that are due into the outbox; returns how many."""
    if not await room.database.read(_due, room):  # nothing is written, and nobody waits, as long as nothing is due
        return 0
    warned = await room.database.write(_warn, room)
    room.bell.ring()
    return warned


def _warn(connection: Connection, room: Room) -> int:
    due, warned = _due(connection, room), 0
    for warning, result in zip(due, accept(connection, room, [warning.event for warning in due]), strict=True):
        if isinstance(result, RingpostError):
            _log.error("warning_of_expiry_refused", tenant=warning.of.tenant, error=str(result))
            continue
        rows.mark_warned(connection, warning.of, warning.days)
        warned += 1
    return warned


def _due(connection: Connection, room: Room) -> list[DueWarning]:
    now = room.clock()
    soon = [(one, step) for one in rows.expiring(connection, now) if (step := _threshold(one, now)) is not None]
    if not soon or not settings_rows.can_send(connection, SYSTEM):
        return []
    owners = tenant_rows.by_id(connection, {one.tenant for one, _ in soon})
    names = words_in(language_of(room.options.system_locale)).credentials
    warnings: list[DueWarning] = []
    for one, step in soon:
        settings = settings_rows.show(connection, one.tenant)
        owner = owners.get(one.tenant)
        awake = one.tenant == SYSTEM or (owner is not None and owner.enabled)
        if awake and settings.recipients and settings.mail_server is not None:
            event = _event(one, step, now, settings.mail_server.username, settings.recipients, names)
            warnings.append(DueWarning(one, step, event))
    return warnings


def _threshold(one: rows.Expiring, now: int) -> int | None:
    days = one.settings.days_left(now)
    return None if days is None else warning_due(days, one.warned_days)


def _event(
    one: rows.Expiring, step: int, now: int, mailbox: str, recipients: tuple[Address, ...], names: Mapping[str, str]
) -> Event:
    settings = one.settings
    days, ends = settings.days_left(now), settings.expires_at or now
    return Event(
        tenant=SYSTEM,
        type="OAUTH_EXPIRING",
        id=f"oauth-{one.tenant}-{one.saved_at}-{step}",
        occurred_at=None,
        variables={
            "PROVIDER": _PROVIDERS[settings.provider],
            "CREDENTIAL": names["certificate" if settings.method is Method.CERTIFICATE else "client_secret"],
            "CLIENT_ID": settings.client_id or "",
            "MAILBOX": mailbox,
            "EXPIRES_AT": f"{datetime.fromtimestamp(ends / 1000, UTC):%Y-%m-%d %H:%M:%S} UTC",
            "DAYS_LEFT": str(days),
        },
        recipients=recipients,
        attachments=(),
    )
