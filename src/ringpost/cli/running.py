"""serve, worker, migrate."""

from collections.abc import Callable
from typing import Annotated, Any

import structlog
import typer
from sqlalchemy import Connection

from ringpost import serving, wiring
from ringpost.cli.opening import DataDir, load_config, log_format, missing, open_room, whole_number
from ringpost.cli.output import print_line, say, without_password
from ringpost.config import Config
from ringpost.domain.tenants import SYSTEM
from ringpost.errors import StorageUnavailable
from ringpost.logs import Shown
from ringpost.storage import access, tenants
from ringpost.usecases.invite_user import invite_first_administrator

FIRST_STEPS = (
    "In another terminal, with the same data folder: "
    "ringpost tenant create acme.example.com && ringpost token create --tenant acme.example.com"
)

Host = Annotated[str | None, typer.Option(metavar="ADDRESS", help="Listen here. [default: 127.0.0.1]")]
Port = Annotated[
    int | None,
    typer.Option(
        parser=whole_number(0, 65535), metavar="PORT", help="Listen on this port; 0: a free one. [default: 8025]"
    ),
]
Workers = Annotated[
    int | None,
    typer.Option(
        parser=whole_number(0, 64),
        metavar="WORKERS",
        help="Workers in this process; 0: none, they run elsewhere. [default: 1]",
    ),
]


def add_to(app: typer.Typer) -> None:
    """Add the commands of this file."""
    commands: list[Callable[..., Any]] = [serve, worker, migrate]
    for command in commands:
        app.command(rich_help_panel="Run")(command)


def serve(host: Host = None, port: Port = None, workers: Workers = None, data_dir: DataDir = None) -> None:
    """Run the API and a worker in one process.

    The first start makes the database and the key file in the data folder. SIGTERM or Ctrl-C stops it gently: what is
    in hand ends; once more quits at once.

    Example: [b]ringpost serve --data-dir /var/lib/ringpost --host 0.0.0.0 --port 8025[/b]
    """
    config = load_config(data_dir, host=host, port=port, workers=workers)
    serving.run(_serve(config))


def worker(data_dir: DataDir = None) -> None:
    """Run one worker without an API.

    Several of them, and `serve`, can share one database: each mail is claimed by one of them. It makes no data folder:
    where `serve` has not made one yet, it ends with exit code 75, and a service manager starts it again.

    Example: [b]ringpost worker --data-dir /var/lib/ringpost[/b]
    """
    config = load_config(data_dir)
    _require_file(config)
    serving.run(_work(config))


def migrate(data_dir: DataDir = None) -> None:
    """Bring the database to the newest schema, and make it when there is none.

    Every start does the same; this is for doing it beforehand, while all is stopped.

    Example: [b]ringpost migrate --data-dir /var/lib/ringpost[/b]
    """
    serving.run(_migrate(load_config(data_dir)))


async def _serve(config: Config) -> None:
    tell, begun_at = _teller(config), wiring.clock()
    with serving.listen(config.host, config.port) as listener:
        async with open_room(config, tell=tell, traced=True, sends=True) as room:
            url = serving.url_of(listener)
            tell(f"Ringpost listens on {url} (console: {url}/console/, API: {url}/docs). Ctrl-C stops it.")
            secret = await invite_first_administrator(room, begun_at)
            if secret is not None:
                link = f"{url}/console/welcome/{secret.reveal()}"
                tell(Shown(f"Set the administrator's password: {link} (once, within a day)"))
            elif not await room.database.read(access.list_users, SYSTEM):
                tell("The link to set the administrator's password is told by another process that has just started.")
            if not config.admin_token and await room.database.read(_is_nobody_there):
                tell(f"Nobody can use it yet. {FIRST_STEPS}")
            await serving.serve(room, config, listener)


def _require_file(config: Config) -> None:
    """Raise StorageUnavailable without an embedded database: a worker on a mistyped folder would look healthy."""
    path = missing(config).get("the database")
    if path is not None:
        raise StorageUnavailable(
            f"There is no database in {path.parent} ({path.name} is missing), and a worker makes none. Name the folder "
            "with --data-dir or RINGPOST_DATA_DIR, or start ringpost serve there first."
        )


async def _work(config: Config) -> None:
    async with open_room(config, tell=_teller(config), traced=True, sends=True) as room:
        await serving.work(room, config)


async def _migrate(config: Config) -> None:
    async with open_room(config, tell=say):
        print_line(f"{without_password(config.url)} is up to date")


def _teller(config: Config) -> Callable[[str], Any]:
    """Plain lines for people; log lines where a program reads stderr."""
    return say if log_format(config) == "console" else structlog.get_logger("ringpost.cli").info


def _is_nobody_there(connection: Connection) -> bool:
    """Whether there is neither a tenant nor anybody at the system level."""
    return not (
        tenants.list_all(connection, 1) or access.list_keys(connection, SYSTEM) or access.list_users(connection, SYSTEM)
    )
