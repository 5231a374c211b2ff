"""A visit: all that a view knows of one request. Who asks, for which tenant, in which language and zone."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Final
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from ringpost.console.forms import Posted
from ringpost.console.languages import N_, Language
from ringpost.domain.access import SCOPES_OF_ROLE, Principal, Role, User
from ringpost.domain.tenants import SYSTEM, Tenant, TenantId
from ringpost.errors import Forbidden, Unauthorized
from ringpost.limits import Limits
from ringpost.storage.sessions import ConsoleSession
from ringpost.usecases.room import Room

ROOT: Final = "/console"
THEMES: Final = ("auto", "light", "dark")


@dataclass(frozen=True)
class Visit:
    """Handed to every view, and to every template as `visit`."""

    request: Request
    room: Room
    limits: Limits
    csrf: str
    """Goes into every form, as the field `csrf`."""
    language: Language
    theme: str
    """One of THEMES; `auto` follows the browser."""
    session: ConsoleSession | None = None
    tenant: Tenant | None = None
    """The tenant whose pages these are; None at the system level, and before anybody has signed in."""
    posted: Posted = field(default_factory=Posted)
    """The form, when this is a POST."""

    @property
    def user(self) -> User:
        """Who is signed in. Raises Unauthorized when nobody is."""
        if self.session is None:
            raise Unauthorized(N_("Nobody is signed in."))
        return self.session.user

    @property
    def is_system_admin(self) -> bool:
        """Whether the person is the operator's, also while acting for a tenant."""
        return self.session is not None and self.session.user.role is Role.SYSTEM_ADMIN

    @property
    def is_acting(self) -> bool:
        """Whether a system administrator works in a tenant."""
        return self.is_system_admin and self.tenant is not None

    @cached_property
    def principal(self) -> Principal:
        """In whose name use cases work: of the tenant in view, else of the system level."""
        user = self.user
        role = Role.TENANT_ADMIN if self.is_acting else user.role
        name = f"{user.username} (system)" if self.is_acting else user.username
        session = self.session.id if self.session else ""
        return Principal(self.tenant.id if self.tenant else SYSTEM, role, SCOPES_OF_ROLE[role], name, session, session)

    @property
    def tenant_id(self) -> TenantId:
        """The tenant in view. Raises Forbidden at the system level; `Access.TENANT` keeps views from that."""
        if self.tenant is None:
            raise Forbidden(N_("This page belongs to a tenant. Choose one first."))
        return self.tenant.id

    @property
    def may_edit(self) -> bool:
        """Whether forms can be sent. When not, show them disabled (`{{ read_only_notice(visit) }}` says why)."""
        return self.session is not None and self.principal.role is not Role.READ_ONLY

    @property
    def zone(self) -> ZoneInfo:
        """The zone that times are shown in: the tenant's."""
        return ZoneInfo(self.tenant.timezone if self.tenant else "UTC")

    @property
    def path(self) -> str:
        """The page's own path, from `/console` on."""
        return self.request.url.path

    @property
    def done(self) -> str:
        """What the form before this page did (`redirect(..., done="saved")`); "" for nothing."""
        return self.request.query_params.get("done", "")

    @property
    def wants_fragment(self) -> bool:
        """Whether htmx asks, which takes a part of a page."""
        return self.request.headers.get("hx-request") == "true"

    def say(self, message: str, **values: object) -> str:
        """The message in the visitor's language. Write it out literally: it is extracted from here."""
        return self.language.say(message, **values)

    def redirect(self, path: str, **query: str) -> Response:
        """Go on to a page of the console, named without `/console`: the end of every form that worked."""
        return RedirectResponse(f"{ROOT}{path}{'?' + urlencode(query) if query else ''}", 303)
