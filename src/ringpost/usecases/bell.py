"""The bell of one process: rung when there may be something to do for its workers."""

import asyncio


class Bell:
    """Each who listens knows how far it has heard, so that no ring is lost because somebody else has heard it too."""

    def __init__(self) -> None:
        self.rings = 0
        """How often it has been rung."""
        self._again = asyncio.Event()

    def ring(self) -> None:
        """Ring."""
        self.rings += 1
        self._again.set()

    async def wait(self, heard: int) -> None:
        """Wait until it has been rung more often than `heard`."""
        if self.rings == heard:
            self._again.clear()
            await self._again.wait()
