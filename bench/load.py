"""The load: events posted over kept connections by a process that does little else than write and read.

    python -m bench.load TOKEN EVENTS PER_REQUEST CONNECTIONS PORT...

All requests are built before the clock starts; each event has an id and values of its own. It prints a JSON object:
when it began and ended (`time.monotonic`, which all processes share), and its CPU seconds in between.
"""

import json
import os
import select
import socket
import sys
import time
from collections.abc import Iterator
from typing import Final

from bench import mail

_BUFFER: Final = 1 << 16


def main() -> None:
    """Post, and print what it took."""
    token, events, per_request, connections = sys.argv[1], *map(int, sys.argv[2:5])
    ports = [int(port) for port in sys.argv[5:]]
    run = os.urandom(4).hex()
    requests = iter([
        _request(token, [_event(run, number) for number in range(first, min(events, first + per_request))])
        for first in range(0, events, per_request)
    ])  # fmt: skip
    sockets = [socket.create_connection(("127.0.0.1", ports[n % len(ports)])) for n in range(connections)]
    cpu, begin = time.process_time(), time.monotonic()
    _post_all(sockets, requests)
    end = time.monotonic()
    print(json.dumps({"begin": begin, "end": end, "cpu_s": time.process_time() - cpu}))


def _event(run: str, number: int) -> dict[str, object]:
    return {
        "id": f"{run}-{number:08}",
        "type": "QUEUE_SLA",
        "variables": mail.values(number),
    }


def _request(token: str, events: list[dict[str, object]]) -> bytes:
    body = json.dumps(events[0] if len(events) == 1 else {"events": events}).encode()
    head = (
        f"POST /events HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def _post_all(sockets: list[socket.socket], requests: Iterator[bytes]) -> None:
    """One request at a time on each connection, until none is left. SystemExit when one is not answered with 202."""
    by_number = {each.fileno(): each for each in sockets}
    partial: dict[int, bytes] = {}
    poll = select.epoll()
    waiting = 0
    for each, request in zip(sockets, requests, strict=False):
        poll.register(each, select.EPOLLIN)
        each.sendall(request)
        waiting += 1
    while waiting:
        ready = poll.poll(30)
        if not ready:
            raise SystemExit("Nothing was answered for 30 seconds.")
        for number, _ in ready:
            each = by_number[number]
            part = each.recv(_BUFFER)
            if not part:
                raise SystemExit("A connection was closed in the middle.")
            answer = partial.pop(number, b"") + part
            if not _is_whole(answer):
                partial[number] = answer
                continue
            request = next(requests, None)
            if request is None:
                waiting -= 1
            else:
                each.sendall(request)


def _is_whole(answer: bytes) -> bool:
    if not answer.startswith(b"HTTP/1.1 202") and len(answer) >= 12:
        raise SystemExit(f"An event was not accepted: {answer[:500]!r}")
    end = answer.find(b"\r\n\r\n")
    if end < 0:
        return False
    at = answer.find(b"content-length: ")  # as uvicorn writes it
    return len(answer) >= end + 4 + int(answer[at + 16 : answer.index(b"\r", at)])


if __name__ == "__main__":
    main()
