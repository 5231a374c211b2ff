"""Ends test servers so that nothing of them outlives their test.

`Server.close` only stops listening (before Python 3.13 nothing more is to be had), and a connection that is still open
when the loop ends is complained about in whatever test runs next.
"""

import asyncio
import contextlib
from collections.abc import Iterable

_TURNS = 20
"""Of the loop: enough for what was aborted, accepted or half shaken hands with to be over."""


async def end(server: asyncio.AbstractServer, transports: Iterable[asyncio.BaseTransport | None] = ()) -> None:
    """Stop listening, hang up on everybody, and let the loop take note of it."""
    server.close()
    for transport in list(transports):
        if isinstance(transport, asyncio.WriteTransport):
            with contextlib.suppress(AttributeError):  # of TLS that is over already, before Python 3.11.3
                transport.abort()
    for _ in range(_TURNS):
        await asyncio.sleep(0)
