"""Logs: structured, one line an event, and no secret in them.

What the code logs (structlog) and what libraries log (the standard library's logging) goes the same way and through
the same redaction: fields named like secrets lose their value, and so does text that looks like one, anywhere.
"""

import logging
import re
import sys
from collections.abc import Mapping
from typing import Any, Final, Literal, TextIO, cast

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

HIDDEN: Final = "***"

_SECRET_NAME = re.compile(
    r"passw|secret|token|authorization|credential|cookie|api_?key|private_?key|(?:^|_)pin(?:$|_)", re.IGNORECASE
)
_NOT_SECRET: Final = frozenset({"token_id", "token_type"})
_SECRET_TEXT = re.compile(
    r"rp_(?:key|access|refresh|console|welcome)_[A-Za-z0-9_-]+"
    r"|(?<=\bBearer )\S+|(?<=\bBasic )[A-Za-z0-9+/=_-]{6,}"
    r"|(?<=\bAUTH PLAIN )\S+|(?<=\bAUTH LOGIN )\S+"
    r"|(?<=\bpassword=)[^\s&,;]+|(?<=\btoken=)[^\s&,;]+|(?<=\bsecret=)[^\s&,;]+|(?<=://)[^\s/@:]*:[^\s/@]+(?=@)",
    re.IGNORECASE,
)
_DEEPEST: Final = 8

Format = Literal["json", "console"]


class Shown(str):
    """A text that looks like a secret, and is logged because somebody has to read it: the link of the first start."""

    __slots__ = ()


def configure(format: Format = "json", level: str = "info", stream: TextIO | None = None) -> None:  # noqa: A002
    """Set up all logging of the process; call it once, before anything else logs. `stream` is stderr by default."""
    number = logging.getLevelNamesMapping()[level.upper()]
    before: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[
            *before,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.ExtraAdder(), *before],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_last(format)],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(number)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):  # uvicorn brings handlers of its own
        logging.getLogger(name).handlers.clear()
        logging.getLogger(name).propagate = True
    # Their own levels: SQL statements and every request line are more than anyone wants, and SQL has parameters.
    # The HTTP client and the token libraries tell every step, with addresses of mailboxes.
    clients = ("httpx", "httpcore", "msal", "google", "urllib3")
    for name in ("sqlalchemy", "alembic", "uvicorn", "uvicorn.error", "uvicorn.access", "asyncio", *clients):
        logging.getLogger(name).setLevel(max(number, logging.WARNING))


def redact(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Hide what is named or looks like a secret, at any depth."""
    return {_shown(name): _redacted(name, value, 0) for name, value in event.items()}


def _last(format: Format) -> list[Processor]:  # noqa: A002
    """Tracebacks become text before the redaction, so that it sees them too."""
    exceptions: Processor = structlog.processors.format_exc_info
    if format == "json":
        return [exceptions, redact, structlog.processors.JSONRenderer(default=_shown, ensure_ascii=False)]
    return [exceptions, redact, _ForTerminals()]


class _ForTerminals:
    """One line an event, and a traceback below it. What would steer a terminal, or turn the line, is escaped."""

    def __init__(self) -> None:
        self._render = structlog.dev.ConsoleRenderer(colors=False)

    def __call__(self, logger: WrappedLogger, method: str, event: EventDict) -> str:
        below = [str(event.pop(name)) for name in ("stack", "exception") if event.get(name)]
        line = _escaped(self._render(logger, method, event))
        return "\n".join([line, *(_escaped(one) for text in below for one in text.split("\n"))])


def _escaped(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)


def _redacted(name: str, value: object, depth: int) -> object:
    if value is None or isinstance(value, bool):
        return value
    if depth > _DEEPEST or (_SECRET_NAME.search(name) and name not in _NOT_SECRET):
        return HIDDEN
    if isinstance(value, int | float):
        return value
    if isinstance(value, Mapping):
        items = cast("Mapping[object, object]", value).items()
        return {_shown(key): _redacted(_shown(key), inner, depth + 1) for key, inner in items}
    if isinstance(value, list | tuple | set | frozenset):
        return [_redacted(name, inner, depth + 1) for inner in cast("list[object]", value)]
    return _shown(value)


def _shown(value: Any) -> str:
    if isinstance(value, Shown):
        return value
    return _SECRET_TEXT.sub(HIDDEN, value if isinstance(value, str) else repr(value))
