"""What waits to be written while a commit is under way."""

from collections.abc import Sequence

from ringpost.storage.groups import Job
from ringpost.usecases.room import Room


def next_commit(room: Room) -> Sequence[Job]:
    """The jobs that will be in it."""
    return list(room.database._waiting)  # pyright: ignore[reportPrivateUsage]
