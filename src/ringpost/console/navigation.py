"""The navigation: which pages there are, in which order, and for whom. A page that is not served is not shown."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from ringpost.console.languages import N_
from ringpost.console.visit import ROOT, Visit


@dataclass(frozen=True, slots=True)
class Entry:
    """One page. `title` is English, to be translated."""

    path: str
    title: str
    icon: str
    """Its drawing in `pages/icons.html`."""


OF_TENANTS: Final = (
    Entry("/", N_("Overview"), "overview"),
    Entry("/mail-server", N_("Mail server"), "server"),
    Entry("/notifications", N_("Notifications"), "bell"),
    Entry("/templates", N_("Templates"), "template"),
    Entry("/deliveries", N_("Deliveries"), "deliveries"),
    Entry("/people", N_("People"), "person"),
    Entry("/keys", N_("API keys"), "key"),
    Entry("/audit", N_("Audit log"), "audit"),
    Entry("/moving", N_("Export and import"), "moving"),
)
OF_THE_SYSTEM: Final = (
    Entry("/system/tenants", N_("Tenants"), "tenants"),
    Entry("/system/mail-server", N_("System mail server"), "server"),
    Entry("/system/notifications", N_("System notifications"), "bell"),
    Entry("/system/templates", N_("System templates"), "template"),
    Entry("/system/people", N_("Administrators"), "person"),
    Entry("/system/keys", N_("System API keys"), "key"),
    Entry("/system/audit", N_("System audit log"), "audit"),
    Entry("/system/moving", N_("System export and import"), "moving"),
    Entry("/system/health", N_("Health"), "health"),
)


@dataclass(frozen=True, slots=True)
class Section:
    """A group of entries under one heading; "" for none."""

    title: str
    entries: tuple[Entry, ...]


def navigation(visit: Visit) -> list[Section]:
    """What this visitor can go to."""
    sections: list[Section] = []
    if visit.session is None:
        return sections
    sections.append(Section("", _served(visit, OF_TENANTS if visit.tenant else OF_TENANTS[:1])))
    if visit.is_system_admin:
        sections.append(Section(N_("System"), _served(visit, OF_THE_SYSTEM)))
    return sections


def is_current(visit: Visit, entry: Entry) -> bool:
    """Whether the visitor is at this page or at one below it."""
    here = visit.path.removeprefix(ROOT).rstrip("/") or "/"
    return here == entry.path or (entry.path != "/" and here.startswith(f"{entry.path}/"))


def _served(visit: Visit, entries: Iterable[Entry]) -> tuple[Entry, ...]:
    served: frozenset[str] = visit.request.app.state.served
    return tuple(entry for entry in entries if entry.path in served)
