"""event send."""

import mimetypes
from base64 import b64encode
from pathlib import Path
from typing import Annotated, Any

import typer

from ringpost.cli.opening import AsJson, DataDir, TenantOption, find_tenant, in_room
from ringpost.cli.output import print_json, print_rows, say
from ringpost.domain.catalogue import CATALOGUE
from ringpost.domain.events import parse_event
from ringpost.errors import RingpostError
from ringpost.usecases.accept_events import Receipt, accept_events
from ringpost.usecases.room import Room

app = typer.Typer(help="Events: what happened.", no_args_is_help=True)


def _known_type(name: str) -> str:
    if name not in CATALOGUE:
        raise typer.BadParameter(f"{name!r} is none of {', '.join(CATALOGUE)}.")
    return name


def _types(incomplete: str) -> list[str]:
    return [name for name in CATALOGUE if name.startswith(incomplete.upper())]


Type = Annotated[
    str,
    typer.Argument(
        metavar="TYPE",
        callback=_known_type,
        autocompletion=_types,
        help=f"One of {', '.join(CATALOGUE)}.",
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


@app.callback()
def _group() -> None:
    """Keep `send` a command of its own although it is the only one."""


@app.command()
def send(
    type: Type,  # noqa: A002  the API's word for it
    tenant: TenantOption = None,
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
    """
    fields = {
        "type": type,
        "id": id,
        "variables": dict(_pair(item) for item in set or ()),
        "recipients": to or [],
        "attachments": [_attachment(path) for path in attach or ()],
    }
    receipt = in_room(data_dir, lambda room: _send(room, tenant, fields))
    deliveries = [{"delivery": delivery, "recipient": recipient} for delivery, recipient in receipt.deliveries]
    if as_json:
        listed = [{"id": delivery, "recipient": recipient} for delivery, recipient in receipt.deliveries]
        event = {"id": receipt.id, "type": receipt.type, "deliveries": listed, "skipped": receipt.skipped}
        print_json(event)
        return
    say(f"Event {receipt.id} was accepted{' before' if receipt.repeated else ''}.")
    print_rows(deliveries, as_json=False, nothing=f"Nothing is sent: {receipt.skipped}")


async def _send(room: Room, tenant: str | None, fields: dict[str, Any]) -> Receipt:
    owner = await find_tenant(room, tenant)
    result = (await accept_events(room, [parse_event(owner.id, fields)]))[0]
    if isinstance(result, RingpostError):
        raise result
    return result


def _pair(item: str) -> tuple[str, str]:
    name, equals, value = item.partition("=")
    if not equals:
        raise typer.BadParameter(f"{item!r} is not NAME=VALUE.", param_hint="--set")
    return name, value


def _attachment(path: Path) -> dict[str, str]:
    kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    if kind.startswith(("multipart/", "message/")):  # a saved mail goes along as a file
        kind = "application/octet-stream"
    return {"filename": path.name, "content_type": kind, "content": b64encode(path.read_bytes()).decode()}
