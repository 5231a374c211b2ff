"""Re-encrypt with the current key all that older keys have sealed; after that, they can be taken out of the ring."""

from dataclasses import dataclass

from ringpost.storage import resealing
from ringpost.usecases.room import Room


@dataclass(frozen=True, slots=True)
class Resealed:
    """What was done. While `broken` is not zero, an old key may still be missed: those values opened with none."""

    resealed: int
    broken: int


async def reseal(room: Room) -> Resealed:
    """Go through every sealed column in bites. It can be cut short at any time and begun again."""
    resealed = broken = 0
    for column in resealing.SEALED:
        after = ""
        while bite := await room.database.read(resealing.find_stale, room.sealer, column, after):
            after = bite[-1].row
            done = await room.database.write(resealing.reseal, room.sealer, column, bite)
            resealed += done.resealed
            broken += done.broken
    return Resealed(resealed, broken)
