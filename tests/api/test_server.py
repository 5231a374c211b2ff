"""The HTTP server over a real socket: what clients may send, and how long they may take."""

import asyncio
import contextlib
import http.client
import re
import socket
import time
from urllib.parse import urlsplit

import pytest
from structlog.testing import capture_logs

from ringpost.api.http_rules import MAX_HEADERS

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def connect(url: str) -> Streams:
    target = urlsplit(url)
    return await asyncio.open_connection(target.hostname, target.port)


async def answer(reader: asyncio.StreamReader) -> bytes:
    """One whole answer."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    return head + await reader.readexactly(length)


async def test_headers_are_counted_anew_for_each_request_of_a_connection(live: str) -> None:
    reader, writer = await connect(live)

    for _ in range(4):
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Padding: " + b"x" * (MAX_HEADERS // 2) + b"\r\n\r\n")
        assert (await answer(reader)).startswith(b"HTTP/1.1 200 ")
    writer.close()


async def test_requests_sent_ahead_are_answered_in_order(live: str) -> None:
    reader, writer = await connect(live)

    writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET /nothing HTTP/1.1\r\nHost: x\r\n\r\n" * 2)

    assert [(await answer(reader)).split(b" ")[1] for _ in range(4)] == [b"200", b"404", b"200", b"404"]
    writer.close()


@pytest.mark.parametrize("pieces", [1, 3, 400], ids=["whole", "in three", "octet by octet"])
@pytest.mark.parametrize("wish", [b"Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABk",
                                  b"Connection: upgrade\r\nUpgrade: websocket"], ids=["h2c", "websocket"])  # fmt: skip
async def test_who_would_like_another_protocol_is_answered_in_this_one(
    live: str, acme_token: str, wish: bytes, pieces: int
) -> None:
    reader, writer = await connect(live)
    body = b'{"type":"DISK_LOW"}'
    head = b"POST /events HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nAuthorization: Bearer "
    head += acme_token.encode() + b"\r\n" + wish + b"\r\nContent-Length: %d\r\n\r\n" % len(body)
    sent = (head + body) * 3 + b"GET /healthz HTTP/1.1\r\nHost: x\r\n" + wish + b"\r\n\r\n"

    size = -(-len(sent) // pieces)
    for start in range(0, len(sent), size):
        writer.write(sent[start : start + size])
        await writer.drain()
        await asyncio.sleep(0)

    assert [(await answer(reader)).split(b" ")[1] for _ in range(4)] == [b"202", b"202", b"202", b"200"]
    writer.close()


async def test_a_body_is_never_read_as_a_request(live: str, acme_token: str) -> None:
    reader, writer = await connect(live)
    body = b"GET /tenant/notification HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %b\r\n\r\n" % acme_token.encode()
    head = (
        b"POST /events HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n"
    )
    writer.write(head + b"Authorization: Bearer %b\r\nContent-Length: %d\r\n\r\n" % (acme_token.encode(), len(body)))
    await asyncio.sleep(0.05)
    writer.write(body + b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")

    answers = await reader.read()

    assert re.findall(rb"HTTP/1.1 (\d+)", answers) == [b"400", b"200"]
    writer.close()


async def test_there_is_nothing_to_connect_to(live: str) -> None:
    reader, writer = await connect(live)
    writer.write(b"CONNECT mail.example.com:25 HTTP/1.1\r\nHost: mail.example.com:25\r\n\r\nQUIT\r\n")
    assert (await reader.read()).startswith(b"HTTP/1.1 400 ")
    writer.close()


async def test_an_answer_comes_in_one_piece(live: str) -> None:
    """Two would be two calls to the system, and wake the client up twice."""
    target = urlsplit(live)

    def ask_many_times() -> None:
        with socket.create_connection((target.hostname, target.port)) as client:
            for _ in range(100):
                client.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
                head, _, body = client.recv(65536).partition(b"\r\n\r\n")
                assert body, head

    await asyncio.to_thread(ask_many_times)


async def test_the_last_answer_of_a_connection_is_whole(live: str) -> None:
    reader, writer = await connect(live)

    writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")

    whole = await reader.read()
    assert (
        int(whole.lower().split(b"content-length: ")[1].split(b"\r\n")[0]) == len(whole.partition(b"\r\n\r\n")[2]) > 0
    )
    writer.close()


async def test_a_head_that_comes_in_drops_is_431_once_it_is_too_large(live: str) -> None:
    reader, writer = await connect(live)
    writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n")

    for number in range(16):
        writer.write(b"X-Header-%d: " % number + b"x" * 1020 + b"\r\n")
        await writer.drain()
        await asyncio.sleep(0.001)

    assert (await answer(reader)).startswith(b"HTTP/1.1 431 ")
    writer.close()


@pytest.mark.parametrize(("trailer", "status"), [(0, b"401"), (1, b"415")], ids=["Authorization", "Content-Type"])
async def test_what_stands_behind_a_body_is_no_header(live: str, acme_token: str, trailer: int, status: bytes) -> None:
    reader, writer = await connect(live)
    fields = [b"Authorization: Bearer " + acme_token.encode(), b"Content-Type: application/json"]
    behind = fields.pop(trailer)
    chunks = b'13\r\n{"type":"DISK_LOW"}\r\n0\r\n' + behind + b"\r\n\r\n"
    head = [b"POST /events HTTP/1.1", b"Host: x", *fields, b"Transfer-Encoding: chunked"]

    writer.write(b"\r\n".join([*head, b"", chunks]))

    assert (await answer(reader)).split(b" ")[1] == status
    writer.close()


async def test_a_body_with_a_trailer_is_taken_and_so_is_the_next_request(live: str, acme_token: str) -> None:
    reader, writer = await connect(live)
    head = b"POST /events HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nAuthorization: Bearer "
    head += acme_token.encode() + b"\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n"

    writer.write((head + b'13\r\n{"type":"DISK_LOW"}\r\n0\r\nX-Sum: 1\r\n\r\n') * 2)

    assert [(await answer(reader)).split(b" ")[1] for _ in range(2)] == [b"202", b"202"]
    writer.close()


@pytest.mark.parametrize("begun", [b"0\r\nX-Padding: ", b"2;padding="], ids=["trailer", "chunk"])
async def test_what_goes_with_a_body_is_431_once_it_is_too_large(live: str, acme_token: str, begun: bytes) -> None:
    reader, writer = await connect(live)
    head = b"POST /events HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nAuthorization: Bearer "
    writer.write(head + acme_token.encode() + b"\r\nTransfer-Encoding: chunked\r\n\r\n" + begun)

    for _ in range(17):
        writer.write(b"x" * 1024)
        await writer.drain()
        await asyncio.sleep(0.001)

    assert (await asyncio.wait_for(answer(reader), 10)).startswith(b"HTTP/1.1 431 ")
    writer.close()


async def test_a_request_that_has_its_answer_gets_no_second_one(live: str) -> None:
    reader, writer = await connect(live)
    writer.write(b"POST /nothing HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
    assert (await answer(reader)).startswith(b"HTTP/1.1 404 ")

    writer.write(b"nonsense\r\n")

    assert await asyncio.wait_for(reader.read(), 10) == b""
    writer.close()


@pytest.mark.parametrize("ahead", [1, 3])
@pytest.mark.parametrize("known", [False, True], ids=["read by the parser", "by the express way"])
async def test_a_body_that_goes_on_behind_its_length_does_not_take_the_answer_away(
    live: str, acme_token: str, ahead: int, *, known: bool
) -> None:
    reader, writer = await connect(live)
    body = '{"type":"DISK_LOW","variables":{"FREE_SIZE":"für alle zu groß"}}'
    head = f"POST /events HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    head += f"Authorization: Bearer {acme_token}\r\n\r\n"
    whole = head + body.encode("ascii", "replace").decode()
    if known:
        for _ in range(2):  # its token, and its head
            writer.write(whole.encode())
            assert (await answer(reader)).startswith(b"HTTP/1.1 202 ")

    writer.write(whole.encode() * (ahead - 1) + (head + body).encode())

    answers = [await answer(reader) for _ in range(ahead)]
    assert [one.split(b" ")[1] for one in answers] == [b"202"] * (ahead - 1) + [b"400"]
    assert b"MALFORMED_JSON" in answers[-1]
    assert b"connection: close" in answers[-1].lower()
    assert await asyncio.wait_for(reader.read(), 10) == b""
    writer.close()


@pytest.mark.parametrize("path", ["/events", "/tenant/notification"])
async def test_a_length_may_have_zeros_before_it(live: str, acme_token: str, path: str) -> None:
    reader, writer = await connect(live)
    head = (
        f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nAuthorization: Bearer {acme_token}\r\n"
    )

    for zeros in (0, 0, 3, 5000):
        writer.write(f"{head}Content-Length: {'0' * zeros}2\r\n\r\n{{}}".encode())
        assert (await answer(reader)).startswith(b"HTTP/1.1 422 ")
    writer.close()


async def test_what_comes_behind_what_is_no_http_is_not_read(live: str, acme_token: str) -> None:
    reader, writer = await connect(live)
    get = b"GET /tenant/notification HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %b\r\n\r\n" % acme_token.encode()

    writer.write(get + b"nonsense\r\n\r\n")
    await writer.drain()
    writer.write(get)

    assert (await answer(reader)).startswith(b"HTTP/1.1 200 ")
    assert await asyncio.wait_for(reader.read(), 10) == b""
    writer.close()


async def test_a_body_in_many_small_chunks_is_taken(live: str, acme_token: str) -> None:
    reader, writer = await connect(live)
    head = b"POST /events HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nAuthorization: Bearer "
    body = b'{"type": "DISK_LOW"}'.ljust(MAX_HEADERS)

    writer.write(head + acme_token.encode() + b"\r\nTransfer-Encoding: chunked\r\n\r\n")
    for start in range(0, len(body), 1024):
        writer.write(b"".join(b"1\r\n%c\r\n" % octet for octet in body[start : start + 1024]))
        await writer.drain()
    writer.write(b"0\r\n\r\n")

    assert (await answer(reader)).startswith(b"HTTP/1.1 202 ")
    writer.close()


@pytest.mark.parametrize("begun", [b"", b"GET /heal", b"GET /healthz HTTP/1.1\r\nHost: x\r\n"])
async def test_a_head_that_does_not_end_is_hung_up_on(live: str, monkeypatch: pytest.MonkeyPatch, begun: bytes) -> None:
    monkeypatch.setattr("ringpost.api.bounded_protocol.HEAD_S", 0.2)
    reader, writer = await connect(live)
    writer.write(begun)
    started = time.monotonic()

    assert await asyncio.wait_for(reader.read(), 5) == b""

    assert time.monotonic() - started >= 0.1
    writer.close()


async def test_a_body_that_does_not_end_is_hung_up_on(
    live: str, acme_token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ringpost.api.bounded_protocol.BODY_S", 0.2)
    reader, writer = await connect(live)
    head = f"POST /events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {acme_token}\r\n".encode()

    writer.write(head + b'Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{"type":')

    assert await asyncio.wait_for(reader.read(), 5) == b""
    writer.close()


async def test_a_client_that_hangs_up_in_mid_body_is_no_fault_of_ours(live: str, acme_token: str) -> None:
    _, writer = await connect(live)
    head = f"POST /events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {acme_token}\r\n".encode()

    with capture_logs() as logs:
        writer.write(head + b'Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{"type":')
        await writer.drain()
        await asyncio.sleep(0.1)
        writer.close()
        async with asyncio.timeout(10):
            while not logs:
                await asyncio.sleep(0.01)

    assert [(log["event"], log["log_level"]) for log in logs] == [("client_hung_up", "info")]


async def test_a_body_that_ends_in_time_is_taken_however_slowly_it_is_answered(live: str, acme_token: str) -> None:
    reader, writer = await connect(live)
    body = b'{"type": "RECHARGE"}'
    head = f"POST /events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {acme_token}\r\n".encode()
    writer.write(head + b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body))

    for octet in body:
        writer.write(bytes([octet]))
        await writer.drain()

    assert (await answer(reader)).startswith(b"HTTP/1.1 202 ")
    writer.close()


async def test_a_client_that_sends_far_too_much_is_told_so_and_not_reset(live: str, acme_token: str) -> None:
    target = urlsplit(live)
    headers = {"Authorization": f"Bearer {acme_token}", "Content-Type": "application/json"}

    def post() -> int:
        with contextlib.closing(http.client.HTTPConnection(target.hostname or "", target.port, timeout=60)) as client:
            client.request("POST", "/tenant/notification", b" " * (40 << 20), headers)
            return client.getresponse().status

    assert [await asyncio.to_thread(post) for _ in range(3)] == [413] * 3


async def test_a_client_that_never_stops_sending_is_hung_up_on(
    live: str, acme_token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ringpost.api.bounded_protocol.LINGER_S", 0.2)
    reader, writer = await connect(live)
    head = f"POST /tenant/notification HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {acme_token}\r\n".encode()
    writer.write(head + b"Content-Type: application/json\r\nExpect: 100-continue\r\nContent-Length: 9999999999\r\n\r\n")
    assert (await answer(reader)).startswith(b"HTTP/1.1 413 ")

    async def send_on() -> None:
        while True:
            writer.write(b" " * 1024)
            await writer.drain()
            await asyncio.sleep(0.01)

    with pytest.raises(ConnectionError):
        await asyncio.wait_for(send_on(), 20)


@pytest.mark.parametrize("refused", [b"HELLO MAIL ROOM\r\n\r\n", b"\r\n" * MAX_HEADERS], ids=["words", "blank lines"])
async def test_what_a_client_sends_after_it_was_refused_is_not_read(live: str, acme_token: str, refused: bytes) -> None:
    def request(event: str) -> bytes:
        body = f'{{"type":"DISK_LOW","id":"{event}"}}'
        head = f"POST /events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {acme_token}\r\n"
        return f"{head}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()

    reader, writer = await connect(live)
    for event in ("1", "2"):  # first the token gets known, then the head
        writer.write(request(event))
        assert (await answer(reader)).startswith(b"HTTP/1.1 202 ")
    _, other = await connect(live)

    other.write(refused)
    await asyncio.sleep(0.1)
    other.write(request("3"))
    await asyncio.sleep(0.1)

    writer.write(f"GET /events/3 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {acme_token}\r\n\r\n".encode())
    assert (await answer(reader)).startswith(b"HTTP/1.1 404 ")
    writer.close()
    other.close()


async def test_a_client_told_to_wait_for_100_is_told_413_at_once(live: str, acme_token: str) -> None:
    reader, writer = await connect(live)
    head = f"POST /tenant/notification HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {acme_token}\r\n".encode()

    writer.write(head + b"Content-Type: application/json\r\nExpect: 100-continue\r\nContent-Length: 99999999\r\n\r\n")

    assert (await asyncio.wait_for(answer(reader), 2)).startswith(b"HTTP/1.1 413 ")
    writer.close()


async def test_a_connection_whose_answer_came_before_the_end_of_its_request_is_closed_when_idle(
    live: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ringpost.api.bounded_protocol.IDLE_S", 0.2)
    reader, writer = await connect(live)
    writer.write(b"POST /nothing HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{")
    assert (await answer(reader)).startswith(b"HTTP/1.1 404 ")

    writer.write(b"}")

    assert await asyncio.wait_for(reader.read(), 10) == b""
    writer.close()
