"""Take pictures of every page of the console into docs/screenshots/, and write docs/screenshots.md.

Run: python -m tools.screenshots [PATH ...]    such as /system/health; all pages when none is named

A demo with a phone system's events, several tenants and a mail server that fails is started for it on this machine.
Which pages there are is asked of the console itself, so that none is forgotten; what a page's address takes comes from
EXAMPLES. Each is taken light and dark, 1440 and 360 pixels wide. Needs Chromium (python -m tools.browser).
"""

import asyncio
import io
import re
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

import httpx
from PIL import Image
from playwright.async_api import Browser, Page, async_playwright
from playwright.async_api import TimeoutError as Late
from tools.browser import find_browser

from ringpost.console.app import PAGES
from ringpost.console.guard import SESSION_COOKIE
from ringpost.console.routing import Access
from ringpost.demo import northwind
from ringpost.demo.northwind import Client
from ringpost.demo.stage import Stage, open_stage
from ringpost.domain.access import SCOPES_OF_ROLE, Role, Scope
from ringpost.domain.catalogue import CATALOGUE
from ringpost.domain.secrets import Secret
from ringpost.domain.system_events import SYSTEM_CATALOGUE
from ringpost.domain.tenants import SYSTEM, TenantId
from ringpost.domain.traps import TRAPS
from ringpost.storage import templates
from ringpost.storage.templates import Revision
from ringpost.usecases.create_token import NewKey, create_token
from ringpost.usecases.create_user import NewUser, create_user
from ringpost.usecases.invite_user import Guest, invite_user
from ringpost.usecases.log_in import Login
from ringpost.usecases.revoke_token import revoke_token
from ringpost.usecases.sign_in import sign_in

ROOT: Final = Path(__file__).parent.parent
FOLDER: Final = ROOT / "docs" / "screenshots"
WIDTHS: Final = (1440, 360)
SCHEMES: Final = ("light", "dark")
TALLEST: Final = 2200
"""Pixels; what is below is left out."""
MOST_COLOURS: Final = 256
LARGEST: Final = 150 << 10
"""Octets of one picture."""
QUIET_MS: Final = 5000
"""How long a page may take until it asks for nothing any more."""
PASSWORD: Final = "correct horse battery staple"  # noqa: S105  of a demo that ends with this command
CUSTOMERS: Final = (
    ("Adventure Works", "adventure.example.com", "America/New_York", "en"),
    ("Bergbahn Sonnenberg", "sonnenberg.example.com", "Europe/Zurich", "de-CH"),
    ("Contoso Clinic", "contoso.example.com", "Europe/London", "en-GB"),
    ("Fourth Coffee", "fourth-coffee.example.com", "America/Los_Angeles", "en-US"),
    ("Margies Reisen", "margies.example.com", "Europe/Vienna", "de-AT"),
    ("Proseware", "proseware.example.com", "Asia/Tokyo", "en"),
)
QUERIES: Final = {"/deliveries/many": "?do=retry&all=on&state=failed"}
"""What the address of a page needs, so that there is something to see."""
STRANGER: Final = "former.colleague@northwind.example.com"
"""Whom the mail server does not know."""
BROWSER: Final = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0"
HEADING: Final = (
    "# What the console looks like",
    "",
    "Every page of the [console](console.md), with the data of a demo: light and dark, wide and on a phone.",
    "`make screenshots` takes these pictures anew.",
    "",
)
GROUPS: Final = (
    ("Before signing in", None),
    ("Of a tenant", Role.TENANT_ADMIN),
    ("Of the system level", Role.SYSTEM_ADMIN),
)


@dataclass(frozen=True, slots=True)
class Shot:
    """One page to be taken."""

    path: str
    """As it stands in PAGES."""
    address: str
    visitor: Role | None
    """Who is signed in; None for nobody."""

    @property
    def name(self) -> str:
        """Of its files, without scheme, width and ending."""
        if self.path == "/":
            return "system-overview" if self.visitor is Role.SYSTEM_ADMIN else "overview"
        return re.sub(r"[^a-z-]+", "-", self.path.strip("/").lower()).strip("-")

    def file(self, scheme: str, width: int) -> str:
        """The name of one of its files."""
        return f"{self.name}-{scheme}-{width}.png"


async def main(wanted: Sequence[str]) -> int:
    """The exit code."""
    chromium = find_browser()
    if chromium is None:
        sys.stderr.write("There is no Chromium. Run: python -m tools.browser\n")
        return 1
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="ringpost-screenshots-") as folder:
        async with open_stage(Path(folder), 0) as stage, async_playwright() as playwright:
            examples, cookies = await _furnish(stage)
            shots = [shot async for shot in _shots(stage.api_url, examples, cookies)]
            chosen = [shot for shot in shots if not wanted or shot.path in wanted]
            browser = await playwright.chromium.launch(
                executable_path=chromium, args=["--no-sandbox", "--disable-dev-shm-usage", "--hide-scrollbars"]
            )
            titles = {shot.name: await _take(browser, stage.api_url, shot, cookies) for shot in chosen}
            await browser.close()
    if len(chosen) == len(shots):
        _write_page(shots, titles)
    return 0


async def _furnish(stage: Stage) -> tuple[dict[str, str], dict[Role, str]]:
    """Sample data; what parameters of addresses can be, and the sessions of one person of each role."""
    room = stage.room
    admin = Client(stage.api_url, stage.admin_token)
    tenant = TenantId(await northwind.create_tenant(admin))
    others = [TenantId(await _customer(admin, *customer)) for customer in CUSTOMERS]
    await _people(stage, tenant)
    await _keys(stage, tenant)
    client = await _client(stage, tenant)
    await northwind.set_up(client, stage.mail_port)
    # aiosmtpd asks its handler for every recipient, when it has this method.
    setattr(stage.mailbox, "handle_RCPT", _handle_recipient)  # noqa: B010
    reported = [(await northwind.report(client, kind)).delivery for kind in CATALOGUE.values()]
    refused = await _report_trouble(client)
    name = next(iter(SYSTEM_CATALOGUE))
    await admin.post("/admin/custom_email_templates", {"name": name, "subject": "Please look: %%HOST_NAME%%"})
    silent = await _client(stage, others[1])
    await northwind.set_up(silent, 2525)  # nobody listens there, so its mail waits
    for kind in ("EMERGENCY_CALL", "QUEUE_SLA", "TRUNK_DISCONNECTED"):
        await northwind.report(silent, CATALOGUE[kind])
    await _until_ended(client, [*reported, refused])
    revision = await room.database.read(_revision, tenant)
    for one in (admin, client, silent):
        await one.close()
    cookies = {role: await _session(stage, role) for role in (Role.SYSTEM_ADMIN, Role.TENANT_ADMIN)}
    secret = await invite_user(room, tenant, Guest("nina", Role.READ_ONLY))
    examples = {
        "tenant": tenant,
        "id": refused,
        "secret": secret.reveal(),
        "code": next(iter(TRAPS)),
        "number": str(revision.number),
        "revision": str(revision.number),
    }
    return examples, cookies


async def _customer(admin: Client, name: str, domain: str, timezone: str, locale: str) -> str:
    made = await admin.post("/tenants", {"name": name, "domain": domain, "timezone": timezone, "locale": locale})
    return cast("str", made["id"])


async def _people(stage: Stage, tenant: TenantId) -> None:
    for owner, name, role in (
        (SYSTEM, "root", Role.SYSTEM_ADMIN),
        (tenant, "jane", Role.TENANT_ADMIN),
        (tenant, "omar", Role.TENANT_ADMIN),
        (tenant, "reception", Role.READ_ONLY),
    ):
        await create_user(stage.room, owner, NewUser(name, PASSWORD, role))


async def _keys(stage: Stage, tenant: TenantId) -> None:
    events = frozenset({Scope.EVENTS_WRITE})
    await create_token(stage.room, tenant, NewKey("phone system in Hamburg", events))
    old, _ = await create_token(stage.room, tenant, NewKey("old phone system", events))
    await revoke_token(stage.room, tenant, old.id)
    await create_token(stage.room, tenant, NewKey("dashboard", role=Role.READ_ONLY, expires_in_s=90 * 86_400))


async def _client(stage: Stage, tenant: TenantId) -> Client:
    _, secret = await create_token(stage.room, tenant, NewKey("setup", SCOPES_OF_ROLE[Role.TENANT_ADMIN]))
    return Client(stage.api_url, secret.reveal())


async def _handle_recipient(_server: Any, _session: Any, envelope: Any, address: str, _options: Any) -> str:
    if address == STRANGER:
        return "550 5.1.1 No such user here"
    envelope.rcpt_tos.append(address)
    return "250 OK"


async def _report_trouble(client: Client) -> str:
    """One event that tells somebody whom the mail server does not know, and one that tells nobody; the first mail."""
    known = northwind.event_of(CATALOGUE["EMERGENCY_CALL"])
    told = await client.post("/events", {**known, "id": "call-to-a-former-colleague", "recipients": [STRANGER]})
    variables = {"CALLER_NUMBER": "+1 555 0143"}
    await client.post("/events", {"type": "VOICEMAIL_RECEIVED", "id": "voicemail-for-nobody", "variables": variables})
    items: list[dict[str, Any]] = (await client.get("/deliveries", event=told["id"]))["items"]
    return next(cast("str", item["id"]) for item in items if item["recipient"] == STRANGER)


async def _until_ended(client: Client, ours: list[str]) -> None:
    async with asyncio.timeout(120):
        while True:
            items: list[dict[str, Any]] = (await client.get("/deliveries", top=200))["items"]
            if all(item["ended_at"] for item in items if item["id"] in ours):
                return
            await asyncio.sleep(0.2)


def _revision(connection: Any, tenant: TenantId) -> Revision:
    return templates.get(connection, tenant, northwind.CUSTOMISED)


async def _session(stage: Stage, role: Role) -> str:
    name, domain = ("root", None) if role is Role.SYSTEM_ADMIN else ("jane", northwind.DOMAIN)
    secret = await sign_in(stage.room, Login(name, Secret(PASSWORD), domain), BROWSER)
    return secret.reveal()


async def _shots(url: str, examples: dict[str, str], cookies: dict[Role, str]) -> AsyncIterator[Shot]:
    """Every page that is a whole one, in the order of PAGES."""
    for page in PAGES:
        if page.method != "GET":
            continue
        for visitor in _visitors(page.path, page.access):
            address = _address(page.path, examples)
            if address is None:
                sys.stdout.write(f"{page.path} is left out: EXAMPLES know nothing of what it takes\n")
            elif await _is_page(f"{url}/console{address}", cookies.get(visitor) if visitor else None):
                yield Shot(page.path, address, visitor)


def _visitors(path: str, reach: Access) -> tuple[Role | None, ...]:
    if reach is Access.PUBLIC:
        return (None,)
    if path == "/":
        return (Role.TENANT_ADMIN, Role.SYSTEM_ADMIN)
    return (Role.SYSTEM_ADMIN if reach is Access.SYSTEM else Role.TENANT_ADMIN,)


def _address(path: str, examples: dict[str, str]) -> str | None:
    names = re.findall(r"{(\w+)}", path)
    system = next(iter(SYSTEM_CATALOGUE)) if path.startswith("/system") else northwind.CUSTOMISED
    known = {"name": system, **examples}
    if set(names) - known.keys():
        return None
    return re.sub(r"{(\w+)}", lambda found: known[found[1]], path) + QUERIES.get(path, "")


async def _is_page(address: str, cookie: str | None) -> bool:
    """Whether it is a page of its own: no file, no part of a page, and there."""
    headers = {"Cookie": f"{SESSION_COOKIE}={cookie}"} if cookie else {}
    async with httpx.AsyncClient(headers=headers, timeout=60, trust_env=False) as client:
        answer = await client.get(address)
    whole = answer.headers.get("content-type", "").startswith("text/html") and 'class="skip"' in answer.text
    if answer.status_code >= 400:
        sys.stdout.write(f"{address} answers {answer.status_code} and is left out\n")
    return whole and answer.status_code == 200


async def _take(browser: Browser, url: str, shot: Shot, cookies: dict[Role, str]) -> str:
    """Take all pictures of a page; its title."""
    context = await browser.new_context(locale="en-GB", timezone_id="Europe/Berlin", reduced_motion="reduce")
    if shot.visitor:
        cookie: Any = {"name": SESSION_COOKIE, "value": cookies[shot.visitor], "url": f"{url}/console"}
        cookie |= {"httpOnly": True, "secure": True, "sameSite": "Lax"}
        await context.add_cookies([cookie])
    page = await context.new_page()
    for width in WIDTHS:
        await page.set_viewport_size({"width": width, "height": 900 if width > 600 else 740})
        await page.goto(f"{url}/console{shot.address}")
        await _be_quiet(page, shot)
        # As high as the page, so that what sticks to the window's edge is where the page has it.
        height = min(TALLEST, await page.evaluate("document.documentElement.scrollHeight"))
        await page.set_viewport_size({"width": width, "height": height})
        for scheme in SCHEMES:
            await page.emulate_media(color_scheme=scheme)
            await _be_quiet(page, shot)
            _save(await page.screenshot(animations="disabled"), FOLDER / shot.file(scheme, width))
    title = (await page.title()).removesuffix(" · Ringpost")
    await context.close()
    sys.stdout.write(f"{shot.path}\n")
    return title


async def _be_quiet(page: Page, shot: Shot) -> None:
    try:
        await page.wait_for_load_state("networkidle", timeout=QUIET_MS)
    except Late:
        sys.stdout.write(f"{shot.path} does not become quiet\n")


def _save(picture: bytes, path: Path) -> None:
    """With as many colours as keep it small; most pages have not many more."""
    image, colours = Image.open(io.BytesIO(picture)).convert("RGB"), MOST_COLOURS
    while True:
        image.quantize(colours, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).save(path, optimize=True)
        if path.stat().st_size <= LARGEST or colours <= 8:
            return
        colours //= 2


def _write_page(shots: list[Shot], titles: dict[str, str]) -> None:
    lines = [*HEADING]
    for heading, visitor in GROUPS:
        lines += [f"## {heading}", ""]
        for shot in (one for one in shots if one.visitor is visitor):
            kinds = [(scheme, width) for width in WIDTHS for scheme in SCHEMES][1:]
            links = " · ".join(
                f"[{scheme}, {width} px](screenshots/{shot.file(scheme, width)})" for scheme, width in kinds
            )
            title = titles[shot.name]
            first = f"![{title}](screenshots/{shot.file(SCHEMES[0], WIDTHS[0])})"
            lines += [f"### {title}", "", f"`{shot.path}`", "", first, "", f"Also {links}.", ""]
    (ROOT / "docs" / "screenshots.md").write_text("\n".join(lines).rstrip() + "\n", encoding="utf-8")
    known = {shot.file(scheme, width) for shot in shots for scheme in SCHEMES for width in WIDTHS}
    for path in FOLDER.glob("*.png"):
        if path.name not in known:
            path.unlink()


if __name__ == "__main__":
    sys.exit(asyncio.run(main(sys.argv[1:])))
