"""What is known of each host's disk, CPU and memory."""

from sqlalchemy import Connection, insert, select, update

from ringpost.domain.watch import Gauge, Watched
from ringpost.storage.tables import watch


def show(connection: Connection, host: str) -> dict[Gauge, Watched]:
    """What is known of a host; a gauge that never changed is as `Watched()`."""
    rows = connection.execute(select(watch).where(watch.c.host == host))
    known = {Gauge(row.gauge): Watched(row.exceeded, row.episode, row.since) for row in rows}
    return {gauge: known.get(gauge, Watched()) for gauge in Gauge}


def exceeded(connection: Connection, top: int = 100) -> list[tuple[str, Gauge, int]]:
    """What is over its threshold: host, gauge, and since when. Hosts are few."""
    rows = connection.execute(select(watch).where(watch.c.exceeded).order_by(watch.c.host, watch.c.gauge).limit(top))
    return [(row.host, Gauge(row.gauge), row.since) for row in rows]


def change(connection: Connection, host: str, gauge: Gauge, before: Watched, after: Watched) -> bool:
    """Write a change down; False when another process was quicker."""
    values = {"exceeded": after.exceeded, "episode": after.episode, "since": after.since}
    if before == Watched():
        connection.execute(insert(watch).values(host=host, gauge=gauge.value, **values))
        return True
    same = (
        watch.c.host == host,
        watch.c.gauge == gauge.value,
        watch.c.exceeded == before.exceeded,
        watch.c.episode == before.episode,
    )
    return connection.execute(update(watch).where(*same).values(**values)).rowcount == 1
