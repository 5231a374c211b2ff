"""stdout, which may be full, closed, or have nobody who reads it: by then what was to be done is done.

Where stdin or stderr is closed, nothing comes from there, and nobody is told there.
"""

import io
import os
import sys
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, TextIO, final


class NotWritten(OSError):
    """stdout did not take it."""

    def __str__(self) -> str:
        return f"The output could not be written: {self.strerror}."


class Untold(Exception):
    """What was done could not be told on stdout. The message says what that is."""


@contextmanager
def telling(done: str) -> Generator[None]:
    """What is written within tells what is done; if it cannot be written, Untold says so in the words of `done`."""
    try:
        yield
    except NotWritten as error:
        if not done:
            raise
        raise Untold(f"{error} {done}") from error


def use() -> None:
    """Have all that is written to stdout raise NotWritten where it fails, also where it or another stream is closed.

    What its encoding does not have is written as Python's escapes, as on stderr.
    """
    given: Any = sys.stdin
    out: Any = sys.stdout
    error: Any = sys.stderr
    if given is None:  # the first of the three to be opened, as it is the one with the lowest number
        sys.stdin = open(os.devnull, encoding="utf-8")  # noqa: PTH123, SIM115
    if out is None:
        # Else the database would get its number. What may only be read refuses to be written, as stdout did.
        out = open(os.open(os.devnull, os.O_RDONLY), "w", encoding="utf-8")  # noqa: PTH123, SIM115
    if error is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115
    how: dict[str, Any] = {"encoding": out.encoding, "errors": "backslashreplace", "line_buffering": out.line_buffering}
    sys.stdout = _Stdout(out.detach(), **how)


def give_up(stream: TextIO | None = None) -> None:
    """Drop what it, or another stream, did not take, so that the flush at exit does not fail once more."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), (stream or sys.stdout).fileno())


@final
class _Stdout(io.TextIOWrapper):
    def write(self, text: str, /) -> int:
        with _named():
            return super().write(text)

    def flush(self) -> None:
        with _named():
            super().flush()


@contextmanager
def _named() -> Generator[None]:
    try:
        yield
    except OSError as error:
        raise NotWritten(error.errno, error.strerror) from error
