"""How a failure ends the process: one sentence on stderr and an exit code (sysexits.h), no traceback."""

import errno
import os
import sys
from typing import Final

from pydantic import ValidationError

from ringpost.cli.output import one_line
from ringpost.errors import RingpostError, StorageUnavailable
from ringpost.storage.keyring import KeyRingError

FAILED: Final = 1
TRY_AGAIN: Final = 75
"""EX_TEMPFAIL."""
MISCONFIGURED: Final = 78
"""EX_CONFIG."""
TRACEBACK: Final = "RINGPOST_TRACEBACK"
"""Environment variable for people who look for a fault: any value shows where it came from."""


class Misconfigured(Exception):
    """The configuration cannot work. The message says what to change."""


class Failed(Exception):
    """It could not be done. The message says why."""


def exit_code(error: Exception) -> int:
    """Tell what went wrong on stderr; the code to exit with."""
    if os.environ.get(TRACEBACK):
        raise error
    if isinstance(error, BrokenPipeError):
        return _broken_pipe()
    nested: tuple[Exception, ...] = getattr(error, "exceptions", ())
    if len(nested) == 1:
        return exit_code(nested[0])
    sys.stderr.write(f"ringpost: {one_line(_sentence(error))}\n")
    return _code(error)


def _code(error: Exception) -> int:
    if isinstance(error, StorageUnavailable):
        return TRY_AGAIN
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return TRY_AGAIN
    return MISCONFIGURED if isinstance(error, Misconfigured | KeyRingError | ValidationError) else FAILED


def _sentence(error: Exception) -> str:
    match error:
        case ValidationError():
            return _wrong_settings(error)
        case OSError():
            return _os_sentence(error)
        case RingpostError() | Misconfigured() | KeyRingError() | Failed():
            return str(error)
        case _:
            return f"a fault of Ringpost itself: {type(error).__name__}: {error} ({TRACEBACK}=1 shows where)"


def _wrong_settings(error: ValidationError) -> str:
    """Which settings are wrong, and why; never what they were set to, which may be a secret."""
    wrong = [
        f"RINGPOST_{'_'.join(map(str, fault['loc'])).upper()}: {fault['msg'].removeprefix('Value error, ')}"
        for fault in error.errors(include_input=False, include_url=False)
    ]
    return "wrong configuration: " + "; ".join(wrong)


def _os_sentence(error: OSError) -> str:
    said = error.strerror or str(error)
    return f"{error.filename}: {said}" if error.filename else said


def _broken_pipe() -> int:
    """Whoever read our output has gone, which is no fault: `ringpost delivery list | head`."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # so that the flush at exit has somewhere to go
    return FAILED
