"""GET /healthz (the process lives) and GET /readyz (it can store events)."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ringpost.storage import standing
from ringpost.usecases.room import Room


async def healthz(_request: Request) -> Response:
    """200 as long as the process answers at all."""
    return JSONResponse({"status": "ok"})


async def readyz(request: Request) -> Response:
    """200 when a write goes through to the disk; 503 STORAGE_UNAVAILABLE otherwise."""
    room: Room = request.app.state.room
    await room.database.write(standing.touch)
    return JSONResponse({"status": "ok"})


routes = [
    Route("/healthz", healthz, methods=["GET"]),
    Route("/readyz", readyz, methods=["GET"]),
]
