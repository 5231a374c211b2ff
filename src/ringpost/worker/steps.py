"""How a worker takes its steps: whatever goes wrong in one, the next is taken."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from ringpost.errors import StorageUnavailable
from ringpost.worker.metrics import observe_error

_log = structlog.get_logger("ringpost.worker")


async def safely(step: Callable[[], Awaitable[bool]]) -> bool:
    """What the step says; False, after a second, when it failed.

    That the database is away is not logged here: whoever writes says so already.
    """
    try:
        return await step()
    except StorageUnavailable:
        await asyncio.sleep(1)
    except Exception:  # noqa: BLE001  the worker is the last to give up
        _log.exception("worker_step_failed", step=step.__name__)
        observe_error()
        await asyncio.sleep(1)
    return False
