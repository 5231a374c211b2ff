"""docs/openapi.json, from the routes."""

import asyncio
import json
import tempfile
from pathlib import Path
from typing import Any

import httpx

from ringpost import wiring
from ringpost.config import Config


def page() -> str:
    """The OpenAPI document, as GET /openapi.json answers it."""
    return json.dumps(asyncio.run(_document()), indent=2, ensure_ascii=False) + "\n"


async def _document() -> Any:
    with tempfile.TemporaryDirectory() as folder:
        config = Config(data_dir=Path(folder), database_url=None, keys=None, admin_token=None)
        async with wiring.open_room(config) as room:
            transport = httpx.ASGITransport(wiring.site(room, config).app)
            async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
                return (await client.get("/openapi.json")).raise_for_status().json()
