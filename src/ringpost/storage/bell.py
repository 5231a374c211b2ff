"""The bell between processes: who puts mail into the outbox rings it, and workers on every machine hear it at once.

LISTEN and NOTIFY of PostgreSQL. It is heard when the transaction commits, once however often it was rung in it. SQLite
has no such thing; there, workers look into the outbox often. They look now and then on PostgreSQL too, in case a ring
was missed.
"""

import asyncio
from collections.abc import Callable
from typing import NoReturn

import structlog
from sqlalchemy import Connection, text

CHANNEL = "ringpost_outbox"

LONGEST_PAUSE_S = 5.0
"""The longest pause between two tries to listen again."""

_log = structlog.get_logger("ringpost.storage")


def ring(connection: Connection) -> None:
    """Tell all workers that there is mail that is due, as soon as this transaction is committed."""
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"NOTIFY {CHANNEL}"))


async def listen(url: str, heard: Callable[[], None]) -> NoReturn:
    """Call `heard` at every ring, until cancelled; also after each time that the connection was lost.

    Whatever goes wrong is logged, and after a pause it listens again.
    """
    import psycopg  # noqa: PLC0415  only where PostgreSQL is the database

    from ringpost.storage.postgresql import connection_options  # noqa: PLC0415

    pause_s = 0.1
    while True:
        try:
            async with await psycopg.AsyncConnection.connect(**connection_options(url), autocommit=True) as connection:
                await connection.execute(f"LISTEN {CHANNEL}")
                heard()  # what was rung before we listened
                pause_s = 0.1
                async for _ in connection.notifies():
                    heard()
        except (psycopg.Error, OSError) as error:
            _log.warning("bell_not_heard", error=str(error).strip(), again_in_s=pause_s)
        except Exception:  # noqa: BLE001  who is deaf for ever is told of no mail
            _log.exception("bell_not_heard", again_in_s=pause_s)
        await asyncio.sleep(pause_s)
        pause_s = min(LONGEST_PAUSE_S, pause_s * 2)
