"""Watch the host: tell the operator when it is over a threshold, and when it is back to normal."""

from collections.abc import Sequence

import structlog
from sqlalchemy import Connection

from ringpost.domain.events import Event
from ringpost.domain.settings import SystemSettings
from ringpost.domain.tenants import SYSTEM
from ringpost.domain.watch import Gauge, Reading, Watched, event_type, event_variables, look, threshold_of
from ringpost.errors import RingpostError
from ringpost.storage import settings as settings_rows
from ringpost.storage import watch
from ringpost.usecases.accept_events import accept
from ringpost.usecases.room import Room

_log = structlog.get_logger("ringpost.watch")


async def watch_host(room: Room, readings: Sequence[Reading]) -> None:
    """Compare readings with what is known and report what has changed. Raises StorageUnavailable."""
    if await room.database.read(_changes, room, readings):
        await room.database.write(_report, room, readings)
        room.bell.ring()


_Change = tuple[Reading, Watched, Watched]


def _report(connection: Connection, room: Room, readings: Sequence[Reading]) -> None:
    """Changes and their events in one commit, from what is known now: another process may have told it meanwhile."""
    settings, host, events = settings_rows.show_system(connection), room.options.host_name, list[Event]()
    for reading, before, after in _changes(connection, room, readings):
        threshold = threshold_of(settings, reading.gauge)
        if watch.change(connection, host, reading.gauge, before, after) and threshold:
            events.append(_event(room, reading, after, threshold))
    for result in accept(connection, room, events) if events else ():
        if isinstance(result, RingpostError):
            _log.error("host_event_refused", host=host, error=str(result))


def _changes(connection: Connection, room: Room, readings: Sequence[Reading]) -> list[_Change]:
    settings = settings_rows.show_system(connection)
    if not _can_tell(connection, settings):
        return []
    known: dict[Gauge, Watched] = watch.show(connection, room.options.host_name)
    looked = [
        (one, known[one.gauge], look(known[one.gauge], one.share, threshold_of(settings, one.gauge), room.clock()))
        for one in readings
    ]
    return [(reading, before, after) for reading, before, after in looked if after != before]


def _can_tell(connection: Connection, settings: SystemSettings) -> bool:
    """While there is nobody to tell or nothing to tell by, nothing is noted either, so that it is told later."""
    return bool(settings.recipients) and settings_rows.settings_in_force(connection, [SYSTEM])[SYSTEM].own_server


def _event(room: Room, reading: Reading, after: Watched, threshold: float) -> Event:
    kind, host = event_type(reading.gauge, after), room.options.host_name
    variables = event_variables(reading, threshold, host)
    return Event(SYSTEM, kind, f"{kind}-{host}-{after.episode}", room.clock(), variables, (), ())
