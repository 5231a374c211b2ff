"""Posting events."""

from typing import Any

import httpx


async def post(client: httpx.AsyncClient, **fields: Any) -> httpx.Response:
    """Post one event; of a type that is always on unless told otherwise."""
    return await client.post("/events", json={"type": "TRUNK_CONNECTED", "variables": {"TRUNK_NAME": "East"}, **fields})


def codes(answer: httpx.Response) -> list[str]:
    """The codes of an error."""
    return [error["code"] for error in answer.json()["errors"]]
