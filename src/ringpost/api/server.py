"""The HTTP server: uvicorn, with protocols of our own."""

from functools import partial
from math import inf
from typing import Final, cast

import uvicorn
from starlette.types import ASGIApp

from ringpost.api.bounded_protocol import IDLE_S, BoundedProtocol
from ringpost.api.clients import Clients
from ringpost.api.express import Express
from ringpost.api.express_protocol import ExpressProtocol

STOP_S: Final = 30
"""How long a server that stops waits for the requests that have begun."""


def server_config(
    app: ASGIApp,
    host: str,
    port: int,
    *,
    trusted_proxies: str = "",
    express: Express | None = None,
    most_clients: float = inf,
) -> uvicorn.Config:
    """How an HTTP server is run that answers for `app`.

    `trusted_proxies`: whose X-Forwarded-For is believed, comma-separated. `express`: who answers what it takes, past
    `app`. `most_clients`: connections at once.
    """
    clients = Clients(most_clients)
    protocol = (
        partial(ExpressProtocol, express=express, clients=clients)
        if express
        else partial(BoundedProtocol, clients=clients)
    )
    return uvicorn.Config(
        app,
        host,
        port,
        http=cast("type[BoundedProtocol]", protocol),
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(trusted_proxies),
        forwarded_allow_ips=trusted_proxies or None,
        timeout_keep_alive=IDLE_S,
        timeout_graceful_shutdown=STOP_S,
    )
