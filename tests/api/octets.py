"""What is sent as it is, and what comes back."""

import asyncio
from urllib.parse import urlsplit

import httpx


def code_of(answer: httpx.Response) -> str:
    """The code of the first error."""
    code: str = answer.json()["errors"][0]["code"]
    return code


async def raw(url: str, *pieces: bytes, end: bool = True) -> bytes:
    """What the server answers to these very octets."""
    target = urlsplit(url)
    reader, writer = await asyncio.open_connection(target.hostname, target.port)
    for piece in pieces:
        writer.write(piece)
        await writer.drain()
        await asyncio.sleep(0.05 if len(pieces) > 1 else 0)
    answer = await reader.readuntil(b"\r\n\r\n")
    length = int(answer.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    answer += await reader.readexactly(length)
    if not end:
        assert await reader.read() == b""
    writer.close()
    await writer.wait_closed()
    return answer
