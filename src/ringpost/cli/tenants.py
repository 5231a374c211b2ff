"""tenant create, list, show, disable, enable; cli/moving has export and import."""

from functools import partial
from typing import Annotated, Any

import typer

from ringpost.cli.opening import AsJson, DataDir, find_tenant, in_room
from ringpost.cli.output import print_fields, print_line, print_rows, say
from ringpost.cli.stdout import telling
from ringpost.domain.tenants import Tenant, TenantDraft
from ringpost.domain.times import rfc3339
from ringpost.storage import tenants
from ringpost.storage.default_templates import languages
from ringpost.usecases.change_tenant import edit_tenant, switched
from ringpost.usecases.create_tenant import create_tenant
from ringpost.usecases.room import Room

app = typer.Typer(help="Tenants: the customers of the phone system.", no_args_is_help=True)

Domain = Annotated[str, typer.Argument(metavar="DOMAIN", help="The tenant's domain, such as acme.example.com.")]
Which = Annotated[str, typer.Argument(metavar="DOMAIN", help="The tenant's domain or id.")]
Name = Annotated[str | None, typer.Option(help="What mails call the tenant.", show_default="the domain")]
Timezone = Annotated[str, typer.Option(help="IANA name; times in mails are in it.")]
Locale = Annotated[
    str, typer.Option(help=f"BCP 47 tag, such as de-CH. Mails are in its language: {', '.join(languages())}; else en.")
]


@app.command()
def create(
    domain: Domain,
    name: Name = None,
    timezone: Timezone = "UTC",
    locale: Locale = "en",
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Create a tenant; prints its id.

    Example: [b]ringpost tenant create acme.example.com --name "Acme" --timezone Europe/Berlin[/b]
    """
    draft = TenantDraft(name or domain, domain, timezone=timezone, locale=locale)
    tenant = in_room(data_dir, lambda room: create_tenant(room, draft), makes_database=True)
    with telling(f"The tenant {domain} was made all the same; its id is {tenant}."):
        if as_json:
            print_fields({"id": tenant}, as_json=True)
        else:
            print_line(tenant)


@app.command("list")
def list_(as_json: AsJson = False, data_dir: DataDir = None) -> None:
    """List all tenants.

    Example: [b]ringpost tenant list --json | jq -r '.[].domain'[/b]
    """
    found = in_room(data_dir, lambda room: room.database.read(tenants.list_all, 1_000_000))
    print_rows(
        [_fields(tenant) for tenant in found],
        as_json=as_json,
        nothing="There is no tenant yet. Make one: ringpost tenant create acme.example.com",
    )


@app.command()
def show(domain: Which, as_json: AsJson = False, data_dir: DataDir = None) -> None:
    """Show one tenant.

    Example: [b]ringpost tenant show acme.example.com[/b]
    """
    print_fields(_fields(in_room(data_dir, lambda room: find_tenant(room, domain))), as_json=as_json)


@app.command()
def disable(domain: Which, data_dir: DataDir = None) -> None:
    """Disable a tenant: its tokens answer 403, and it sends nothing.

    Nothing of it is removed: [b]ringpost tenant enable[/b] turns it on again.

    Example: [b]ringpost tenant disable acme.example.com[/b]
    """
    in_room(data_dir, lambda room: _switch(room, domain, enabled=False))
    say(f"{domain} is disabled.")


@app.command()
def enable(domain: Which, data_dir: DataDir = None) -> None:
    """Enable a tenant again. What happened meanwhile was recorded, and is not sent.

    Example: [b]ringpost tenant enable acme.example.com[/b]
    """
    in_room(data_dir, lambda room: _switch(room, domain, enabled=True))
    say(f"{domain} is enabled.")


async def _switch(room: Room, name: str, *, enabled: bool) -> None:
    tenant = await find_tenant(room, name)
    await edit_tenant(room, tenant.id, partial(switched, enabled=enabled))


def _fields(tenant: Tenant) -> dict[str, Any]:
    return {
        "id": tenant.id,
        "domain": tenant.domain,
        "name": tenant.name,
        "enabled": tenant.enabled,
        "timezone": tenant.timezone,
        "locale": tenant.locale,
        "created_at": rfc3339(tenant.created_at),
    }
