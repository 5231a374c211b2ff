"""How long the first byte of every page of the console takes with 100,000 deliveries in the table.

python -m bench.console              100,000 deliveries of one tenant, 40 visits to each page
python -m bench.console 1000000 100  so many, and so many visits

The service and its visitor are one process that shares its cores, so a page is a little faster than this.
"""

import asyncio
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import httpx
from sqlalchemy import Connection, text

from bench.machine import description
from ringpost import wiring
from ringpost.config import Config
from ringpost.console.app import PAGES
from ringpost.console.guard import SESSION_COOKIE
from ringpost.console.routing import Access
from ringpost.domain.access import SCOPES_OF_ROLE, Principal, Role
from ringpost.domain.events import parse_event
from ringpost.domain.secrets import Secret
from ringpost.domain.templates import Parts
from ringpost.domain.tenants import SYSTEM, TenantDraft, TenantId
from ringpost.domain.traps import TRAPS
from ringpost.serving import api_server, listen, url_of
from ringpost.storage import deliveries
from ringpost.storage.deliveries import Filter
from ringpost.usecases.accept_events import Receipt, accept_events
from ringpost.usecases.change_settings import change_settings
from ringpost.usecases.create_tenant import create_tenant
from ringpost.usecases.create_user import NewUser, create_user
from ringpost.usecases.edit_template import create_template
from ringpost.usecases.log_in import Login
from ringpost.usecases.room import Room
from ringpost.usecases.sign_in import sign_in

DELIVERIES: Final = 100_000
VISITS: Final = 40
PROMISED_MS: Final = 50
SPREAD_MS: Final = 30 * 86_400_000
"""Over how long the deliveries were made."""
RECIPIENTS: Final = 5
PEOPLE: Final = 1_000
AT_ONCE: Final = 500
TEMPLATE: Final = "QUEUE_SLA"
SYSTEM_TEMPLATE: Final = "HARD_DISK_EXCEEDED"
PASSWORD: Final = "correct horse battery staple"
QUESTIONS: Final = (
    "?state=failed",
    "?state=waiting",
    "?state=cancelled",
    "?type=TRUNK_DISCONNECTED",
    "?type=DISK_LOW",
    "?state=failed&type=DISK_LOW",
    "?q=person1%40example.com",
    "?q=person1%40example.com&state=failed",
    "?q=person",
    "?q=nobody%40example.com",
    "?when=day",
)
"""Of the list of deliveries."""
ENDINGS: Final = (
    """UPDATE deliveries SET state = 'sent', sent_at = created_at, ended_at = created_at, attempts = 1
       WHERE id < :newest""",
    "UPDATE deliveries SET state = 'rejected', sent_at = NULL WHERE rowid % 50 = 0 AND id < :newest",
    """INSERT INTO attempts
         (delivery, number, tenant, started_at, duration_ms, server, verdict, stage, code, reply, hint, ambiguous)
       SELECT id, 1, tenant, created_at, 20, 'mail.example.com:25',
         CASE state WHEN 'sent' THEN 'sent' ELSE 'rejected' END, 'rcpt_to', 250, 'OK', '', 0
       FROM deliveries WHERE id < :newest""",
)


@dataclass(frozen=True)
class Site:
    """What there is to visit."""

    url: str
    sessions: dict[Role, str]
    parameters: dict[str, str]
    middle: str
    """The delivery in the middle of the list."""


def main(words: Sequence[str]) -> int:
    """The exit code: 1 when a page took longer than promised."""
    count, visits = [int(word) for word in words] + [DELIVERIES, VISITS][len(words) :]
    return asyncio.run(measure(count, visits))


async def measure(count: int, visits: int) -> int:
    """Fill a database, visit every page, and print how long each took."""
    print(description())
    with tempfile.TemporaryDirectory(prefix="ringpost-console-") as folder:
        config = Config(data_dir=Path(folder))
        async with wiring.open_room(config) as room:
            begin = time.perf_counter()
            parameters, middle = await furnish(room, count)
            print(f"{count:,} deliveries made in {time.perf_counter() - begin:.0f} s; {visits} visits to each page")
            listener = listen("127.0.0.1", 0)
            serving = api_server(room, config)
            task = asyncio.create_task(serving.serve(sockets=[listener]))
            while not serving.started:  # noqa: ASYNC110  uvicorn tells by a flag
                await asyncio.sleep(0.01)
            sessions = {role: await session(room, role) for role in (Role.SYSTEM_ADMIN, Role.TENANT_ADMIN)}
            slow = await visit(Site(url_of(listener), sessions, parameters, middle), visits)
            serving.stop()
            await task
    return 1 if slow else 0


async def furnish(room: Room, count: int) -> tuple[dict[str, str], str]:
    """A tenant with so many deliveries, made by Ringpost itself at times spread over a month, and ended by hand."""
    acme = await create_tenant(room, TenantDraft("Acme", "acme.example.com"))
    await create_user(room, SYSTEM, NewUser("root", PASSWORD, Role.SYSTEM_ADMIN))
    await create_user(room, acme, NewUser("anna", PASSWORD, Role.TENANT_ADMIN))
    admin = Principal(acme, Role.TENANT_ADMIN, SCOPES_OF_ROLE[Role.TENANT_ADMIN], "anna", "bench")
    await change_settings(room, admin, {"type": "SMTP", "server": "mail.example.com", "username": "a@example.com",
                                        "auth": "DISABLE", "recipients": "person0@example.com"})  # fmt: skip
    now, total = room.clock(), count // RECIPIENTS
    last = ""
    for first in range(0, total, AT_ONCE):
        then = now - SPREAD_MS + SPREAD_MS * first // total
        numbers = range(first, min(first + AT_ONCE, total))
        for result in await accept_events(replace(room, clock=lambda at=then: at), [event(acme, n) for n in numbers]):
            assert isinstance(result, Receipt), result
            last = result.deliveries[0][0] if result.deliveries else last
    await room.database.write(end)
    rows = await room.database.read(deliveries.page, acme, Filter(top=1, skip=count // 2))
    root = Principal(SYSTEM, Role.SYSTEM_ADMIN, SCOPES_OF_ROLE[Role.SYSTEM_ADMIN], "root", "bench")
    for who, name in ((admin, TEMPLATE), (root, SYSTEM_TEMPLATE)):
        await create_template(room, who, name, Parts(subject="%%TENANT_NAME%%"))
    parameters = {"tenant": acme, "id": last, "number": "1", "code": next(iter(TRAPS)), "secret": "none"}
    return parameters, rows[0].id


def event(tenant: TenantId, number: int) -> Any:
    """Mostly calls; every tenth sends nothing to anybody."""
    if number % 10 == 0:
        return parse_event(tenant, {"type": "QUEUE_SLA", "variables": {"QUEUE_NAME": "Sales"}})
    people = [f"person{(number * RECIPIENTS + place) % PEOPLE}@example.com" for place in range(RECIPIENTS)]
    fields = {"type": "EMERGENCY_CALL", "variables": {"CALLEE_NUMBER": "112"}, "recipients": people}
    return parse_event(tenant, fields)


def end(connection: Connection) -> None:
    """Most are sent, a fiftieth has failed, the newest wait; all that ended have an attempt."""
    newest = connection.execute(text("SELECT id FROM deliveries ORDER BY id DESC LIMIT 1 OFFSET 1000")).scalar()
    for statement in ENDINGS:
        connection.execute(text(statement), {"newest": newest})


async def session(room: Room, role: Role) -> str:
    """The cookie of somebody who is signed in."""
    name, domain = ("root", None) if role is Role.SYSTEM_ADMIN else ("anna", "acme.example.com")
    return (await sign_in(room, Login(name, Secret(PASSWORD), domain), "Benchmark")).reveal()


def addresses(site: Site) -> Iterator[tuple[str, Role]]:
    """Every page there is, the list with many questions, and who visits them."""
    for page in PAGES:
        if page.method == "GET":
            at_system = page.access is Access.SYSTEM
            path = page.path.replace("{name}", SYSTEM_TEMPLATE if at_system else TEMPLATE)
            for name, value in site.parameters.items():
                path = path.replace(f"{{{name}}}", value)
            yield path, Role.SYSTEM_ADMIN if at_system else Role.TENANT_ADMIN
            if page.path == "/":
                yield path, Role.SYSTEM_ADMIN
            if page.path == "/deliveries":
                for question in (*QUESTIONS, f"?before={site.middle}", f"?after={site.middle}"):
                    yield path + question, Role.TENANT_ADMIN
                yield f"{path}/many?do=retry&all=on&state=failed", Role.TENANT_ADMIN


async def visit(site: Site, visits: int) -> int:
    """Print the p50 and p95 of each page; returns how many took longer than promised."""
    slow = 0
    print(f"{'page':<72} {'status':>6} {'p50 ms':>8} {'p95 ms':>8}")
    async with httpx.AsyncClient(timeout=60) as client:
        for path, role in addresses(site):
            cookie = {"Cookie": f"{SESSION_COOKIE}={site.sessions[role]}"}
            taken: list[float] = []
            status = 0
            for _ in range(visits + 1):
                begin = time.perf_counter()
                async with client.stream("GET", f"{site.url}/console{path}", headers=cookie) as answer:
                    status = answer.status_code
                    async for _ in answer.aiter_raw():
                        break
                taken.append((time.perf_counter() - begin) * 1000)
            taken = sorted(taken[1:])  # the first one compiles the template
            p95 = taken[min(len(taken) - 1, int(len(taken) * 0.95))]
            slow += p95 > PROMISED_MS
            print(
                f"{path:<72} {status:>6} {taken[len(taken) // 2]:>8.1f} {p95:>8.1f}{' *' if p95 > PROMISED_MS else ''}"
            )
    print(f"* longer than {PROMISED_MS} ms: {slow}")
    return slow


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
