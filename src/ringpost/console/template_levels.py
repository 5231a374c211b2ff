"""Whose templates a page is about: a tenant's, or the system level's. Their pages are the same but for what is here."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final

from starlette.responses import Response

from ringpost.console.languages import N_
from ringpost.console.levels import OF_SYSTEM, OF_TENANT, Level
from ringpost.console.notifications import GROUPS
from ringpost.console.routing import Page, get, post
from ringpost.console.visit import Visit
from ringpost.domain.access import Principal
from ringpost.domain.catalogue import CATALOGUE, EventType
from ringpost.domain.system_events import SYSTEM_CATALOGUE
from ringpost.domain.tenants import TenantId
from ringpost.errors import NotFound


@dataclass(frozen=True, slots=True)
class Group:
    """Templates that belong together; all texts are English, to be translated."""

    title: str
    titles: Mapping[str, str]
    """What each is about, by name."""


@dataclass(frozen=True, slots=True)
class TemplateLevel:
    """One of the two."""

    level: Level
    path: str
    """The path of the list, without `/console`."""
    groups: tuple[Group, ...]
    catalogue: Mapping[str, EventType]

    def owner(self, visit: Visit) -> TenantId:
        """Whose templates these are."""
        return self.level.owner(visit)

    def principal(self, visit: Visit) -> Principal:
        """In whose name use cases work."""
        return self.level.principal(visit)

    def may_edit(self, visit: Visit) -> bool:
        """Whether the forms can be sent."""
        return self.level.may_edit(visit)

    def kind(self, visit: Visit) -> EventType:
        """The event type that the address names. Raises NotFound."""
        kind = self.catalogue.get(visit.request.path_params["name"])
        if kind is None:
            raise NotFound(N_("There is no template of this name."))
        return kind

    def title(self, name: str) -> str:
        """What the template is about, in English."""
        titles = (group.titles[name] for group in self.groups if name in group.titles)
        return next(titles, self.catalogue[name].description)

    def routes(self, *views: "TemplateView") -> tuple[Page, ...]:
        """The pages of this level. `{name}` in a path is the template's."""
        return tuple(self._route(view) for view in views)

    def _route(self, view: "TemplateView") -> Page:
        async def answer(visit: Visit) -> Response:
            return await view.answer(visit, self)

        path = self.path + view.path
        return get(path, answer, self.level.to_see) if view.reads else post(path, answer, self.level.to_change)


@dataclass(frozen=True, slots=True)
class TemplateView:
    """A view that serves both levels, and where it is below the list."""

    path: str
    answer: Callable[[Visit, TemplateLevel], Awaitable[Response]]
    reads: bool = False
    """It is a page to look at, not a form that is sent."""


LEVELS: Final = (
    TemplateLevel(
        OF_TENANT,
        "/templates",
        tuple(Group(group.title, {told.name: told.title for told in group.types}) for group in GROUPS),
        CATALOGUE,
    ),
    TemplateLevel(
        OF_SYSTEM,
        "/system/templates",
        (Group(N_("The phone system"), {kind.name: kind.description for kind in SYSTEM_CATALOGUE.values()}),),
        SYSTEM_CATALOGUE,
    ),
)
