"""How much a worker takes on, and how often it looks."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class WorkerOptions:
    """How much a worker takes on; times in seconds."""

    slots: int = 8192
    """What it has in hand at once: a mail takes one for every 16 KiB. A tenth is kept for class emergency."""
    lease_s: float = 60
    """When it has not renewed its claims for so long, another worker takes over what it had in hand."""
    poll_s: float = 0.25
    """How often to look for what other processes put into the outbox."""
    sweep_s: float = 5
    """How often to look for what has lapsed or expired, and to purge."""
    grace_s: float = 20
    """How long a stopping worker waits for what is in hand."""
    presence: Path | None = None
    """Folder where the workers of this machine show that they are alive."""
