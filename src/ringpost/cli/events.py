"""event send, list, show."""

import mimetypes
from base64 import b64encode
from pathlib import Path
from typing import Annotated, Any

import typer
from sqlalchemy import Connection

from ringpost.cli.opening import AsJson, DataDir, SystemOption, TenantOption, find_owner, in_room, whole_number
from ringpost.cli.output import print_fields, print_json, print_rows, say
from ringpost.cli.stdout import telling
from ringpost.domain.catalogue import CATALOGUE
from ringpost.domain.events import parse_event
from ringpost.domain.mime import is_composite
from ringpost.domain.strict_json import check_text
from ringpost.domain.system_events import SYSTEM_CATALOGUE
from ringpost.domain.tenants import TenantId
from ringpost.domain.times import rfc3339
from ringpost.errors import NotFound, RingpostError
from ringpost.storage import events
from ringpost.usecases.accept_events import Receipt, accept_events
from ringpost.usecases.room import Room

app = typer.Typer(help="Events: what happened.", no_args_is_help=True)


TYPES = tuple(dict.fromkeys([*CATALOGUE, *SYSTEM_CATALOGUE]))


def _known_type(name: str | None) -> str | None:
    if name is not None and name not in TYPES:
        raise typer.BadParameter(f"{name!r} is none of {', '.join(TYPES)}.")
    return name


def _types(incomplete: str) -> list[str]:
    return [name for name in TYPES if name.startswith(incomplete.upper())]


Type = Annotated[
    str,
    typer.Argument(
        metavar="TYPE",
        callback=_known_type,
        autocompletion=_types,
        help=f"One of {', '.join(CATALOGUE)}; with --system: {', '.join(SYSTEM_CATALOGUE)}.",
    ),
]
Set = Annotated[
    list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="A variable; can be given several times.")
]
To = Annotated[list[str] | None, typer.Option("--to", metavar="ADDRESS", help="A recipient; several times.")]
Attach = Annotated[
    list[Path] | None,
    typer.Option("--attach", metavar="FILE", exists=True, dir_okay=False, help="A file to go along; several times."),
]
Id = Annotated[str | None, typer.Option("--id", help="Your own id: the same again sends nothing. [default: a new one]")]
OfType = Annotated[
    str | None,
    typer.Option(
        "--type", metavar="TYPE", callback=_known_type, autocompletion=_types, help="Only those of this type."
    ),
]
Top = Annotated[int, typer.Option(parser=whole_number(1, 10_000), metavar="TOP", help="How many at most.")]
EventId = Annotated[str, typer.Argument(metavar="ID", help="The event's id, as `ringpost event list` shows it.")]


@app.command()
def send(
    type: Type,  # noqa: A002  the API's word for it
    tenant: TenantOption = None,
    system: SystemOption = False,
    set: Set = None,  # noqa: A002  the option's name
    id: Id = None,  # noqa: A002  the API's word for it
    to: To = None,
    attach: Attach = None,
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Send an event. It is on disk when this returns; a running worker sends the mail at once.

    Example: [b]ringpost event send DISK_LOW --tenant acme.example.com --set FREE_SIZE=1.2GB --set USED_SIZE=98.8GB[/b]

    Example: [b]ringpost event send VOICEMAIL_RECEIVED --to jane@example.com --attach message.wav[/b]

    Example: [b]ringpost event send IP_BLOCKED --system --set BLOCKED_IP=203.0.113.77[/b]
    """
    fields = {
        "type": type,
        "id": id,
        "variables": dict(_pair(item) for item in set or ()),
        "recipients": to or [],
        "attachments": [_attachment(path) for path in attach or ()],
    }
    check_text(fields)
    receipt = in_room(data_dir, lambda room: _send(room, tenant, fields, system=system))
    if as_json:
        with telling(f"Event {receipt.id} was accepted all the same; with that --id, trying again sends nothing."):
            print_json(receipt.to_json())
        return
    say(f"Event {receipt.id} was accepted{' before' if receipt.repeated else ''}.")
    deliveries = [{"delivery": delivery, "recipient": recipient} for delivery, recipient in receipt.deliveries]
    print_rows(deliveries, as_json=False, nothing=f"Nothing is sent: {receipt.skipped}")


@app.command("list")
def list_(
    tenant: TenantOption = None,
    system: SystemOption = False,
    type: OfType = None,  # noqa: A002  the API's word for it
    top: Top = 50,
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """List events, the newest first, with how many mails each made or why it made none.

    Example: [b]ringpost event list --tenant acme.example.com --type EMERGENCY_CALL[/b]
    """

    async def work(room: Room) -> list[dict[str, Any]]:
        return await room.database.read(_page, await find_owner(room, tenant, system=system), type, top)

    print_rows(in_room(data_dir, work), as_json=as_json, nothing="There is no such event.")


@app.command()
def show(
    event: EventId,
    tenant: TenantOption = None,
    system: SystemOption = False,
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Show one event and its deliveries. Its variables are not shown: they may be secrets.

    Example: [b]ringpost event show pbx-7f3a --tenant acme.example.com[/b]
    """

    async def work(room: Room) -> dict[str, Any]:
        return await room.database.read(_story, await find_owner(room, tenant, system=system), event)

    story = in_room(data_dir, work)
    if as_json:
        print_json(story)
        return
    made = story.pop("deliveries")
    print_fields(story, as_json=False)
    print_rows(made, as_json=False, nothing="It made no mail.")


async def _send(room: Room, tenant: str | None, fields: dict[str, Any], *, system: bool) -> Receipt:
    owner = await find_owner(room, tenant, system=system)
    result = (await accept_events(room, [parse_event(owner, fields)]))[0]
    if isinstance(result, RingpostError):
        raise result
    return result


def _page(connection: Connection, tenant: TenantId, kind: str | None, top: int) -> list[dict[str, Any]]:
    rows = events.page(connection, tenant, kind, top)
    made = events.delivered_to(connection, [row.key for row in rows])
    return [
        {
            "id": row.id,
            "type": row.type,
            "accepted_at": rfc3339(row.accepted_at),
            "deliveries": len(made.get(row.key, ())),
            "skipped": row.skip_reason,
        }
        for row in rows
    ]


def _story(connection: Connection, tenant: TenantId, event: str) -> dict[str, Any]:
    row = events.show(connection, tenant, event)
    if row is None:
        raise NotFound("There is no such event. Which there are: ringpost event list")
    made = events.delivered_to(connection, [row.key]).get(row.key, [])
    return {
        "id": row.id,
        "type": row.type,
        "occurred_at": rfc3339(row.occurred_at),
        "accepted_at": rfc3339(row.accepted_at),
        "template_revision": row.template_number,
        "unknown_variables": row.unknown_variables,
        "skipped": row.skip_reason,
        "deliveries": [{"id": delivery, "recipient": recipient} for delivery, recipient in made],
    }


def _pair(item: str) -> tuple[str, str]:
    name, equals, value = item.partition("=")
    if not (name and equals):
        raise typer.BadParameter(f"{item!r} is not NAME=VALUE.", param_hint="--set")
    return name, value


def _attachment(path: Path) -> dict[str, str]:
    kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    if is_composite(kind):  # a saved mail goes along as a file
        kind = "application/octet-stream"
    return {"filename": path.name, "content_type": kind, "content": b64encode(path.read_bytes()).decode()}
