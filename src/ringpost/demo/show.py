"""The course of the demo: set the stage, report 14 events, show what became of them, and stay until Ctrl-C."""

import asyncio
import secrets
import sys
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.live import Live

from ringpost import logs, serving
from ringpost.demo import northwind
from ringpost.demo.mailbox import Mail, Mailbox
from ringpost.demo.northwind import Client, DemoFailed, Reported
from ringpost.demo.stage import Stage, open_stage
from ringpost.demo.summary import Progress, how_to_go_on, mails_table, progress_table
from ringpost.domain.access import SCOPES_OF_ROLE, Role
from ringpost.domain.catalogue import CATALOGUE
from ringpost.domain.tenants import SYSTEM, TenantId
from ringpost.errors import AlreadyExists
from ringpost.usecases.create_token import NewKey, create_token
from ringpost.usecases.create_user import NewUser, create_user

PATIENCE_S: Final = 60
"""How long the mails may take to arrive before the demo says that something is wrong."""
LOOK_EVERY_S: Final = 0.05


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """How the demo was asked for."""

    data_dir: Path | None
    """None: a temporary folder that is removed at the end."""
    port: int
    once: bool
    """Check and exit instead of staying."""


def run(options: DemoOptions) -> None:
    """Run the demo. Raises DemoFailed when not every mail arrived."""
    logs.configure("console", "warning")
    with _data_dir(options) as data_dir:
        serving.run(_show(options, data_dir))


async def _show(options: DemoOptions, data_dir: Path) -> None:
    console = Console(width=None if sys.stdout.isatty() else 160, highlight=False)
    stopped = asyncio.Event()
    async with open_stage(data_dir, options.port) as stage:
        with serving.stopping_on_signals(stopped.set):
            acting = asyncio.create_task(_act(stage, console, stay=not options.once))
            waiting = asyncio.create_task(stopped.wait())
            await asyncio.wait({acting, waiting}, return_when=asyncio.FIRST_COMPLETED)
            for task in (acting, waiting):
                task.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
            await _ended(acting)


async def _ended(acting: "asyncio.Task[None]") -> None:
    """Raise what it raised; that it was cancelled by Ctrl-C is no fault."""
    try:
        await acting
    except asyncio.CancelledError:
        return


async def _act(stage: Stage, console: Console, *, stay: bool) -> None:
    admin = Client(stage.api_url, stage.admin_token)
    tenant = TenantId(await northwind.create_tenant(admin))
    await admin.close()
    password = await _create_people(stage, tenant)
    token = await _create_key(stage, tenant)
    client = Client(stage.api_url, token)
    try:
        await northwind.set_up(client, stage.mail_port)
        progress = await _report_all(client, console)
        console.print(mails_table(progress, stage.mailbox, console.width))
        _check(progress, stage.mailbox)
    finally:
        await client.close()
    if stay:
        how_to_go_on(console, stage, token, password)
        stage.mailbox.on_arrival = lambda mail: _announce(console, stage, mail)
        await asyncio.Event().wait()


async def _create_people(stage: Stage, tenant: TenantId) -> str:
    """Somebody who administers the system and somebody who administers the tenant; their password."""
    password = secrets.token_urlsafe(12)
    made = True
    for owner, name, role in ((SYSTEM, "root", Role.SYSTEM_ADMIN), (tenant, "jane", Role.TENANT_ADMIN)):
        try:
            await create_user(stage.room, owner, NewUser(name, password, role))
        except AlreadyExists:  # from an earlier demo in this folder, with the password that it showed
            made = False
    return password if made else ""


async def _create_key(stage: Stage, tenant: TenantId) -> str:
    key = NewKey("demo", SCOPES_OF_ROLE[Role.TENANT_ADMIN])
    return (await create_token(stage.room, tenant, key))[1].reveal()


async def _report_all(client: Client, console: Console) -> Progress:
    """One event of each type, and then wait until each has ended."""
    progress = Progress([], {})
    with Live(console=console, auto_refresh=False, transient=True) as live:
        for kind in CATALOGUE.values():
            progress.reported.append(await northwind.report(client, kind))
            live.update(progress_table(progress), refresh=True)
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            progress.deliveries.update(await _look(client, progress.reported))
            live.update(progress_table(progress), refresh=True)
            if all(delivery["ended_at"] for delivery in progress.deliveries.values()):
                break
            await asyncio.sleep(LOOK_EVERY_S)
    return progress


async def _look(client: Client, reported: list[Reported]) -> dict[str, Any]:
    """The deliveries of these events as they are now, by id."""
    ours = {one.delivery for one in reported}
    return {item["id"]: item for item in (await client.get("/deliveries", top=200))["items"] if item["id"] in ours}


def _check(progress: Progress, mailbox: Mailbox) -> None:
    missing = [one for one in progress.reported if mailbox.of_delivery(one.delivery) is None]
    if len(progress.reported) != len(CATALOGUE) or missing:
        why = "; ".join(f"{one.type} is {progress.state(one)}{progress.reason(one)}" for one in missing)
        raise DemoFailed(f"{len(missing)} of {len(CATALOGUE)} mails did not arrive within {PATIENCE_S} s: {why}")
    unsent = [one for one in progress.reported if progress.state(one) != "sent"]
    if unsent:
        raise DemoFailed(f"arrived, but not recorded as sent: {', '.join(one.type for one in unsent)}")


def _announce(console: Console, stage: Stage, mail: Mail) -> None:
    console.print(
        f"{time.strftime('%H:%M:%S')}  {mail.header('Subject')}  ->  {mail.recipient}  "
        f"{stage.viewer_url}/mails/{mail.number}",
        markup=False,
        soft_wrap=True,
    )


@contextmanager
def _data_dir(options: DemoOptions) -> Generator[Path]:
    if options.data_dir is not None:
        yield options.data_dir
        return
    with tempfile.TemporaryDirectory(prefix="ringpost-demo-") as folder:
        yield Path(folder)
