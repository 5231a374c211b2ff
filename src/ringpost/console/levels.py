"""The two levels that have a mail server: a tenant, and the system. Their pages are the same but for what is here."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection

from ringpost.console.routing import Access
from ringpost.console.visit import Visit
from ringpost.domain.access import SCOPES_OF_ROLE, Principal, Role
from ringpost.domain.mail_servers import MailServer
from ringpost.domain.oauth import OAuthSettings
from ringpost.domain.settings import Settings, SystemSettings, settings_to_json, system_settings_to_json
from ringpost.domain.tenants import SYSTEM, TenantId
from ringpost.storage import oauth, settings
from ringpost.usecases.change_oauth import edit_oauth
from ringpost.usecases.change_settings import edit_settings


@dataclass(frozen=True, slots=True)
class Saved:
    """What is stored of a level, without secrets."""

    settings: Settings
    credentials: OAuthSettings | None
    offered: bool
    """The system's mail server may be used. False at the system level, whose own it is."""

    @property
    def own(self) -> MailServer | None:
        """The mail server, whether it can send or not; a stand-in takes the place of its password."""
        return self.settings.mail_server

    @property
    def has_password(self) -> bool:
        """Whether there is one to keep."""
        return self.own is not None and self.own.password is not None

    @property
    def can_send(self) -> bool:
        """Whether the level's own mail server is complete."""
        return self.settings.can_send

    @property
    def fields(self) -> dict[str, object]:
        """As the API shows them. Posted back, they change nothing."""
        if isinstance(self.settings, SystemSettings):
            return system_settings_to_json(self.settings)
        return settings_to_json(self.settings, system_server_offered=self.offered)


@dataclass(frozen=True, slots=True)
class Level:
    """One of the two."""

    path: str
    """The path of the mail server's page, without `/console`."""
    notifications: str
    """The path of the page of recipients and switches."""
    to_see: Access
    to_change: Access

    @property
    def is_system(self) -> bool:
        """Whether it is the system level."""
        return self.to_see is Access.SYSTEM

    @property
    def prefix(self) -> str:
        """What the paths of the level's pages begin with, after `/console`."""
        return "/system" if self.is_system else ""

    def owner(self, visit: Visit) -> TenantId:
        """Whose settings these are."""
        return SYSTEM if self.is_system else visit.tenant_id

    def principal(self, visit: Visit) -> Principal:
        """In whose name use cases work; the administrator's own at the system level, also while acting for a tenant."""
        if not (self.is_system and visit.is_acting):
            return visit.principal
        session, role = visit.session.id if visit.session else "", Role.SYSTEM_ADMIN
        return Principal(SYSTEM, role, SCOPES_OF_ROLE[role], visit.user.username, session, session)

    def may_edit(self, visit: Visit) -> bool:
        """Whether the forms can be sent."""
        return self.is_system or visit.may_edit

    async def saved(self, visit: Visit) -> Saved:
        """What is stored."""
        return await visit.room.database.read(_saved, self.owner(visit))

    async def save(self, visit: Visit, edited: Callable[[Saved], Mapping[str, Any]]) -> None:
        """Change the fields that `edited` makes of what is stored, and leave the others as they are, in one write.

        Raises Invalid, PasswordRequired, and as `edited` does.
        """

        def fields(connection: Connection) -> Mapping[str, object]:
            saved = _saved(connection, self.owner(visit))
            return {**saved.fields, **edited(saved)}

        await edit_settings(visit.room, self.principal(visit), fields)

    async def save_credentials(self, visit: Visit, edited: Callable[[Saved], Mapping[str, Any] | None]) -> None:
        """Replace the OAuth credentials by what `edited` makes of what is stored, or forget them when that is None.

        Raises Invalid, PasswordRequired, and as `edited` does.
        """

        def fields(connection: Connection) -> Mapping[str, object] | None:
            return edited(_saved(connection, self.owner(visit)))

        await edit_oauth(visit.room, self.principal(visit), fields)


OF_TENANT: Final = Level("/mail-server", "/notifications", Access.TENANT, Access.EDITOR)
OF_SYSTEM: Final = Level("/system/mail-server", "/system/notifications", Access.SYSTEM, Access.SYSTEM)
LEVELS: Final = (OF_TENANT, OF_SYSTEM)


def _saved(connection: Connection, owner: TenantId) -> Saved:
    return Saved(
        settings.show(connection, owner),
        oauth.show(connection, owner),
        owner != SYSTEM and settings.system_server_offered(connection),
    )
