"""A tenant and a system level where every text that comes from outside is hostile, and addresses of all their pages."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from sqlalchemy import Connection, insert, update

from ringpost.cli.opening import operator
from ringpost.console.app import PAGES
from ringpost.console.routing import Access
from ringpost.domain.access import Principal, Role, Scope
from ringpost.domain.events import parse_event
from ringpost.domain.system_events import SYSTEM_CATALOGUE
from ringpost.domain.templates import Parts
from ringpost.domain.tenants import SYSTEM, TenantDraft, TenantId
from ringpost.domain.traps import TRAPS
from ringpost.storage.tables import attempts, deliveries, holds, watch, workers
from ringpost.usecases.accept_events import Receipt, accept_events
from ringpost.usecases.change_settings import change_settings
from ringpost.usecases.change_tenant import change_tenant
from ringpost.usecases.create_token import NewKey, create_token
from ringpost.usecases.create_user import NewUser, create_user
from ringpost.usecases.edit_template import create_template
from ringpost.usecases.invite_user import Guest, invite_user
from ringpost.usecases.room import Room

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>%(x)s&"
LONG = "m" * 128
"""The longest user name there may be, without a place to break it."""
RECIPIENT = "a@example.com"
TEMPLATE = "EMERGENCY_CALL"
SYSTEM_TEMPLATE = next(iter(SYSTEM_CATALOGUE))
PASSWORD = "correct horse battery staple"


@dataclass(frozen=True)
class Place:
    """One page, and who looks at it."""

    path: str
    """As it stands in PAGES."""
    role: Role | None
    """None: nobody is signed in."""

    def __str__(self) -> str:
        return f"{self.role.value if self.role else 'stranger'} {self.path}"


def places() -> Iterator[Place]:
    """Every page there is to be looked at."""
    for page in PAGES:
        if page.method != "GET":
            continue
        if page.access is Access.PUBLIC:
            yield Place(page.path, None)
        elif page.access is Access.SYSTEM:
            yield Place(page.path, Role.SYSTEM_ADMIN)
        else:
            yield Place(page.path, Role.TENANT_ADMIN)
            if page.path == "/":
                yield Place(page.path, Role.SYSTEM_ADMIN)


async def furnish(room: Room, tenant: TenantId) -> dict[str, str]:
    """Fill both levels; what stands for the parameters of addresses."""
    await change_tenant(room, tenant, TenantDraft(HOSTILE, "acme.example"), _by(SYSTEM))
    for owner in (tenant, SYSTEM):
        await _fill(room, owner)
    told = {"type": TEMPLATE, "id": HOSTILE, "recipients": [RECIPIENT], "variables": {"CALLEE_NUMBER": HOSTILE}}
    silent = {"type": "QUEUE_SLA", "id": f"{HOSTILE}2", "variables": {"QUEUE_NAME": HOSTILE}}
    results = await accept_events(room, [parse_event(tenant, told), parse_event(tenant, silent)])
    assert all(isinstance(result, Receipt) for result in results), results
    failed = await room.database.write(_fail, room.clock())
    secret = await invite_user(room, tenant, Guest(f"{HOSTILE}2", Role.READ_ONLY), _by(tenant))
    own = {"tenant": tenant, "id": failed, "secret": secret.reveal()}
    return {**own, "code": next(iter(TRAPS)), "number": "1", "revision": "1"}


def address(place: Place, known: dict[str, str]) -> str:
    """Where the page is, behind `/console`."""
    name = SYSTEM_TEMPLATE if place.path.startswith("/system") else TEMPLATE
    found = re.sub(r"{(\w+)}", lambda parameter: {"name": name, **known}[parameter[1]], place.path)
    return f"{found}?do=retry&all=on&state=failed" if place.path == "/deliveries/many" else found


def _by(owner: TenantId) -> Principal:
    """Somebody whose name stands in the audit log."""
    return replace(operator(owner), name=HOSTILE)


async def _fill(room: Room, owner: TenantId) -> None:
    """Mail server, recipients, a template, a person and a key of one level."""
    of_system = owner == SYSTEM
    server = {"type": "SMTP", "server": "mail.example.com", "username": HOSTILE, "auth": "DISABLE"}
    recipients = f'"<img src=x onerror=alert(3)>" <named@example.com>, {RECIPIENT}'
    fields = {**server, "enable_tls_ssl": True, "reply_to": "r@example.com", "recipients": recipients}
    await change_settings(room, _by(owner), fields)
    parts = Parts(HOSTILE, HOSTILE, f"<p>{HOSTILE} %%CALLEE_NUMBR%%</p>", HOSTILE)
    await create_template(room, _by(owner), SYSTEM_TEMPLATE if of_system else TEMPLATE, parts)
    role = Role.SYSTEM_ADMIN if of_system else Role.TENANT_ADMIN
    await create_user(room, owner, NewUser(f"{HOSTILE}1", PASSWORD, role))
    await create_user(room, owner, NewUser(LONG, PASSWORD, role), replace(_by(owner), name=LONG))
    await create_token(room, owner, NewKey(HOSTILE, frozenset({Scope.EVENTS_WRITE}), role), _by(owner))


def _fail(connection: Connection, now: int) -> str:
    """The first mail is refused, and the mail server of the others fails; returns the first one."""
    rows = connection.execute(deliveries.select().order_by(deliveries.c.id)).all()
    refused = {"state": "rejected", "attempts": 1, "ended_at": now}
    connection.execute(update(deliveries).where(deliveries.c.id == rows[0].id).values(**refused))
    said = {"server": f"{HOSTILE}:25", "verdict": "rejected", "party": "recipient", "code": 550, "reply": HOSTILE}
    attempt = {**said, "stage": "rcpt_to", "enhanced_code": "5.1.1", "hint": HOSTILE, "ambiguous": False, "number": 1}
    of_it = {"delivery": rows[0].id, "tenant": rows[0].tenant, "started_at": now, "duration_ms": 5}
    connection.execute(insert(attempts).values(**attempt, **of_it))
    times = {"since": now - 60_000, "until": now + 600_000}
    hold = {"failures": 3, "party": "mail_server", "stage": "connect", "reply": HOSTILE, "hint": HOSTILE}
    for lane in {row.queue for row in rows}:
        connection.execute(insert(holds).values(lane=lane, **times, **hold))
    connection.execute(insert(workers).values(name=HOSTILE, host=HOSTILE, slots=16, in_hand=1, **times))
    over = {"host": HOSTILE, "gauge": "memory", "exceeded": True, "episode": 1, "since": now - 60_000}
    connection.execute(insert(watch).values(**over))
    return rows[0].id
