"""What every command starts with: the configuration, the logs, the room, and which tenant is meant."""

import asyncio
import os
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from sqlalchemy import Connection

from ringpost import logs, wiring
from ringpost.cli.exits import Misconfigured
from ringpost.config import Config
from ringpost.domain.access import SCOPES_OF_ROLE, Principal, Role
from ringpost.domain.tenants import Tenant, TenantId, parse_domain
from ringpost.errors import Invalid, NotFound
from ringpost.storage import tenants
from ringpost.usecases.room import Room

T = TypeVar("T")

DataDir = Annotated[
    Path | None,
    typer.Option(
        "--data-dir",
        metavar="FOLDER",
        help="Folder of the database and the key file; the same as RINGPOST_DATA_DIR.",
        show_default=False,
    ),
]
TenantOption = Annotated[
    str | None,
    typer.Option("--tenant", metavar="DOMAIN", help="The tenant's domain or id. May be left out when there is one."),
]
AsJson = Annotated[bool, typer.Option("--json", help="JSON instead of a table.")]


def use_data_dir(data_dir: Path | None) -> None:
    """Have the configuration find this folder, in child processes too."""
    if data_dir is not None:
        os.environ["RINGPOST_DATA_DIR"] = str(data_dir)


def load_config(data_dir: Path | None = None, **chosen: Any) -> Config:
    """The configuration in force: what was chosen on the command line, the environment, `.env`, the defaults."""
    use_data_dir(data_dir)
    config = Config(**{name: value for name, value in chosen.items() if value is not None})
    logs.configure(log_format(config), config.log_level)
    return config


def log_format(config: Config) -> logs.Format:
    """`auto` is for people when a person is likely to read along."""
    if config.log_format == "auto":
        return "console" if sys.stderr.isatty() else "json"
    return config.log_format


@asynccontextmanager
async def open_room(config: Config) -> AsyncGenerator[Room]:
    """The room. Raises Misconfigured when what the configuration names cannot be used."""
    async with AsyncExitStack() as stack:
        try:
            room = await stack.enter_async_context(wiring.open_room(config))
        except (ValueError, NotADirectoryError, FileExistsError, PermissionError) as error:
            raise Misconfigured(str(error)) from error
        yield room


def in_room(data_dir: Path | None, work: Callable[[Room], Awaitable[T]]) -> T:
    """Open the room, do `work` in it, and close it: the body of most commands."""
    config = load_config(data_dir)

    async def run() -> T:
        async with open_room(config) as room:
            return await work(room)

    return asyncio.run(run())


async def find_tenant(room: Room, name: str | None) -> Tenant:
    """The tenant with this domain or id; without a name, the only one. Raises NotFound."""
    return await room.database.read(_find, name)


def operator(tenant: TenantId) -> Principal:
    """Who works at the machine itself: may do everything, and is `cli` in the audit log."""
    return Principal(tenant, Role.TENANT_ADMIN, SCOPES_OF_ROLE[Role.TENANT_ADMIN], "cli", "cli")


def _find(connection: Connection, name: str | None) -> Tenant:
    if name is None:
        return _only(tenants.list_all(connection, 2))
    try:
        found = tenants.find_by_domain(connection, parse_domain(name))
    except (ValueError, Invalid):
        found = None
    return found or tenants.by_id(connection, [TenantId(name)]).get(TenantId(name)) or _unknown(name)


def _only(found: list[Tenant]) -> Tenant:
    if len(found) == 1:
        return found[0]
    if found:
        raise NotFound("There are several tenants: say which one with --tenant DOMAIN.")
    raise NotFound("There is no tenant yet. Make one: ringpost tenant create acme.example.com")


def _unknown(name: str) -> Tenant:
    raise NotFound(f"There is no tenant {name}. Which there are: ringpost tenant list")
