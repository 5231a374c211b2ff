"""How long others on the event loop wait while something is done."""

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager


@asynccontextmanager
async def turns_of_others() -> AsyncGenerator[list[float]]:
    """Seconds from turn to turn of somebody who always wants the next one."""
    gaps: list[float] = []

    async def take_turns() -> None:
        before = time.perf_counter()
        while True:
            await asyncio.sleep(0)
            gaps.append(time.perf_counter() - before)
            before = time.perf_counter()

    other = asyncio.create_task(take_turns())
    try:
        yield gaps
    finally:
        other.cancel()
