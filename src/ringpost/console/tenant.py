"""One tenant, for system administrators: make it, change it, disable it, destroy it."""

from functools import cache, partial
from typing import Any, Final

from starlette.responses import Response

from ringpost.console.forms import Form, refused
from ringpost.console.languages import N_
from ringpost.console.levels import OF_SYSTEM
from ringpost.console.meanwhile import SEEN_FIELD, SavedMeanwhile, mark_of, refuse_unseen
from ringpost.console.rendering import render
from ringpost.console.routing import Access, get, post
from ringpost.console.visit import Visit
from ringpost.domain.tenants import Tenant, TenantDraft, TenantId, parse_domain
from ringpost.domain.times import time_zones
from ringpost.errors import AlreadyExists, FieldError, Invalid
from ringpost.storage import tenants
from ringpost.usecases.change_tenant import edit_tenant, switched
from ringpost.usecases.create_tenant import create_tenant
from ringpost.usecases.destroy_tenant import destroy_tenant

FIELDS: Final = {"name": N_("Name"), "domain": N_("Domain"), "timezone": N_("Timezone"), "locale": N_("Language")}
LOCALES: Final = (
    ("en", "English"),
    ("en-GB", "English (United Kingdom)"),
    ("en-US", "English (United States)"),
    ("de", "Deutsch"),
    ("de-AT", "Deutsch (Österreich)"),
    ("de-CH", "Deutsch (Schweiz)"),
)
"""Those that there are templates for. Any other may be typed, and gets English ones."""
NOT_ITS_DOMAIN: Final = N_("This is not its domain. Type the domain just as it stands above.")


async def show_new(visit: Visit) -> Response:
    """The empty form."""
    return _new(visit, Form({"timezone": "UTC", "locale": visit.language.tag}))


async def make(visit: Visit) -> Response:
    """Create it."""
    try:
        made = await create_tenant(visit.room, _draft(visit, enabled=True), OF_SYSTEM.principal(visit))
    except (Invalid, AlreadyExists) as reason:
        return _new(visit, _refused(visit, reason), status=422)
    return visit.redirect(f"/system/tenants/{made}", done="made")


async def show_tenant(visit: Visit) -> Response:
    """What is said about it, and what can be done with it."""
    tenant = await _tenant(visit)
    return _page(visit, tenant, Form(_values(tenant)))


async def change(visit: Visit) -> Response:
    """Change name, domain, timezone and locale, unless somebody else was faster."""
    tenant = await _tenant(visit)
    try:
        edited = partial(_edited, visit)
        await edit_tenant(visit.room, tenant.id, edited, OF_SYSTEM.principal(visit))
    except (Invalid, AlreadyExists) as reason:
        return _page(visit, tenant, _refused(visit, reason), status=422)
    except SavedMeanwhile:
        return _clash_page(visit, await _tenant(visit))
    return visit.redirect(f"/system/tenants/{tenant.id}", done="saved")


async def disable(visit: Visit) -> Response:
    """Keep its people and programs out."""
    return await _switch(visit, enabled=False)


async def enable(visit: Visit) -> Response:
    """Let them in again."""
    return await _switch(visit, enabled=True)


async def destroy(visit: Visit) -> Response:
    """Remove it with all that is its own, when its domain was typed."""
    tenant = await _tenant(visit)
    if not _is_domain(visit.posted.text("typed"), tenant):
        reason = Invalid(FieldError("typed", NOT_ITS_DOMAIN))
        values = _values(tenant) | {"typed": visit.posted.text("typed")}
        return _page(visit, tenant, refused(values, reason), status=422)
    await destroy_tenant(visit.room, tenant.id, OF_SYSTEM.principal(visit))
    return visit.redirect("/system/tenants", done="destroyed")


async def _switch(visit: Visit, *, enabled: bool) -> Response:
    tenant = await _tenant(visit)
    await edit_tenant(visit.room, tenant.id, partial(switched, enabled=enabled), OF_SYSTEM.principal(visit))
    return visit.redirect(f"/system/tenants/{tenant.id}", done="enabled" if enabled else "disabled")


async def _tenant(visit: Visit) -> Tenant:
    return await visit.room.database.read(tenants.show, TenantId(visit.request.path_params["tenant"]))


def _edited(visit: Visit, tenant: Tenant) -> TenantDraft:
    refuse_unseen(visit.posted, _values(tenant))
    return _draft(visit, enabled=tenant.enabled)


def _values(tenant: Tenant) -> dict[str, str]:
    return {name: getattr(tenant, name) for name in FIELDS}


def _typed(visit: Visit) -> dict[str, str]:
    return {name: visit.posted.text(name) for name in FIELDS}


def _draft(visit: Visit, *, enabled: bool) -> TenantDraft:
    name, domain, timezone, locale = (visit.posted.text(field) for field in FIELDS)
    return TenantDraft(name, domain, enabled, timezone or "UTC", locale or "en")


def _refused(visit: Visit, reason: Invalid | AlreadyExists) -> Form:
    if isinstance(reason, AlreadyExists):
        message = N_("Another tenant has this domain. A domain belongs to one tenant only.")
        reason = Invalid(FieldError("domain", message))
    return refused(_typed(visit), reason)


def _is_domain(typed: str, tenant: Tenant) -> bool:
    try:
        return parse_domain(typed) == tenant.domain
    except (ValueError, Invalid):
        return False


def _new(visit: Visit, form: Form, status: int = 200) -> Response:
    return render(visit, "tenant_new.html", status=status, form=form, zones=_zones(), locales=LOCALES)


def _clash_page(visit: Visit, now: Tenant) -> Response:
    """What was typed, what is stored instead, and the way to save all the same."""
    typed, stored = _typed(visit), _values(now)
    clash = [(visit.say(words), stored[name]) for name, words in FIELDS.items() if stored[name] != typed[name]]
    return _page(visit, now, Form(typed), status=409, clash=clash, seen=mark_of(stored))


def _page(visit: Visit, tenant: Tenant, form: Form, status: int = 200, **more: Any) -> Response:
    values: dict[str, Any] = {"tenant": tenant, "form": form, "zones": _zones(), "locales": LOCALES, "clash": None}
    values["seen"] = visit.posted.text(SEEN_FIELD) or mark_of(_values(tenant))
    return render(visit, "tenant.html", status=status, **values | more)


@cache
def _zones() -> tuple[str, ...]:
    """Zones as people know them, by place; the others of the IANA database can be typed."""
    places = {name for name in time_zones() if "/" in name and not name.startswith(("Etc/", "SystemV/"))}
    return ("UTC", *sorted(places))


routes = (
    get("/system/tenants/new", show_new, Access.SYSTEM),
    post("/system/tenants", make, Access.SYSTEM),
    get("/system/tenants/{tenant}", show_tenant, Access.SYSTEM),
    post("/system/tenants/{tenant}", change, Access.SYSTEM),
    post("/system/tenants/{tenant}/disable", disable, Access.SYSTEM),
    post("/system/tenants/{tenant}/enable", enable, Access.SYSTEM),
    post("/system/tenants/{tenant}/destroy", destroy, Access.SYSTEM),
)
