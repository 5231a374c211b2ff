"""What can go wrong, as types that know nothing of HTTP.

    RingpostError
    ├── Invalid               one or more fields are wrong (a list of FieldError)
    ├── NotFound              no such thing, or not this tenant's
    ├── AlreadyExists         the name or id is taken
    ├── Unauthorized          nobody we know
    ├── Forbidden             somebody we know, who may not
    ├── NotConfigured         nothing to send through
    ├── PasswordRequired      the stored password does not travel to a changed server
    ├── MailServerFailed      a mail server did not take the mail (carries its stage, code, reply and hint)
    ├── RateLimited           too often; says when to come back
    ├── WrongState            as things are now, this cannot be done
    └── StorageUnavailable    disk full, database away: nothing was acknowledged

A few stand where they are raised: `MalformedJson` in `domain/strict_json`, `ChangedMeanwhile` (a WrongState) in
`usecases/save_template`, `NotSignedIn`, `Forged` and `TenantLeft` (an Unauthorized, a Forbidden, a WrongState) in
`console/guard`, `SavedMeanwhile` (a WrongState) in `console/levels`, and `Refused` (it breaks a rule of HTTP) in
`api/problems`.

`api/problems` maps them to status and code; the command line maps them to exit codes.
"""

from dataclasses import dataclass
from typing import Any


class RingpostError(Exception):
    """Anything that Ringpost says no to, with a message for a person."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


@dataclass(frozen=True, slots=True)
class FieldError:
    """One wrong field: its name as the client wrote it, and what to change. Never holds the value of a secret."""

    field: str
    message: str
    item: str | None = None
    """The offending item where the field is a list, such as one of many recipients."""


class Invalid(RingpostError):
    """One or more fields are wrong. `errors` has one entry per field."""

    def __init__(self, *errors: FieldError) -> None:
        super().__init__("; ".join(map(_told, errors)))
        self.errors = errors


def _told(error: FieldError) -> str:
    """Where a message begins with a place within the field, that says the field, too."""
    return error.message if error.message.startswith(f"{error.field}.") else f"{error.field}: {error.message}"


class NotFound(RingpostError):
    """No such thing, or it is another tenant's, which is answered alike."""


class AlreadyExists(RingpostError):
    """The name or id is taken."""


class Unauthorized(RingpostError):
    """No token, or one that we do not know, or one that has ended."""


class Forbidden(RingpostError):
    """The token is good but its role or scope does not reach this far."""


class NotConfigured(RingpostError):
    """There is no mail server to send through."""


class PasswordRequired(RingpostError):
    """The password has to be given again, because the server that it would go to has changed."""

    def __init__(self, message: str, field: str = "password") -> None:
        super().__init__(message)
        self.field = field


class MailServerFailed(RingpostError):
    """The mail server did not take the mail. `detail` is safe to show: what `send_test_mail` makes of an `Outcome`."""

    def __init__(self, message: str, detail: dict[str, Any]) -> None:
        super().__init__(message)
        self.detail = detail


class RateLimited(RingpostError):
    """Too many tries. `retry_after` is in whole seconds."""

    def __init__(self, message: str, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class WrongState(RingpostError):
    """As things are now, it cannot be done: a delivery that was sent, a template that somebody else has changed."""


class StorageUnavailable(RingpostError):
    """The database cannot take writes now (disk full, locked, away). Nothing was acknowledged; try again."""
