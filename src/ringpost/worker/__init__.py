"""The loop that empties the outbox: claim by queue, deliver, record; and the sweeping that goes with it."""

from ringpost.worker.loop import Worker, WorkerOptions

__all__ = ["Worker", "WorkerOptions"]
