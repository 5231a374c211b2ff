"""How many clients may be connected at once. What they take of the file descriptors is not there for mail."""

from collections.abc import Collection
from itertools import islice
from math import inf
from typing import Final, Protocol

import structlog

LOOKED_AT: Final = 1_000
"""Connections that are looked at for one to end: who connects again and again must not cost more each time."""
TELL_EVERY_S: Final = 60.0

_log = structlog.get_logger("ringpost.api")


class Client(Protocol):
    """A connection."""

    @property
    def idle(self) -> bool:
        """Nothing of a request has come, and no answer is due."""
        ...

    def hang_up(self) -> None:
        """End it."""


class Clients:
    """Of one server."""

    def __init__(self, most: float = inf) -> None:
        self._most = most
        self._tell_from = 0.0

    def came(self, client: Client, connected: Collection[Client], now: float) -> None:
        """One more is connected, itself among them: where that is one too many, one without a request goes.

        When there is none, it is the one that has come. `now` in seconds, by any clock that only goes forward.
        """
        if len(connected) <= self._most:
            return
        if now >= self._tell_from:
            self._tell_from = now + TELL_EVERY_S
            hint = "raise the limit of file descriptors (LimitNOFILE), or see who keeps so many connections open"
            _log.warning("too_many_clients", most=self._most, hint=hint)
        others = (one for one in islice(connected, LOOKED_AT) if one is not client and one.idle)
        next(others, client).hang_up()
