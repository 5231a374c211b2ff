"""What is logged, and above all what is not."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from ringpost import logs

CANARY = "rp_key_CaNaRyCaNaRyCaNaRyCaNaRyCaNaRyCaNaRyCaNaRy"
PASSWORD = "hunter2-hunter2"


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    """Where logs go during the test; afterwards logging is as it was."""
    root = logging.getLogger()
    names = ("uvicorn", "uvicorn.error", "uvicorn.access", "sqlalchemy", "alembic", "asyncio")
    handlers, level = root.handlers[:], root.level
    levels = {name: logging.getLogger(name).level for name in names}
    stream = io.StringIO()
    logs.configure("json", "info", stream)
    yield stream
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)
    for name in names:
        logging.getLogger(name).setLevel(levels[name])


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_an_event_is_one_line_of_json(stream: io.StringIO) -> None:
    structlog.get_logger("ringpost.worker").info("delivery_sent", tenant="t1", attempts=2, subject="a\nb ü")
    (line,) = lines(stream)
    assert line.items() >= {"event": "delivery_sent", "tenant": "t1", "attempts": 2, "level": "info"}.items()
    assert (line["logger"], line["subject"]) == ("ringpost.worker", "a\nb ü")
    assert line["timestamp"].endswith("Z")


def test_libraries_go_the_same_way(stream: io.StringIO) -> None:
    logging.getLogger("uvicorn.error").warning("Invalid %s", "request")
    logging.getLogger("sqlalchemy.engine").info("SELECT * FROM tenants")
    logging.getLogger("uvicorn.access").info("GET /?token=x")
    (line,) = lines(stream)
    assert (line["event"], line["logger"], line["level"]) == ("Invalid request", "uvicorn.error", "warning")


@pytest.mark.parametrize(
    "fields",
    [
        {"password": PASSWORD},
        {"smtp_password": PASSWORD},
        {"refresh_token": PASSWORD},
        {"Authorization": PASSWORD},
        {"client_secret": PASSWORD},
        {"settings": {"server": "mail.example", "PassWord": PASSWORD}},
        {"settings": [{"deep": [{"secret": {"in": PASSWORD}}]}]},
        {"cookie": [PASSWORD]},
        {"voicemail_pin": PASSWORD},
        {"url": f"smtp://user:{PASSWORD}@mail.example"},
        {"line": f"AUTH PLAIN {PASSWORD}"},
        {"header": f"Authorization: Bearer {PASSWORD}"},
        {"header": b"Authorization: Bearer " + PASSWORD.encode()},
        {"query": f"/login?password={PASSWORD}&x=1"},
        {"note": f"token was {CANARY}."},
        {"path": f"/console/welcome/rp_welcome_{PASSWORD}"},
        {"note": f"the cookie rp_console_{PASSWORD}"},
        {CANARY: 1, "nested": {CANARY: 1}},
    ],
    ids=range(18),
)
@pytest.mark.parametrize("form", ["json", "console"])
def test_no_secret_is_logged_wherever_it_stands(stream: io.StringIO, form: logs.Format, fields: dict[str, Any]) -> None:
    logs.configure(form, "info", stream)
    structlog.get_logger("ringpost").warning("something", **fields)
    logging.getLogger("library").warning("something", extra={"data": fields})
    assert "something" in stream.getvalue()
    assert PASSWORD not in stream.getvalue()
    assert CANARY not in stream.getvalue()


def test_no_secret_is_logged_with_an_exception(stream: io.StringIO) -> None:
    try:
        int(CANARY)
    except ValueError:
        structlog.get_logger("ringpost").exception("failed")
        logging.getLogger("library").exception("failed with %s", CANARY)
    first, second = lines(stream)
    assert "ValueError: invalid literal for int() with base 10: '***'" in first["exception"]
    assert CANARY not in stream.getvalue()
    assert second["event"] == "failed with ***"


STEERING = "\x1b]0;PWN\x07\x7f\x9b2J\u202e\u2066\u2028\ud800"
ESCAPED = r"\x1b]0;PWN\x07\x7f\x9b2J\u202e\u2066\u2028\ud800"


@pytest.mark.parametrize(
    "fields",
    [
        {"path": STEERING},
        {"path": f"two words {STEERING}"},
        {STEERING: 1},
        {"deep": [{"path": STEERING}]},
        {"event": f"{STEERING}\r\n2026-11-27 [error] forged"},
    ],
    ids=range(5),
)
def test_nothing_that_is_logged_steers_a_terminal(stream: io.StringIO, fields: dict[str, Any]) -> None:
    logs.configure("console", "info", stream)
    structlog.get_logger("ringpost").info(**{"event": "client_hung_up", **fields})
    assert ESCAPED in stream.getvalue()
    assert stream.getvalue().removesuffix("\n").isprintable()


def test_a_traceback_keeps_its_lines_and_steers_no_terminal(stream: io.StringIO) -> None:
    logs.configure("console", "info", stream)
    structlog.get_logger("ringpost").error("failed", exc_info=ValueError("\x1b]0;PWN\x07\nto be read"))
    first, *others = stream.getvalue().splitlines()
    assert "failed" in first
    assert others == [r"ValueError: \x1b]0;PWN\x07", "to be read"]


def test_below_the_level_nothing_is_logged(stream: io.StringIO) -> None:
    logs.configure("json", "warning", stream)
    structlog.get_logger("ringpost").info("quiet")
    logging.getLogger("library").info("quiet")
    assert stream.getvalue() == ""


def test_names_that_only_sound_like_secrets_keep_their_value(stream: io.StringIO) -> None:
    structlog.get_logger("ringpost").info("x", token_id="018c", shipping="yes", spinning=1, has_password=True)
    (line,) = lines(stream)
    assert (line["token_id"], line["shipping"], line["spinning"], line["has_password"]) == ("018c", "yes", 1, True)
