"""Report work: that a worker is alive, and what became of its attempts, for `ringpost status`."""

from ringpost.storage import workers
from ringpost.storage.workers import SignOfLife, Tally
from ringpost.usecases.room import Room


async def report_work(room: Room, sign: SignOfLife, tally: Tally) -> None:
    """Write a sign of life, and add to the tally. Raises StorageUnavailable."""
    await room.database.write(workers.report, room.clock(), sign, tally)


async def sign_off(room: Room, worker: str) -> None:
    """Say that a worker has stopped. Raises StorageUnavailable."""
    await room.database.write(workers.sign_off, worker)
