"""The loop that empties the outbox (claim by queue, deliver, record), the sweeping that goes with it, and the host."""

from ringpost.worker.host import Host, HostWatch
from ringpost.worker.loop import Worker
from ringpost.worker.options import WorkerOptions

__all__ = ["Host", "HostWatch", "Worker", "WorkerOptions"]
