"""Waiting for what must come, so that who reads of a failure knows what did not."""

import asyncio
import linecache
import traceback
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

_HERE = Path(__file__)


@asynccontextmanager
async def patience(seconds: float) -> AsyncGenerator[None]:
    """As `asyncio.timeout`, but its TimeoutError says what was still waited for: the line that stood in the block."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError as error:
        raise TimeoutError(f"waited {seconds:g} s at {_waiting_line(error)}") from error


def _waiting_line(error: TimeoutError) -> str:
    """The first line of a test, or of a test's tools, that was cancelled."""
    cancelled = error.__cause__ or error
    for frame in traceback.walk_tb(cancelled.__traceback__):
        path = Path(frame[0].f_code.co_filename)
        if path != _HERE and path.is_relative_to(_HERE.parent):
            line = linecache.getline(str(path), frame[1]).strip()
            return f"{path.relative_to(_HERE.parent)}:{frame[1]}: {line}"
    return "a line outside of the tests"
