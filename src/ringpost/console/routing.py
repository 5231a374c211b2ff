"""The routes of the console: who may go where. Every page module lists its own as `routes`."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import Enum

from starlette.responses import Response

from ringpost.console.visit import Visit

View = Callable[[Visit], Awaitable[Response]]


class Access(Enum):
    """Who may use a route. A POST that changes something never has the access of a page that is only read."""

    PUBLIC = "public"
    """Everybody: signing in, and what comes before."""
    SIGNED_IN = "signed in"
    """Everybody who is signed in, for what is their own: account, language."""
    TENANT = "tenant"
    """Who may see a tenant's pages: its people, and a system administrator who acts for it."""
    EDITOR = "editor"
    """Who may change what is a tenant's: the same without read_only."""
    SYSTEM = "system"
    """System administrators."""

    @property
    def of_tenant(self) -> bool:
        """Whether the route is about the tenant in view."""
        return self in (Access.TENANT, Access.EDITOR)


@dataclass(frozen=True, slots=True)
class Page:
    """One route. `path` is what follows `/console`, with `{parameters}` as Starlette has them."""

    method: str
    path: str
    view: View
    access: Access


def get(path: str, view: View, access: Access = Access.TENANT) -> Page:
    """A page to look at."""
    return Page("GET", path, view, access)


def post(path: str, view: View, access: Access = Access.EDITOR) -> Page:
    """A form to send. Its CSRF token and its origin are checked before the view sees it."""
    return Page("POST", path, view, access)
