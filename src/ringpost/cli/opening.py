"""What every command starts with: the configuration, the logs, the room, and which tenant is meant."""

import asyncio
import os
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from difflib import get_close_matches
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, TypeVar

import structlog
import typer
from dotenv import dotenv_values
from sqlalchemy import Connection

from ringpost import logs, wiring
from ringpost.cli.exits import TRACEBACK, Failed, Misconfigured
from ringpost.cli.not_opened import about_the_database, why
from ringpost.cli.output import say
from ringpost.config import Config
from ringpost.domain.access import SCOPES_OF_ROLE, Principal, Role
from ringpost.domain.tenants import SYSTEM, Tenant, TenantId, parse_domain
from ringpost.errors import Invalid, NotFound, StorageUnavailable
from ringpost.storage import tenants
from ringpost.storage.engines import database_file
from ringpost.usecases.room import Room

T = TypeVar("T")
W = TypeVar("W", bound=StrEnum)

_log = structlog.get_logger("ringpost.cli")


def _folder(text: str) -> Path:
    """What --data-dir names. An empty text names the current folder for `Path`, and nothing for people: `"$UNSET"`."""
    if not text:
        raise typer.BadParameter("this must name a folder; . is the one that you are in")
    return Path(text)


def one_of(words: type[W]) -> Callable[[str], W]:
    """For `parser=` of an option that is one of these words: what Typer says by itself is in the words of its parts."""

    def parse(text: str) -> W:
        try:
            return words(text)
        except ValueError:
            raise typer.BadParameter(f"{text!r} is none of {', '.join(words)}.") from None

    return parse


def whole_number(least: int, most: int) -> Callable[[str], int]:
    """For `parser=` of an option that is a number from `least` to `most`, for the same reason."""

    def parse(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = least - 1
        if not least <= number <= most:
            raise typer.BadParameter(f"{text!r} is no whole number from {least} to {most}.")
        return number

    return parse


DataDir = Annotated[
    Path | None,
    typer.Option(
        "--data-dir",
        metavar="FOLDER",
        parser=_folder,
        help="Folder of the database and the key file; the same as RINGPOST_DATA_DIR.",
        show_default=False,
    ),
]
TenantOption = Annotated[
    str | None,
    typer.Option("--tenant", metavar="DOMAIN", help="The tenant's domain or id. May be left out when there is one."),
]
SystemOption = Annotated[bool, typer.Option("--system", help="The system level instead of a tenant.")]
AsJson = Annotated[bool, typer.Option("--json", help="JSON instead of a table.")]


def use_data_dir(data_dir: Path | None) -> None:
    """Have the configuration find this folder, in child processes too."""
    if data_dir is not None:
        os.environ["RINGPOST_DATA_DIR"] = str(data_dir)


def load_config(data_dir: Path | None = None, **chosen: Any) -> Config:
    """The configuration in force: what was chosen on the command line, the environment, `.env`, the defaults."""
    use_data_dir(data_dir)
    try:
        given: dict[str, Any] = {"_env_file": _env_file()}
        config = Config(**given, **{name: value for name, value in chosen.items() if value is not None})
    except UnicodeDecodeError as error:
        raise Misconfigured(f"The file .env is not UTF-8 text: byte {error.start} does not fit.") from None
    except PermissionError as error:
        raise Misconfigured(f"{error.filename}: {error.strerror}") from None
    logs.configure(log_format(config), config.log_level)
    for name in _unknown_settings(config):
        _log.warning("unknown_setting", name=name, nearest=_nearest(name), hint="it is not used")
    return config


def missing(config: Config) -> dict[str, Path]:
    """What the first start will make. Raises Misconfigured where nobody may look."""
    file = database_file(config.url)
    made = {} if file is None else {"the database": file}
    if config.keys is None:
        made["the key file"] = (config.data_dir / "keys").resolve()
    try:
        return {what: path for what, path in made.items() if not path.exists()}
    except PermissionError as error:
        raise Misconfigured(f"{error.filename}: {error.strerror}") from None


def require_database(config: Config) -> None:
    """Raise Failed when there is none: a mistyped folder must not become an empty Ringpost."""
    path = missing(config).get("the database")
    if path is not None:
        raise Failed(
            f"There is no database in {path.parent} ({path.name} is missing). Name the data folder with --data-dir, "
            "or make one: ringpost tenant create acme.example.com"
        )


def log_format(config: Config) -> logs.Format:
    """`auto` is for people when a person is likely to read along."""
    if config.log_format == "auto":
        return "console" if sys.stderr.isatty() else "json"
    return config.log_format


@asynccontextmanager
async def open_room(
    config: Config,
    *,
    tell: Callable[[str], Any],
    traced: bool = False,
    makes_database: bool = True,
    sends: bool = False,
) -> AsyncGenerator[Room]:
    """The room; tells what was made. Raises Misconfigured when what the configuration names cannot be used.

    When the database cannot be used in it, also later, StorageUnavailable says which one that is.
    """
    to_make = missing(config)
    async with AsyncExitStack() as stack:
        try:
            opening = wiring.open_room(config, traced=traced, make=makes_database, sends=sends)
            room = await stack.enter_async_context(opening)
        except Exception as error:
            said = why(config, error)
            if said is None:
                raise
            raise said from error
        for what, path in to_make.items():
            tell(f"Made {what}: {path}")
        try:
            yield room
        except StorageUnavailable as error:
            raise about_the_database(config, error) from error


def in_room(
    data_dir: Path | None,
    work: Callable[[Room], Awaitable[T]],
    *,
    makes_database: bool = False,
    sends: bool = False,
) -> T:
    """Open the room, do `work` in it, and close it: the body of most commands. Raises Failed without a database."""
    config = load_config(data_dir)
    if not makes_database:
        require_database(config)

    async def run() -> T:
        async with open_room(config, tell=say, makes_database=makes_database, sends=sends) as room:
            return await work(room)

    return asyncio.run(run())


async def find_tenant(room: Room, name: str | None) -> Tenant:
    """The tenant with this domain or id; without a name, the only one. Raises NotFound."""
    return await room.database.read(_find, name)


async def find_owner(room: Room, tenant: str | None, *, system: bool) -> TenantId:
    """The tenant with this domain or id, the only one there is, or the system level. Raises NotFound."""
    if system and tenant:
        raise typer.BadParameter("It is of a tenant or of the system level, not both: --tenant or --system.")
    return SYSTEM if system else (await find_tenant(room, tenant)).id


def operator(tenant: TenantId) -> Principal:
    """Who works at the machine itself: may do everything, and is `cli` in the audit log."""
    return Principal(tenant, Role.TENANT_ADMIN, SCOPES_OF_ROLE[Role.TENANT_ADMIN], "cli", "cli")


def _env_file() -> Path | None:
    """`.env`, if this folder may be searched for one: root's own may not, when `runuser` starts a command in it."""
    return Path(".env") if os.access(".", os.X_OK) else None


def _unknown_settings(config: Config) -> list[str]:
    """Names like ours, in the environment, in `.env` and in the folder of secrets, that no setting has."""
    known = {TRACEBACK, *(f"RINGPOST_{name.upper()}" for name in Config.model_fields)}
    file = _env_file()
    in_file = dotenv_values(file, interpolate=False) if file else ()
    in_folder = [path.name for path in config.secrets_dir.iterdir()] if config.secrets_dir else ()
    names = {name.upper() for name in (*os.environ, *in_file, *in_folder)}
    return sorted(name for name in names - known if name.startswith("RINGPOST_"))


def _nearest(name: str) -> str | None:
    known = [f"RINGPOST_{field.upper()}" for field in Config.model_fields]
    return next(iter(get_close_matches(name, known, n=1, cutoff=0.75)), None)


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
