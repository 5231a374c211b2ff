"""GET /healthz (the process lives) and GET /readyz (it can store events)."""

from sqlalchemy import Connection, text
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ringpost.usecases.room import Room


async def healthz(_request: Request) -> Response:
    """200 as long as the process answers at all."""
    return JSONResponse({"status": "ok"})


async def readyz(request: Request) -> Response:
    """200 when a write goes through to the disk; 503 STORAGE_UNAVAILABLE otherwise."""
    room: Room = request.app.state.room
    await room.database.write(_touch)
    return JSONResponse({"status": "ok"})


def _touch(connection: Connection) -> None:
    """Write the one row that is always there, as it is: an update that finds no row writes nothing."""
    connection.execute(text("UPDATE changes SET count = count"))


routes = [
    Route("/healthz", healthz, methods=["GET"]),
    Route("/readyz", readyz, methods=["GET"]),
]
