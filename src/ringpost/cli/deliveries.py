"""delivery list, show, retry, cancel."""

from typing import Annotated, Any, Final

import typer

from ringpost.cli.opening import (
    AsJson,
    DataDir,
    SystemOption,
    TenantOption,
    find_owner,
    find_tenant,
    in_room,
    one_of,
    operator,
    whole_number,
)
from ringpost.cli.output import print_fields, print_json, print_rows, say
from ringpost.domain.deliveries import State
from ringpost.domain.tenants import SYSTEM, TenantId
from ringpost.domain.times import rfc3339
from ringpost.storage import deliveries
from ringpost.storage.deliveries import Filter
from ringpost.storage.tables import AnyRow
from ringpost.usecases.cancel_delivery import cancel_delivery
from ringpost.usecases.retry_delivery import retry_delivery
from ringpost.usecases.room import Room
from ringpost.usecases.show_delivery import show_delivery

app = typer.Typer(help="Deliveries: one message to one recipient, and what became of it.", no_args_is_help=True)


def _id_in(text: str) -> str:
    """The id of a delivery, also out of the Message-ID of its mail, `<id@host>`."""
    return text.strip().removeprefix("<").partition("@")[0]


Id = Annotated[
    str,
    typer.Argument(
        metavar="ID",
        callback=_id_in,
        help="The delivery's id, as `ringpost delivery list` shows it, or the Message-ID of its mail.",
    ),
]
OnlyOf = Annotated[
    str | None, typer.Option("--tenant", metavar="DOMAIN", help="Only if it is of this tenant: its domain or id.")
]
OnlyOfSystem = Annotated[bool, typer.Option("--system", help="Only if it is of the system level.")]
StateOption = Annotated[
    State | None,
    typer.Option(
        "--state", metavar="STATE", parser=one_of(State), help=f"Only those in this state: {', '.join(State)}."
    ),
]
Recipient = Annotated[str | None, typer.Option(metavar="ADDRESS", help="Only those to this address.")]
EventId = Annotated[str | None, typer.Option("--event", metavar="ID", help="Only those of this event.")]
Top = Annotated[int, typer.Option(parser=whole_number(1, 10_000), metavar="TOP", help="How many at most.")]

_OF_AN_ATTEMPT: Final = (
    "number", "started_at", "duration_ms", "server", "verdict", "stage", "code", "enhanced_code", "reply", "hint",
)  # fmt: skip
"""What the table has of it."""


@app.command("list")
def list_(
    tenant: TenantOption = None,
    system: SystemOption = False,
    state: StateOption = None,
    recipient: Recipient = None,
    event: EventId = None,
    top: Top = 50,
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """List deliveries, the newest first.

    Example: [b]ringpost delivery list --tenant acme.example.com --state rejected[/b]
    """
    wanted = Filter(state, recipient, event, top)

    async def work(room: Room) -> list[dict[str, Any]]:
        owner = await find_owner(room, tenant, system=system)
        return [_row(row) for row in await room.database.read(deliveries.page, owner, wanted)]

    print_rows(in_room(data_dir, work), as_json=as_json, nothing="There is no such delivery.")


@app.command()
def show(
    delivery: Id,
    tenant: OnlyOf = None,
    system: OnlyOfSystem = False,
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Show one delivery with every attempt: what the mail server said, and what to change.

    Example: [b]ringpost delivery show 019b3f2a...-1[/b]
    """

    async def work(room: Room) -> tuple[str, dict[str, Any]]:
        owner = await _owner(room, delivery, tenant, system=system)
        story = await show_delivery(room, owner, delivery)
        return "the system level" if owner == SYSTEM else (await find_tenant(room, owner)).domain, story

    whose, story = in_room(data_dir, work)
    del story["last_attempt"]  # it is among all of them
    if as_json:
        print_json(story)
        return
    attempts, held = story.pop("all_attempts"), story.pop("waiting_for_server")
    waits = {"waiting_for_server": held and (held["hint"] or held["reply"])}
    print_fields({"tenant": whose} | story | waits, as_json=False)
    rows = [{name: attempt[name] for name in _OF_AN_ATTEMPT} for attempt in attempts]
    print_rows(rows, as_json=False, nothing="It has not been tried yet.")
    if attempts and (said := attempts[-1]["dialogue"]):
        say(f"\nWhat was said at the last attempt (C: Ringpost, S: the mail server):\n{said}")


@app.command()
def retry(delivery: Id, tenant: OnlyOf = None, system: OnlyOfSystem = False, data_dir: DataDir = None) -> None:
    """Try a delivery again at once, whether it waits or has ended without being sent.

    Example: [b]ringpost delivery retry 019b3f2a...-1[/b]
    """

    async def work(room: Room) -> None:
        await retry_delivery(room, operator(await _owner(room, delivery, tenant, system=system)), delivery)

    in_room(data_dir, work)
    say(f"{delivery} is queued.")


@app.command()
def cancel(delivery: Id, tenant: OnlyOf = None, system: OnlyOfSystem = False, data_dir: DataDir = None) -> None:
    """Cancel a delivery that waits.

    Example: [b]ringpost delivery cancel 019b3f2a...-1[/b]
    """

    async def work(room: Room) -> None:
        await cancel_delivery(room, operator(await _owner(room, delivery, tenant, system=system)), delivery)

    in_room(data_dir, work)
    say(f"{delivery} is cancelled.")


async def _owner(room: Room, delivery: str, tenant: str | None, *, system: bool) -> TenantId:
    """Whose delivery it is, unless that is said. Raises NotFound."""
    if system or tenant is not None:
        return await find_owner(room, tenant, system=system)
    return await room.database.read(deliveries.owner_of, delivery)


def _row(row: AnyRow) -> dict[str, Any]:
    return {
        "id": row.id,
        "type": row.type,
        "recipient": row.recipient,
        "state": row.state,
        "attempts": row.attempts,
        "created_at": rfc3339(row.created_at),
        "ended_at": rfc3339(row.ended_at),
        "last_words": row.attempt_hint or row.attempt_reply or None,
    }
