"""Events that go past the framework: the same answers, in order, and everything out of the ordinary the ordinary way.

Behind the express way stands an app here that takes nothing: an answer other than its 404 did not come from there.
"""

import asyncio
import gc
import json
import re
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import pytest
from fastapi import FastAPI
from starlette.responses import PlainTextResponse
from structlog.testing import capture_logs
from tests.api.conftest import served
from tests.conftest import client_with
from tests.patience import patience

from ringpost.api.express import LONGEST_BODY, Express, express_past

ELSEWHERE = PlainTextResponse("not here", 404)
SEEN_BEFORE = json.dumps({"id": "seen-before", "type": "RECHARGE"}).encode()


class Caller:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, token: str) -> None:
        self.reader, self.writer, self.token = reader, writer, token

    def say(self, body: bytes, *lines: str, path: str = "/events", kind: str = "application/json") -> None:
        """Send a request."""
        head = [f"POST {path} HTTP/1.1", "Host: x", f"Authorization: Bearer {self.token}", f"Content-Type: {kind}"]
        if not any(line.startswith("Transfer-Encoding") for line in lines):
            head.append(f"Content-Length: {len(body)}")
        self.writer.write("\r\n".join([*head, *lines, "", ""]).encode() + body)

    async def hear(self) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body of the next answer."""
        async with patience(30):
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode()
            first, *lines = head.strip().split("\r\n")
            headers = dict(line.split(": ", 1) for line in lines)
            body = await self.reader.readexactly(int(headers["content-length"]))
        return int(first.split()[1]), headers, body

    async def ask(self, body: bytes, *lines: str, **what: str) -> tuple[int, dict[str, str], bytes]:
        """Send a request and hear its answer."""
        self.say(body, *lines, **what)
        return await self.hear()


@asynccontextmanager
async def calling(url: str, token: str) -> AsyncGenerator[Caller]:
    target = urlsplit(url)
    reader, writer = await asyncio.open_connection(target.hostname, target.port)
    yield Caller(reader, writer, token)
    writer.close()


@pytest.fixture
async def caller(app: FastAPI, acme_token: str) -> AsyncGenerator[Caller]:
    """Somebody who has been looked up; what does not go by the express way is answered with 404."""
    async with client_with(app, acme_token) as client:
        assert (await client.post("/events", json=json.loads(SEEN_BEFORE))).status_code == 202
    async with served(ELSEWHERE, express_past(app)) as url, calling(url, acme_token) as one:
        yield one


def events(*ids: str) -> Iterator[bytes]:
    for each in ids:
        yield json.dumps({"id": each, "type": "RECHARGE"}).encode()


@pytest.mark.parametrize("path", ["/events", "/api/events"])
async def test_a_plain_event_goes_by_the_express_way(caller: Caller, path: str) -> None:
    (one,) = events("plain")

    status, _, body = await caller.ask(one, path=path)

    assert (status, json.loads(body)["id"]) == (202, "plain")


BODIES = {
    "an event": json.dumps({"type": "RECHARGE"}).encode(),
    "a repetition": SEEN_BEFORE,
    "a repetition with other content": json.dumps(
        {"id": "seen-before", "type": "RECHARGE", "variables": {"A": 1}}
    ).encode(),
    "an unknown type": b'{"type": "NOTHING"}',
    "a list of good and bad": b'{"events": [{"type": "RECHARGE"}, {"type": "NOTHING"}, 3]}',
    "a list that is none": b'{"events": 3}',
    "no object": b"[]",
    "no JSON": b'{"type": ',
    "a key twice": b'{"type": "RECHARGE", "type": "RECHARGE"}',
    "half a pair": b'{"type": "RECHARGE", "id": "\\ud800"}',
    "no UTF-8": b'{"type": "\xff"}',
}


@pytest.mark.parametrize("what", BODIES)
async def test_answers_are_those_of_the_ordinary_way(caller: Caller, live: str, what: str) -> None:
    body = BODIES[what]

    first = await caller.ask(body)
    status, headers, said = await caller.ask(body)  # with a head that has been read
    async with calling(live, caller.token) as other:
        ordinary = await other.ask(body, "Expect: nothing-special")

    keys = {"date", "content-length"}
    assert (status, {k: v for k, v in headers.items() if k not in keys}) == (
        ordinary[0],
        {k: v for k, v in ordinary[1].items() if k not in keys},
    )
    assert first[1].keys() == headers.keys() == ordinary[1].keys()
    assert shape(first[2]) == shape(said) == shape(ordinary[2])


def shape(body: bytes) -> str:
    """An answer without the ids, which are made by chance."""
    return re.sub(rb'"id": *"[^"]*"', b'"id": ""', body).decode()


def reads_nothing(*_: object) -> None:
    """A reader of heads that finds none plain: what it is asked about is answered 404."""


@pytest.fixture
async def known(caller: Caller, monkeypatch: pytest.MonkeyPatch) -> Caller:
    """Whose head is not read again: it was read with a body as long as SEEN_BEFORE; all that is, is answered 404."""
    assert (await caller.ask(SEEN_BEFORE))[0] == 202
    monkeypatch.setattr(Express, "read", reads_nothing)
    return caller


async def test_the_same_head_is_not_read_again(known: Caller) -> None:
    for each in events("event-no-01", "event-no-02"):
        status, headers, body = await known.ask(each)
        assert (status, json.loads(body)["id"]) == (202, json.loads(each)["id"])
        assert {"date", "content-type", "content-length", "x-content-type-options"} <= headers.keys()


async def test_another_head_is_read(known: Caller) -> None:
    assert (await known.ask(SEEN_BEFORE, "X-One: 1"))[0] == 404
    assert (await known.ask(SEEN_BEFORE + b" "))[0] == 404
    assert (await known.ask(SEEN_BEFORE))[0] == 202


async def test_a_head_that_was_read_counts_only_with_all_of_its_body_and_nothing_more(known: Caller) -> None:
    known.say(SEEN_BEFORE[:-1])  # the head that says so was not read
    assert (await known.hear())[0] == 404
    known.say(SEEN_BEFORE)
    known.say(SEEN_BEFORE)  # both in one write: the parser sees where the first one ends
    assert [(await known.hear())[0] for _ in range(2)] == [404, 404]


async def test_what_comes_while_a_known_head_is_answered_waits_for_it(
    known: Caller, app: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    let_go, write_each = asyncio.Event(), app.state.room.database.write_each

    async def slowly(*args: Any, **kwargs: Any) -> Any:
        await let_go.wait()
        return await write_each(*args, **kwargs)

    monkeypatch.setattr(app.state.room.database, "write_each", slowly)
    known.say(SEEN_BEFORE)
    await known.writer.drain()
    await asyncio.sleep(0.1)
    known.say(b"{}", path="/elsewhere")
    await known.writer.drain()
    await asyncio.sleep(0.1)
    let_go.set()

    assert [(await known.hear())[0] for _ in range(2)] == [202, 404]
    assert (await known.ask(SEEN_BEFORE))[0] == 202


async def test_a_revoked_token_is_asked_about_again_though_its_head_was_read(app: FastAPI, known: Caller) -> None:
    app.state.authenticator.forget()

    assert (await known.ask(SEEN_BEFORE))[0] == 404


async def test_who_is_answered_and_says_nothing_more_is_hung_up_on(
    known: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ringpost.api.bounded_protocol.IDLE_S", 0.2)

    assert (await known.ask(SEEN_BEFORE))[0] == 202
    assert await asyncio.wait_for(known.reader.read(), 10) == b""


async def test_heads_that_are_never_the_same_do_not_pile_up(caller: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ringpost.api.express.MOST_KEPT", 2)

    statuses = [(await caller.ask(SEEN_BEFORE, f"X-Request: {number}"))[0] for number in range(5)]
    monkeypatch.setattr(Express, "read", reads_nothing)

    assert statuses == [202] * 5
    assert [(await caller.ask(SEEN_BEFORE, f"X-Request: {number}"))[0] for number in range(5)].count(202) <= 2


async def test_what_is_sent_ahead_is_answered_in_order(caller: Caller) -> None:
    for each in events("first", "second"):
        caller.say(each)
    caller.say(b"{}", path="/elsewhere")
    for each in events("third"):
        caller.say(each)

    answers = [await caller.hear() for _ in range(4)]

    assert [status for status, _, _ in answers] == [202, 202, 404, 202]
    assert [json.loads(answers[place][2])["id"] for place in (0, 1, 3)] == ["first", "second", "third"]


async def test_a_body_may_come_in_drops(caller: Caller) -> None:
    (one,) = events("drops")
    head = f"POST /events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {caller.token}\r\n"
    caller.writer.write(f"{head}Content-Type: application/json\r\nContent-Length: {len(one)}\r\n\r\n".encode())
    for octet in one:
        caller.writer.write(bytes([octet]))
        await caller.writer.drain()

    status, _, body = await caller.hear()

    assert (status, json.loads(body)["id"]) == (202, "drops")


async def test_a_connection_is_closed_when_the_client_wants_that(caller: Caller) -> None:
    (one,) = events("last")

    status, headers, _ = await caller.ask(one, "Connection: close")

    assert (status, headers["connection"]) == (202, "close")
    assert await asyncio.wait_for(caller.reader.read(), 10) == b""


@pytest.mark.parametrize(
    ("lines", "what"),
    [
        (["Expect: 100-continue"], {}),
        (["Transfer-Encoding: chunked"], {}),
        (["Authorization: Bearer other"], {}),
        ([], {"kind": "text/plain"}),
        ([], {"path": "/events?tenant=1"}),
        ([], {"path": "/events/"}),
        (["Content-Type: text/plain"], {}),
        (["Host: x"], {}),
        (["Content-Encoding: gzip"], {}),
    ],
)
async def test_what_is_out_of_the_ordinary_goes_the_ordinary_way(
    caller: Caller, lines: list[str], what: dict[str, str]
) -> None:
    (one,) = events("odd")
    body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(one), one) if lines == ["Transfer-Encoding: chunked"] else one

    assert (await caller.ask(body, *lines, **what))[0] == 404


async def test_without_a_host_it_goes_the_ordinary_way(caller: Caller) -> None:
    head = f"POST /events HTTP/1.1\r\nAuthorization: Bearer {caller.token}\r\nContent-Type: application/json\r\n"
    caller.writer.write(f"{head}Content-Length: {len(SEEN_BEFORE)}\r\n\r\n".encode() + SEEN_BEFORE)

    assert (await caller.hear())[0] == 404


async def test_a_long_body_goes_the_ordinary_way(caller: Caller) -> None:
    assert (await caller.ask(b" " * (LONGEST_BODY + 1)))[0] == 404


async def test_a_head_over_the_limit_is_refused_whatever_its_lines_are(caller: Caller) -> None:
    caller.say(SEEN_BEFORE, *["x:"] * 7000)

    assert (await caller.hear())[0] in (404, 431)  # never 202


async def test_a_strangers_body_is_not_waited_for(caller: Caller) -> None:
    caller.writer.write(
        b"POST /events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer unknown\r\n"
        b"Content-Type: application/json\r\nContent-Length: 60000\r\n\r\n{"
    )

    assert (await caller.hear())[0] == 404


async def test_clients_that_send_ahead_and_go_are_no_fault_of_ours(caller: Caller) -> None:
    with capture_logs() as logs:
        for each in events(*map(str, range(20))):
            caller.say(each)
        await caller.writer.drain()
        caller.writer.transport.abort()
        await asyncio.sleep(0.5)
        gc.collect()

    assert [log for log in logs if log["log_level"] == "error"] == []


async def test_who_is_unknown_goes_the_ordinary_way(caller: Caller) -> None:
    caller.token += "x"

    assert (await caller.ask(SEEN_BEFORE))[0] == 404


async def test_a_revoked_token_is_asked_about_again(app: FastAPI, caller: Caller) -> None:
    app.state.authenticator.forget()  # as after a revocation

    assert (await caller.ask(SEEN_BEFORE))[0] == 404


async def test_a_fault_of_ours_is_told_as_such(app: FastAPI, caller: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app.state.room.database, "write_each", None)

    status, _, body = await caller.ask(BODIES["an event"])

    assert (status, json.loads(body)["errors"][0]["code"]) == (500, "INTERNAL")


async def test_storage_that_is_away_is_told_as_such(app: FastAPI, caller: Caller) -> None:
    await app.state.room.database.close()

    status, headers, body = await caller.ask(BODIES["an event"])

    assert (status, headers["retry-after"], json.loads(body)["errors"][0]["code"]) == (503, "5", "STORAGE_UNAVAILABLE")
