"""user create, user invite."""

import sys
from typing import Annotated
from urllib.parse import urlsplit

import typer

from ringpost import serving
from ringpost.cli.opening import DataDir, TenantOption, find_owner, in_room, load_config, one_of
from ringpost.cli.output import print_line
from ringpost.cli.stdout import telling
from ringpost.domain.access import Role
from ringpost.domain.hosts import parse_host
from ringpost.domain.tenants import SYSTEM, TenantId
from ringpost.usecases.create_user import NewUser, create_user
from ringpost.usecases.invite_user import Guest, invite_user
from ringpost.usecases.room import Room

app = typer.Typer(help="Users: people who log in.", no_args_is_help=True)


def _origin(url: str | None) -> str | None:
    """A scheme, a host and perhaps a port: what the path of a link can stand behind."""
    if url is None:
        return None
    origin = url.removesuffix("/")
    try:
        parts = urlsplit(origin)
        parse_host(parts.hostname or "", single_label=True)
        bare = origin.partition("://")[2] == parts.netloc and "@" not in parts.netloc
        good = bare and parts.scheme in ("http", "https") and parts.port != 0
    except ValueError:
        good = False
    if not good:
        raise typer.BadParameter(
            f"{url!r} is not where people reach Ringpost, such as https://mail.example.com or http://127.0.0.1:8025."
        )
    return origin


Username = Annotated[
    str, typer.Argument(metavar="USERNAME", help="What the person logs in with. Case does not matter.")
]
System = Annotated[bool, typer.Option("--system", help="A system administrator, of no tenant.")]
RoleOption = Annotated[
    Role | None,
    typer.Option(
        "--role",
        metavar="ROLE",
        parser=one_of(Role),
        help=f"What the person may do: {', '.join(Role)}. [default: tenant_admin; with --system: system_admin]",
    ),
]
Url = Annotated[
    str | None,
    typer.Option(metavar="URL", callback=_origin, help="Where people reach Ringpost. [default: where `serve` listens]"),
]
FromStdin = Annotated[bool, typer.Option("--password-stdin", help="Read the password from the first line of stdin.")]


@app.command()
def create(
    username: Username,
    tenant: TenantOption = None,
    system: System = False,
    role: RoleOption = None,
    password_stdin: FromStdin = False,
    data_dir: DataDir = None,
) -> None:
    """Create a user; asks for the password (12 characters or more), and prints the id.

    Example: [b]ringpost user create anna --tenant acme.example.com[/b]

    Example: [b]pwgen -s 24 1 | ringpost user create root --system --password-stdin[/b]
    """

    owner = in_room(data_dir, lambda room: find_owner(room, tenant, system=system))
    # Between the rooms: while an event loop is blocked by a prompt, it takes Ctrl-C and does nothing with it.
    new = NewUser(username, _password(from_stdin=password_stdin), role or _usual_role(owner))
    user = in_room(data_dir, lambda room: create_user(room, owner, new)).id
    with telling(f"The user {username} was made all the same; the id is {user}."):
        print_line(user)


@app.command()
def invite(
    username: Username,
    tenant: TenantOption = None,
    system: System = False,
    role: RoleOption = None,
    url: Url = None,
    data_dir: DataDir = None,
) -> None:
    """Print a link that sets a user's password, once, within a day: for somebody new, or a password that is forgotten.

    Whoever is a user already keeps the role, and is signed out everywhere when the password is set.

    Example: [b]ringpost user invite anna --tenant acme.example.com --url https://mail.example.com[/b]
    """
    config = load_config(data_dir)
    if url is None and config.port == 0:
        raise typer.BadParameter("RINGPOST_PORT is 0, so nobody can know where people reach Ringpost: say --url URL.")

    async def work(room: Room) -> str:
        owner = await find_owner(room, tenant, system=system)
        secret = await invite_user(room, owner, Guest(username, role or _usual_role(owner)))
        return f"{url or serving.url_at(config.host, config.port)}/console/welcome/{secret.reveal()}"

    link = in_room(data_dir, work)
    with telling(f"{username} was invited all the same, by a link that nobody has. Invite again: that one ends then."):
        print_line(link)


def _usual_role(owner: TenantId) -> Role:
    return Role.SYSTEM_ADMIN if owner == SYSTEM else Role.TENANT_ADMIN


def _password(*, from_stdin: bool) -> str:
    """Never from the command line, which every process on the machine can read."""
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    if not sys.stdin.isatty():
        raise typer.BadParameter("There is no terminal to ask for the password; use --password-stdin.")
    return typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
