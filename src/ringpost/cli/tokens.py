"""token create, list, revoke."""

from typing import Annotated, Any

import typer

from ringpost.cli.opening import AsJson, DataDir, TenantOption, find_owner, in_room, one_of, whole_number
from ringpost.cli.output import print_line, print_rows, say
from ringpost.cli.stdout import telling
from ringpost.domain.access import SCOPES_OF_ROLE, Role, Scope, Token
from ringpost.domain.secrets import Secret
from ringpost.domain.times import rfc3339
from ringpost.storage import access
from ringpost.usecases.create_token import NewKey, create_token
from ringpost.usecases.revoke_token import revoke_token
from ringpost.usecases.room import Room

app = typer.Typer(help="Tokens: API keys for machines, such as a phone system.", no_args_is_help=True)

System = Annotated[bool, typer.Option("--system", help="Of the system level, not of a tenant.")]
Scopes = Annotated[
    list[Scope] | None,
    typer.Option(
        "--scope",
        metavar="SCOPE",
        parser=one_of(Scope),
        help=f"What it may do: {', '.join(Scope)}; can be given several times. [default: all that its level may]",
    ),
]
Name = Annotated[str, typer.Option(help="What it is for; it stands in lists and in the audit log.")]
ReadOnly = Annotated[bool, typer.Option("--read-only", help="It reads everything of its tenant and changes nothing.")]
Days = Annotated[
    int | None,
    typer.Option(
        "--expires-in-days", parser=whole_number(1, 36_500), metavar="DAYS", help="[default: it does not expire]"
    ),
]


@app.command()
def create(
    tenant: TenantOption = None,
    system: System = False,
    scope: Scopes = None,
    name: Name = "made by the command line",
    read_only: ReadOnly = False,
    expires_in_days: Days = None,
    data_dir: DataDir = None,
) -> None:
    """Create a token and print it, alone, on stdout. It is shown this once: only its hash is kept.

    Scopes: [b]events:write[/b] to send events, [b]settings[/b] to change settings and templates, [b]admin[/b] for
    tenants and the system level (with --system).

    Example: [b]TOKEN=$(ringpost token create --tenant acme.example.com --scope events:write --name pbx)[/b]
    """
    role = Role.READ_ONLY if read_only else Role.SYSTEM_ADMIN if system else Role.TENANT_ADMIN
    if read_only and (scope or system):
        raise typer.BadParameter("--read-only goes with a tenant and without --scope.")
    seconds = None if expires_in_days is None else expires_in_days * 86_400
    key = NewKey(name, frozenset(scope) if scope else SCOPES_OF_ROLE[role], role, seconds)

    async def work(room: Room) -> tuple[Token, Secret]:
        return await create_token(room, await find_owner(room, tenant, system=system), key)

    token, secret = in_room(data_dir, work)
    whose = " --system" if system else f" --tenant {tenant}" if tenant else ""
    revoke_it = f"ringpost token revoke {token.id}{whose}"
    with telling(f"A token was made all the same, and nobody has it. Revoke it: {revoke_it}"):
        print_line(secret.reveal())


@app.command("list")
def list_(
    tenant: TenantOption = None, system: System = False, as_json: AsJson = False, data_dir: DataDir = None
) -> None:
    """List tokens: what is known of them, not they themselves.

    Example: [b]ringpost token list --tenant acme.example.com[/b]
    """

    async def work(room: Room) -> list[dict[str, Any]]:
        found = await room.database.read(access.list_keys, await find_owner(room, tenant, system=system))
        return [_fields(token, room.clock()) for token in found]

    print_rows(
        in_room(data_dir, work), as_json=as_json, nothing="There is no token yet. Make one: ringpost token create"
    )


@app.command()
def revoke(
    token_id: Annotated[str, typer.Argument(metavar="ID", help="The id, as `ringpost token list` shows it.")],
    tenant: TenantOption = None,
    system: System = False,
    data_dir: DataDir = None,
) -> None:
    """Revoke a token. Running servers heed it within 5 seconds.

    Example: [b]ringpost token revoke 019b3f2a... --tenant acme.example.com[/b]
    """

    async def work(room: Room) -> None:
        await revoke_token(room, await find_owner(room, tenant, system=system), token_id)

    in_room(data_dir, work)
    say(f"{token_id} is revoked.")


def _fields(token: Token, now: int) -> dict[str, Any]:
    return {
        "id": token.id,
        "name": token.name,
        "scopes": " ".join(sorted(token.scopes)) or token.role.value,
        "state": _state(token, now),
        "created_at": rfc3339(token.created_at),
        "expires_at": rfc3339(token.expires_at),
    }


def _state(token: Token, now: int) -> str:
    if token.revoked_at:
        return "revoked"
    return "in force" if token.expires_at is None or token.expires_at > now else "expired"
