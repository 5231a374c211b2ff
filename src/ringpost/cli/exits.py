"""How a failure ends the process: one sentence on stderr and an exit code (sysexits.h), no traceback."""

import errno
import os
import sys
from typing import Final

from pydantic import ValidationError

from ringpost.cli.output import one_line, say
from ringpost.cli.stdout import NotWritten, Untold, give_up
from ringpost.errors import RingpostError, StorageUnavailable
from ringpost.storage.keyring import KeyRingError

FAILED: Final = 1
TRY_AGAIN: Final = 75
"""EX_TEMPFAIL."""
MISCONFIGURED: Final = 78
"""EX_CONFIG."""
TRACEBACK: Final = "RINGPOST_TRACEBACK"
"""Environment variable for people who look for a fault: any value shows where it came from."""


_KINDS: Final = {
    "bool_parsing": "this must be true or false",
    "int_parsing": "this must be a whole number",
    "float_parsing": "this must be a number",
}
"""What must be known of a setting that is of another kind; what pydantic says is in the words of its parts."""


class Misconfigured(Exception):
    """The configuration cannot work. The message says what to change."""


class Failed(Exception):
    """It could not be done. The message says why."""


def exit_code(error: Exception) -> int:
    """Tell what went wrong on stderr; the code to exit with."""
    if os.environ.get(TRACEBACK):
        raise error
    if isinstance(error, NotWritten | Untold):
        give_up()
    if isinstance(error, NotWritten) and error.errno == errno.EPIPE:
        return FAILED  # whoever read our output has gone, which is no fault: `ringpost delivery list | head`
    nested: tuple[Exception, ...] = getattr(error, "exceptions", ())
    if len(nested) == 1:
        return exit_code(nested[0])
    say(f"ringpost: {one_line(_sentence(error))}")
    return _code(error)


def _code(error: Exception) -> int:
    if isinstance(error, StorageUnavailable):
        return TRY_AGAIN
    if isinstance(error, NotWritten):  # before the disk that is full, which is not the database's
        return FAILED
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return TRY_AGAIN
    return MISCONFIGURED if isinstance(error, Misconfigured | KeyRingError | ValidationError) else FAILED


def _sentence(error: Exception) -> str:
    match error:
        case ValidationError():
            return _wrong_settings(error)
        case NotWritten() | Untold():
            return str(error)
        case OSError():
            return _os_sentence(error)
        case RingpostError() | Misconfigured() | KeyRingError() | Failed():
            return str(error)
        case UnicodeEncodeError() if any(error.object in argument for argument in sys.argv):
            return f"{error.object}: This is no text in UTF-8, so nothing can have that name."
        case _:
            return f"a fault of Ringpost itself: {type(error).__name__}: {error} ({TRACEBACK}=1 shows where)"


def _wrong_settings(error: ValidationError) -> str:
    """Which settings are wrong, and why; never what they were set to, which may be a secret."""
    wrong = [
        f"RINGPOST_{'_'.join(map(str, fault['loc'])).upper()}: "
        f"{_KINDS.get(fault['type']) or fault['msg'].removeprefix('Value error, ')}"
        for fault in error.errors(include_input=False, include_url=False)
    ]
    return "wrong configuration: " + "; ".join(wrong)


def _os_sentence(error: OSError) -> str:
    said = error.strerror or str(error)
    return f"{error.filename}: {said}" if error.filename else said
