"""Where the parts are put together, for the command line, the demo and the tests."""

import socket
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, NoReturn

from starlette.types import ASGIApp

from ringpost import descriptors, telemetry
from ringpost.config import Config
from ringpost.domain.endpoints import Endpoint
from ringpost.domain.hosts import parse_host
from ringpost.domain.retries import RetryPolicy
from ringpost.domain.secrets import Secret
from ringpost.domain.server_rules import ServerRules
from ringpost.storage.database import open_database
from ringpost.storage.engines import database_file
from ringpost.storage.keyring import KeyRing
from ringpost.storage.resealing import check_keys, is_proven, leave_proof
from ringpost.storage.sealing import Sealer
from ringpost.usecases.room import Options, Room
from ringpost.usecases.trace import Trace

if TYPE_CHECKING:  # they take long to import, and most commands need none of them
    from fastapi import FastAPI

    from ringpost.api.express import Express
    from ringpost.worker import HostWatch, Worker

POLL_WITH_BELL_S = 1.0
"""How often a worker looks for due mail when it is told of what is new; nobody tells it when a retry is due."""


@asynccontextmanager
async def open_room(
    config: Config, *, traced: bool = False, make: bool = True, sends: bool = True
) -> AsyncGenerator[Room]:
    """The room with its database open; made on the first start. Raises StorageUnavailable, KeyRingError, ValueError.

    `make`: without it, NothingThere is raised where there is no database yet.
    `traced`: keep traces, if the operator wants them; for what serves, as no command makes any.
    `sends`: without it, no mail leaves it and no server is examined, and it opens sooner.
    """
    traces = telemetry.open_traces() if traced else None
    _keys_there_are(config)  # wrong ones are told before anything is made, or the schema is changed
    database = await open_database(config.url, make=make)
    try:
        config.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        proven = await database.read(is_proven)
        sealer = _sealer(config, make=not proven)
        await database.read(check_keys, sealer)
        if not proven:
            await database.write(leave_proof, sealer)
        room = Room(database, sealer, clock, _no_way_out, _options(config), trace=traces)
        if sends:
            room = _with_ways_out(room, config)
        database.on_ring(room.bell.ring)
        yield room
    finally:
        await database.close()
        if traces is not None:
            await traces.close()


def _no_way_out(endpoint: Endpoint, **_how: object) -> NoReturn:
    raise AssertionError(f"a room without ways out was to send through {endpoint.label}")


def _with_ways_out(room: Room, config: Config) -> Room:
    from ringpost.ways_out import WaysOut  # noqa: PLC0415  takes long to import, and most commands send nothing

    ways = WaysOut(config)
    return replace(room, open_transport=ways.open_transport, examine=ways.examine, pace_of=ways.pace_of)


def key_file(config: Config) -> Path:
    """Where the key ring is that is made on the first start, unless the operator has given one."""
    return config.data_dir / "keys"


def _keys_there_are(config: Config) -> KeyRing | None:
    """Those of the operator, or of the key file; None before it is made."""
    if config.keys:
        return KeyRing.from_text(config.keys.get_secret_value())
    try:
        return KeyRing.load(key_file(config))
    except (FileNotFoundError, NotADirectoryError):
        return None


def _sealer(config: Config, *, make: bool) -> Sealer:
    """With a key file, it opens what another process has sealed with a key that came into it since this one started.

    `make`: without it, the database has seen other keys, and a file of new ones would only be in the way of those.
    """
    ring = _keys_there_are(config) or (KeyRing.load_or_create(key_file(config)) if make else KeyRing.fresh())
    return Sealer(ring, None if config.keys else lambda: KeyRing.load(key_file(config)))


class Site(NamedTuple):
    """What is served over HTTP."""

    app: ASGIApp
    """The API, and the console in front of it."""
    express: "Express | None"
    """What answers the busiest requests past all that; None where each request is traced."""


def site(room: Room, config: Config) -> Site:
    """The HTTP application."""
    from ringpost.api.app import create_app  # noqa: PLC0415  as above
    from ringpost.api.express import express_past  # noqa: PLC0415
    from ringpost.console.app import InFront, create_console  # noqa: PLC0415

    token = config.admin_token
    api = create_app(room, admin_token=Secret(token.get_secret_value()) if token else None)
    console = create_console(room, api.state.limits)
    if room.trace is not None:
        return Site(InFront(console, _traced(api, room.trace)), None)
    return Site(InFront(console, api), express_past(api))


def _traced(api: "FastAPI", trace: Trace) -> ASGIApp:
    from ringpost.api.http_rules import PREFIX  # noqa: PLC0415  as above
    from ringpost.telemetry.requests import traced_requests  # noqa: PLC0415  it is optional

    return traced_requests(api, trace, PREFIX)


def worker(room: Room, config: Config, *, of: int = 1) -> "Worker":
    """One of so many workers of this process, ready to run. It has fewer slots than asked for where sockets are few."""
    from ringpost.worker import Worker, WorkerOptions  # noqa: PLC0415  as above

    # Half of the sockets: connections that are kept without work, or are a server's second, take some too.
    slots = min(config.slots, max(64, descriptors.for_mail() // 2 // of))
    options = WorkerOptions(slots=slots, lease_s=config.lease_seconds, presence=_presence(config))
    if room.database.dialect == "postgresql":  # where the bell is heard from every machine
        options = replace(options, poll_s=POLL_WITH_BELL_S)
    return Worker(room, options)


def host_watch(room: Room, config: Config) -> "HostWatch":
    """Watches this machine, ready to run."""
    from ringpost.worker import Host, HostWatch  # noqa: PLC0415  as above

    return HostWatch(room, Host(config.data_dir).read)


def clock() -> int:
    """Milliseconds since 1970, UTC."""
    return time.time_ns() // 1_000_000


def _presence(config: Config) -> Path | None:
    """Beside the embedded database; its workers are all on this machine."""
    file = database_file(config.url)
    return None if file is None else Path(f"{file}-workers")


def _options(config: Config) -> Options:
    policy = RetryPolicy()
    return Options(
        pbx_web_domain=config.pbx_web_domain,
        server_rules=ServerRules(
            restricted=True,
            allowed=config.allowed_networks,
            extra_ports=config.extra_ports,
            clear_login=config.allow_clear_login,
        ),
        provider_hosts=config.provider_hosts,
        retry_policy=replace(policy, others=replace(policy.others, lifetime=config.normal_lifetime_hours * 3600)),
        host_name=config.machine_name or _host_name(),
        system_locale=config.system_locale,
        borrowed_mails_per_hour=config.borrowed_mails_per_hour,
        keep_messages_s=int(config.keep_messages_hours * 3600),
        keep_history_s=int(config.keep_history_days * 24 * 3600),
    )


def _host_name() -> str:
    """The name of this machine, as far as it is one that could stand in a Message-ID."""
    try:
        return parse_host(socket.gethostname(), single_label=True)
    except ValueError:
        return "localhost"
