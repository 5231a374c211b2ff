"""Run until told to stop: the API and workers in one process, or workers alone.

The first SIGTERM or SIGINT stops it gently: nothing new is taken on, and what is in hand ends. A second one ends the
process at once, which loses nothing either: what was acknowledged is on disk.
"""

import asyncio
import contextlib
import errno
import gc
import os
import signal
import socket
from collections.abc import Callable, Coroutine, Generator
from types import FrameType
from typing import TYPE_CHECKING, Any, Final, cast

import structlog
import uvicorn
import uvloop

from ringpost import descriptors, service_manager, wiring
from ringpost.config import Config
from ringpost.usecases.room import Room

if TYPE_CHECKING:  # commands that do not serve start sooner without it
    from ringpost.worker import HostWatch, Worker

BACKLOG: Final = 2048
"""Connections that wait to be accepted; a phone system that reconnects all at once must not be refused."""
GARBAGE: Final = (20_000, 20, 50)
"""Objects between two looks for cycles, young ones between two of older ones: hardly anything of ours is in a cycle."""

_log = structlog.get_logger("ringpost.serving")


class ApiServer(uvicorn.Server):
    """Leaves signals to whoever runs it, because the workers have to hear of them too."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Nothing to capture."""
        yield

    def stop(self) -> None:
        """Accept nothing more; `serve` returns when what is in hand has been answered."""
        self.should_exit = True


def run(main: Coroutine[Any, Any, None]) -> None:
    """Run to the end on uvloop, with as many file descriptors as the system lets us have."""
    descriptors.raise_limit()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main)


def spare_garbage_collector() -> None:
    """What is there before the first request stays for good, so that nobody needs to look through it again and again.

    Without this, looking costs a tenth of all CPU time under load.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GARBAGE)


def listen(host: str, port: int, setting: str = "RINGPOST_HOST") -> socket.socket:
    """A socket to serve on; port 0 takes a free one. Raises OSError with the address in its text.

    `setting` is where the host comes from, for who has to change it.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise OSError(error.errno, f"Cannot listen on {host} ({setting}): {error.strerror or error}") from None
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        where = f"{host} ({setting})" if error.errno == errno.EADDRNOTAVAIL else f"{host} port {port}"
        raise OSError(error.errno, f"Cannot listen on {where}: {error.strerror}") from None
    return listener


def url_of(listener: socket.socket) -> str:
    """Where a listening socket is reached from this machine."""
    return url_at(*cast("tuple[str, int]", listener.getsockname()[:2]))


def url_at(host: str, port: int) -> str:
    """Where what listens there is reached from this machine."""
    shown = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  compared, not bound
    return f"http://[{shown}]:{port}" if ":" in shown else f"http://{shown}:{port}"


def api_server(room: Room, config: Config) -> ApiServer:
    """The API, ready to `serve(sockets=[...])`."""
    from ringpost.api.server import server_config  # noqa: PLC0415  commands that do not serve start sooner without it

    site = wiring.site(room, config)
    answering = server_config(
        site.app,
        config.host,
        config.port,
        trusted_proxies=config.trusted_proxies,
        express=site.express,
        most_clients=descriptors.for_clients(),
    )
    return ApiServer(answering)


def metrics_server(room: Room, config: Config) -> ApiServer:
    """The metrics of a process without an API, ready to `serve(sockets=[...])`."""
    from ringpost.api.metrics import create_metrics_app  # noqa: PLC0415  most workers show none
    from ringpost.api.server import server_config  # noqa: PLC0415

    app, most_clients = create_metrics_app(room), descriptors.for_clients()
    return ApiServer(server_config(app, config.metrics_host, config.metrics_port or 0, most_clients=most_clients))


async def serve(room: Room, config: Config, listener: socket.socket) -> None:
    """The API on `listener` and `config.workers` workers beside it, until a signal."""
    api = api_server(room, config)
    workers = workers_of(room, config, config.workers)
    watch = wiring.host_watch(room, config)
    with stopping_on_signals(lambda: _stop(api, *workers, watch)):
        async with asyncio.TaskGroup() as group:
            for part in (*workers, watch):
                group.create_task(part.run())
            spare_garbage_collector()
            _log.info("serving", url=url_of(listener), workers=len(workers))
            service_manager.notify("READY=1")
            await api.serve(sockets=[listener])
            _stop(*workers, watch)  # also when the API ended by itself
    _log.info("stopped")


async def work(room: Room, config: Config) -> None:
    """One worker without an API, until a signal. It shows its metrics where the operator wants that."""
    (worker,), watch = workers_of(room, config, 1), wiring.host_watch(room, config)
    with contextlib.ExitStack() as stack:
        parts: list[Worker | HostWatch | ApiServer] = [worker, watch]
        async with asyncio.TaskGroup() as group:
            if config.metrics_port is not None:
                listener = stack.enter_context(
                    listen(config.metrics_host, config.metrics_port, "RINGPOST_METRICS_HOST")
                )
                metrics = metrics_server(room, config)
                parts.append(metrics)
                group.create_task(metrics.serve(sockets=[listener]))
                _log.info("metrics_shown", url=f"{url_of(listener)}/metrics")
            stack.enter_context(stopping_on_signals(lambda: _stop(*parts)))
            group.create_task(watch.run())
            spare_garbage_collector()
            service_manager.notify("READY=1")
            await worker.run()
            _stop(*parts)


def workers_of(room: Room, config: Config, count: int) -> "list[Worker]":
    """The workers of this process, ready to run; says so when they have fewer slots than the operator wants."""
    workers = [wiring.worker(room, config, of=count) for _ in range(count)]
    if workers and workers[0].slots < config.slots:
        hint = "each mail in hand may take a file descriptor: raise their limit (LimitNOFILE), or run fewer workers"
        _log.warning("fewer_slots", asked=config.slots, slots=workers[0].slots, workers=count, hint=hint)
    return workers


@contextlib.contextmanager
def stopping_on_signals(stop: Callable[[], None]) -> Generator[None, None, None]:
    """Call `stop` at the first SIGTERM or SIGINT; a second one has its usual effect."""
    loop = asyncio.get_running_loop()
    numbers = (signal.SIGTERM, signal.SIGINT)

    def on_signal(number: int, _frame: FrameType | None) -> None:
        for each in numbers:
            signal.signal(each, _quit)
        loop.call_soon_threadsafe(stopping, signal.Signals(number).name)

    def stopping(name: str) -> None:  # on the loop: a handler interrupts anything, also somebody who is writing a log
        stop()
        service_manager.notify("STOPPING=1")
        _log.info("stopping", signal=name, hint="once more to quit at once")

    before = {number: signal.signal(number, on_signal) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _quit(number: int, _frame: FrameType | None) -> None:
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


def _stop(*parts: "ApiServer | Worker | HostWatch") -> None:
    for part in parts:
        part.stop()
