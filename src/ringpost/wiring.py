"""Where the parts are put together, for the command line, the demo and the tests."""

import resource
import socket
import time
from collections.abc import AsyncGenerator, Collection
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from starlette.types import ASGIApp

from ringpost import telemetry
from ringpost.config import Config
from ringpost.domain.credentials import Cloud
from ringpost.domain.endpoints import Endpoint, GmailEndpoint, GraphEndpoint, SmtpEndpoint
from ringpost.domain.hosts import parse_host
from ringpost.domain.retries import RetryPolicy
from ringpost.domain.secrets import Secret
from ringpost.domain.server_rules import ServerRules
from ringpost.storage.database import open_database
from ringpost.storage.engines import database_file
from ringpost.storage.keyring import KeyRing
from ringpost.storage.resealing import check_keys, is_proven, leave_proof
from ringpost.storage.sealing import Sealer
from ringpost.transports import Transport
from ringpost.transports.doctor import DnsServers, Doctor
from ringpost.transports.egress import EgressRules
from ringpost.transports.gmail import gmail
from ringpost.transports.microsoft365 import microsoft365
from ringpost.transports.oauth import Authorities, microsoft
from ringpost.transports.pacing import Allowance, Pace, Paces
from ringpost.transports.providers import KEPT, ProviderOptions, Providers
from ringpost.transports.smtp import SmtpOptions, SmtpTransport
from ringpost.transports.smtp.sockets import PLENTY, Sockets
from ringpost.transports.web import WebOptions
from ringpost.usecases.room import OpenTransport, Options, PaceOf, Room
from ringpost.usecases.trace import Trace
from ringpost.worker import Host, HostWatch, Worker, WorkerOptions

if TYPE_CHECKING:  # it takes half of the time that a command takes to start
    from fastapi import FastAPI

    from ringpost.api.express import Express

OTHER_FILES = 64
"""File descriptors that are neither for mail servers nor for clients: the database, files, what is listened on."""
POLL_WITH_BELL_S = 1.0
"""How often a worker looks for due mail when it is told of what is new; nobody tells it when a retry is due."""


@asynccontextmanager
async def open_room(config: Config, *, traced: bool = False, make: bool = True) -> AsyncGenerator[Room]:
    """The room with its database open; made on the first start. Raises StorageUnavailable, KeyRingError, ValueError.

    `make`: without it, NothingThere is raised where there is no database yet.
    `traced`: keep traces, if the operator wants them; for what serves, as no command makes any.
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
        options = _smtp_options(config, providers := Providers(_provider_options(config)))
        examine = Doctor(options, DnsServers(config.name_servers)).examine
        opener, pace_of = _opener(options, providers), _pace_of(Paces(config.paces), providers)
        room = Room(database, sealer, clock, opener, _options(config), examine, pace_of, traces)
        database.on_ring(room.bell.ring)
        yield room
    finally:
        await database.close()
        if traces is not None:
            await traces.close()


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
    from ringpost.api.app import create_app  # noqa: PLC0415  half of the time that a command takes to start
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


def worker(room: Room, config: Config, *, of: int = 1) -> Worker:
    """One of so many workers of this process, ready to run. It has fewer slots than asked for where sockets are few."""
    # Half of the sockets: connections that are kept without work, or are a server's second, take some too.
    slots = min(config.slots, max(64, _sockets_for_mail() // 2 // of))
    options = WorkerOptions(slots=slots, lease_s=config.lease_seconds, presence=_presence(config))
    if room.database.dialect == "postgresql":  # where the bell is heard from every machine
        options = replace(options, poll_s=POLL_WITH_BELL_S)
    return Worker(room, options)


def host_watch(room: Room, config: Config) -> HostWatch:
    """Watches this machine, ready to run."""
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


def _smtp_options(config: Config, providers: Providers) -> SmtpOptions:
    return SmtpOptions(
        ehlo_name=config.introduced_as,
        ca_file=str(config.mail_ca_file) if config.mail_ca_file else None,
        connections=config.connections_per_server,
        clear_login=config.allow_clear_login,
        egress=EgressRules(allowed=config.allowed_networks, extra_ports=config.extra_ports),
        tokens=providers.tokens,
        sockets=Sockets(_sockets_for_mail()),
    )


def sockets_for_clients() -> int:
    """How many clients of the API may be connected: nearly half of the file descriptors, so that mail has the other."""
    limit = _most_files()
    return max(limit // 2 - OTHER_FILES, limit // 4)


def _sockets_for_mail() -> int:
    """How many connections to mail servers this process may have; the rest is for clients, the database and files."""
    limit = _most_files()
    return max(limit // 2, limit - 2048)


def _most_files() -> int:
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return PLENTY if limit == resource.RLIM_INFINITY else limit


def _opener(options: SmtpOptions, providers: Providers) -> OpenTransport:
    def open_transport(
        endpoint: Endpoint,
        *,
        overall_s: float | None = None,
        urgent: bool = False,
        beside: Collection[Transport] = (),
    ) -> Transport:
        if isinstance(endpoint, GraphEndpoint):
            return microsoft365(endpoint, providers, overall_s=overall_s, urgent=urgent)
        if isinstance(endpoint, GmailEndpoint):
            return gmail(endpoint, providers, overall_s=overall_s, urgent=urgent)
        its = options
        if overall_s is not None:
            its = replace(options, deadlines=replace(options.deadlines, overall=overall_s))
        return SmtpTransport(endpoint, its, urgent=urgent, beside=beside)

    return open_transport


def _pace_of(paces: Paces, providers: Providers) -> PaceOf:
    def pace_of(endpoint: Endpoint) -> Pace | None:
        return paces.of(endpoint.host) if isinstance(endpoint, SmtpEndpoint) else providers.pace_of(endpoint)

    return pace_of


def _provider_options(config: Config) -> ProviderOptions:
    at_once, a_minute = config.microsoft_requests_at_once, config.microsoft_messages_per_minute
    return ProviderOptions(
        web=WebOptions(ca_file=str(config.mail_ca_file) if config.mail_ca_file else None),
        authorities=Authorities(
            {**microsoft.AUTHORITIES, Cloud.GLOBAL: config.microsoft_authority_url}, config.google_token_url
        ),
        graphs={**microsoft.GRAPHS, Cloud.GLOBAL: config.microsoft_graph_url},
        gmail=config.gmail_api_url,
        graph_allowance=Allowance(at_once, ((a_minute, 60), (config.microsoft_requests_per_10_minutes, 600)), KEPT),
        gmail_allowance=Allowance(config.gmail_requests_at_once, ((config.gmail_messages_per_minute, 60),), KEPT),
    )
