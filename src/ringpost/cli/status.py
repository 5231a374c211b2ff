"""status: the whole outbox at a glance, live in a terminal."""

import asyncio
import contextlib
import logging
import os
import select
import signal
import sys
import termios
import tty
from collections.abc import Generator
from typing import Annotated, Any, Final

import typer
from rich.live import Live
from sqlalchemy import Connection

from ringpost.cli.opening import AsJson, DataDir, load_config, open_room, require_database
from ringpost.cli.output import console, print_json, say
from ringpost.cli.status_view import Fitted, draw
from ringpost.config import Config
from ringpost.domain.deliveries import Urgency, Verdict
from ringpost.domain.tenants import TenantId
from ringpost.domain.times import rfc3339
from ringpost.errors import StorageUnavailable
from ringpost.storage import overview, tenants
from ringpost.storage.overview import OpenMail, Rates
from ringpost.usecases.room import Room

EVERY_S: Final = 1.0
ROWS: Final = 10
"""Lanes on hold, queues and workers that are shown."""

Once = Annotated[bool, typer.Option("--once", help="Print once and exit, also in a terminal.")]


def status(once: Once = False, as_json: AsJson = False, data_dir: DataDir = None) -> None:
    """Show what waits and why, what goes out, and who works: live in a terminal, once elsewhere. q ends it.

    Example: [b]ringpost status[/b]

    Example: [b]ringpost status --json[/b]
    """
    config = load_config(data_dir)
    require_database(config)
    moves = sys.stdout.isatty() and not console().is_dumb_terminal  # on one that does not, a picture is never drawn
    live = moves and not once and not as_json
    with contextlib.suppress(KeyboardInterrupt, asyncio.CancelledError):
        asyncio.run(_watch(config) if live else _print(config, as_json=as_json))


async def _print(config: Config, *, as_json: bool) -> None:
    async with open_room(config, tell=say, makes_database=False) as room:
        seen = await _look(room)
    if as_json:
        print_json(seen)
    else:
        console().print(draw(seen))


async def _watch(config: Config) -> None:
    watching = asyncio.current_task()
    assert watching is not None  # noqa: S101
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, watching.cancel)  # as Ctrl-C does
    async with open_room(config, tell=say, makes_database=False) as room:
        seen = await _look(room)
        picture = Live(Fitted(seen), console=console(), screen=True, auto_refresh=False)
        with _keys() as keys, _no_logs(), picture as live:
            live.refresh()
            while not await asyncio.to_thread(_q_within, keys, EVERY_S):
                problem = ""
                try:
                    seen = await _look(room)
                except StorageUnavailable as error:  # just when somebody looks most closely, the picture must not go
                    problem = error.message
                live.update(Fitted(seen, problem), refresh=True)


@contextlib.contextmanager
def _keys() -> Generator[int | None]:
    """Single keys, without Enter; None when there is no keyboard."""
    if not sys.stdin.isatty():
        yield None
        return
    number = sys.stdin.fileno()
    before = termios.tcgetattr(number)
    try:
        tty.setcbreak(number)
        yield number
    finally:
        termios.tcsetattr(number, termios.TCSADRAIN, before)


@contextlib.contextmanager
def _no_logs() -> Generator[None]:
    """What is logged meanwhile would be written across the picture, which says the same."""
    logging.disable()
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)


def _q_within(keys: int | None, seconds: float) -> bool:
    """Wait; True as soon as somebody presses q."""
    ready, _, _ = select.select([] if keys is None else [keys], [], [], seconds)
    return bool(ready) and os.read(ready[0], 1) in (b"q", b"Q", b"")


async def _look(room: Room) -> dict[str, Any]:
    return await room.database.read(_seen, room.clock())


def _seen(connection: Connection, now: int) -> dict[str, Any]:
    """What there is to see, in one read whose cost does not grow with what waits. Keys are part of `--json`."""
    glance, rates = overview.glance(connection), overview.rates(connection, now)
    held, queues = overview.held(connection, ROWS), overview.longest_waiting(connection, ROWS)
    name = _names(connection, [*(row.lane for row in held), *(queue for queue, _, _ in queues)])
    return {
        "at": rfc3339(now),
        "waiting": [_waiting(urgency, mail, now) for urgency, mail in glance.classes.items()],
        "counts_end_at": overview.MOST_COUNTED,
        "per_minute": _per_minute(rates),
        "lanes_on_hold": sum(glance.lanes_on_hold.values()),
        "queues_over_loan": glance.queues_over_loan,
        "holds": [
            {
                "lane": name(row.lane),
                "because": row.hint or row.reply,
                "party": row.party,
                "held_s": max(0, now - row.since) / 1000,
                "next_probe_s": max(0, row.until - now) / 1000,
            }
            for row in held
        ],
        "longest_queues": [
            {"queue": name(queue), "waiting": count, "oldest_s": max(0, now - oldest) / 1000}
            for queue, count, oldest in queues
        ],
        "workers": [
            {
                "name": row.name,
                "host": row.host,
                "up_s": max(0, now - row.since) / 1000,
                "slots": row.slots,
                "in_hand": row.in_hand,
            }
            for row in overview.workers_alive(connection, now)
        ],
    }


def _waiting(urgency: Urgency, mail: OpenMail, now: int) -> dict[str, Any]:
    return {
        "class": urgency.word,
        "queued": mail.queued,
        "sending": mail.sending,
        "oldest_s": None if mail.oldest_at is None else max(0, now - mail.oldest_at) / 1000,
    }


def _per_minute(rates: Rates) -> dict[str, Any]:
    return {
        "accepted": round(rates.accepted, 1),
        "sent": round(rates.attempts.get((Verdict.SENT, None), 0.0), 1),
        "failed": [
            {"verdict": verdict.value, "party": party.value if party else None, "attempts": round(rate, 1)}
            for (verdict, party), rate in sorted(rates.attempts.items(), key=str)
            if verdict is not Verdict.SENT
        ],
    }


def _names(connection: Connection, lanes: list[str]) -> Any:
    """Lanes and queues as people know them: by the tenant's domain."""
    owners = {lane: owner for lane in lanes if (owner := overview.tenant_of(lane))}
    known = tenants.by_id(connection, sorted({TenantId(owner) for owner in owners.values()}))

    def name(lane: str) -> str:
        owner = owners.get(lane)
        if owner is None:
            return "the system's mail server"
        tenant = known.get(TenantId(owner))
        domain = tenant.domain if tenant else owner
        return domain if lane == owner else f"{domain} (borrowed)"

    return name
