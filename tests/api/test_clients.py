"""How many clients may be connected at once."""

from collections.abc import AsyncIterator

import pytest
from fastapi import FastAPI
from structlog.testing import capture_logs
from tests.api.conftest import served
from tests.api.test_server import Streams, answer, connect
from tests.patience import patience

from ringpost.api.express import express_past

MOST = 3
BEGUN = b"GET /healthz HTTP/1.1\r\n"
END = b"Host: x\r\n\r\n"


@pytest.fixture
async def crowded(app: FastAPI) -> AsyncIterator[str]:
    """The URL of an API that has few clients at once."""
    async with served(app, express_past(app), most_clients=MOST) as url:
        yield url


async def begins(url: str) -> Streams:
    """Somebody in the middle of a request, of which the server knows."""
    reader, writer = await connect(url)
    writer.write(BEGUN + END + BEGUN)
    await answer(reader)
    return reader, writer


async def test_one_too_many_takes_the_place_of_who_asks_for_nothing(crowded: str) -> None:
    busy = [await begins(crowded) for _ in range(MOST - 1)]
    idle = await connect(crowded)
    with capture_logs() as logs:
        late = await connect(crowded)
        await is_hung_up_on(idle)
        await ends_well(late, BEGUN + END)
    assert [entry["event"] for entry in logs if entry["log_level"] == "warning"] == ["too_many_clients"]
    for one in busy:
        await ends_well(one, END)


async def test_where_everybody_asks_for_something_there_is_no_room_for_one_more(crowded: str) -> None:
    busy = [await begins(crowded) for _ in range(MOST)]
    await is_hung_up_on(await connect(crowded))
    for one in busy:
        await ends_well(one, END)


async def is_hung_up_on(client: Streams) -> None:
    reader, writer = client
    async with patience(10):
        assert await reader.read() == b""
    writer.close()


async def ends_well(client: Streams, rest: bytes) -> None:
    reader, writer = client
    writer.write(rest)
    assert (await answer(reader)).startswith(b"HTTP/1.1 200 ")
    writer.close()
