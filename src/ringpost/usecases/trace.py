"""What a trace is told of: the Protocol that a room keeps one by (docs/operating.md, Traces)."""

from collections.abc import Sequence
from typing import Protocol

from ringpost.domain.events import Event, SkipReason
from ringpost.storage.outcomes import Recorded


class Trace(Protocol):
    """Shows elsewhere where events have been. It is told afterwards, never waits, and never raises."""

    def accepted(self, event: Event, deliveries: Sequence[str], skipped: SkipReason | None) -> None:
        """An event was accepted for the first time, with these deliveries, or with none for this reason."""
        ...

    def attempted(self, recorded: Recorded) -> None:
        """An attempt was made and recorded."""
        ...
