"""An event is a fact that a phone system reports: accepted once per tenant and event id."""

import re
from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, NamedTuple, cast

from ringpost.domain.addresses import Address, parse_address, visible
from ringpost.domain.catalogue import IMAGE_VARIABLES, Audience, EventType
from ringpost.domain.mime import is_composite
from ringpost.domain.system_events import SYSTEM_CATALOGUE, catalogue_of
from ringpost.domain.tenants import TenantId
from ringpost.domain.times import DAY_MS, milliseconds_of
from ringpost.errors import FieldError, Invalid

Value = str | int | float | bool

LONGEST_ID = 255
MOST_VARIABLES = 200
LONGEST_VALUE = 65_536
MOST_RECIPIENTS = 100
MOST_WRONG_RECIPIENTS = 10
"""How many are named in one answer, so that one to 1,000 events is not many times as long as they are."""
MOST_ATTACHMENTS = 10
LONGEST_QR_TEXT = 1200
"""UTF-8 octets; what still scans from a screen at the size at which mail programs show it."""
LARGEST_ATTACHMENTS = 10 * 1024 * 1024
"""Bytes of all attachments of an event together, decoded."""

_VARIABLE = re.compile(r"[A-Z0-9_]{1,64}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f\x80-\x9f\u2028\u2029]")
_MEDIA_TYPE = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,126}/[a-z0-9][a-z0-9!#$&^_.+-]{0,126}")
_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)")
_LEAP_SECOND = re.compile(r"(?<=:)60(\.\d+)?(?=[Zz+-])")


class SkipReason(StrEnum):
    """Why an event sent nothing. Recorded with the event, counted, and said in the reply."""

    NOTIFICATION_OFF = "NOTIFICATION_OFF"
    NO_RECIPIENTS = "NO_RECIPIENTS"
    NO_MAIL_SERVER = "NO_MAIL_SERVER"
    TENANT_DISABLED = "TENANT_DISABLED"
    DUPLICATE = "DUPLICATE"
    """Accepted before under the same id; only counted, because the answer is the first one's."""


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that goes with the mail, such as the recording of a voicemail."""

    filename: str
    content_type: str
    data: bytes


class Event(NamedTuple):
    """What happened, checked. `id` and `occurred_at` (ms since 1970, UTC) are None when the sender gave none."""

    tenant: TenantId
    type: str
    id: str | None
    occurred_at: int | None
    variables: Mapping[str, Value]
    recipients: tuple[Address, ...]
    attachments: tuple[Attachment, ...]


def parse_event(tenant: TenantId, fields: Mapping[str, Any]) -> Event:
    """Check the JSON object of one event. Raises Invalid with every fault; unknown fields are ignored."""
    errors: list[FieldError] = []
    kind, known = fields.get("type"), catalogue_of(tenant)
    if kind is None:
        errors.append(FieldError("type", "This field is required: the type of the event, such as QUEUE_SLA."))
    elif not isinstance(kind, str) or kind not in known:
        errors.append(FieldError("type", _no_such_type(kind, known)))
    found: dict[str, Any] = {"id": None, "occurred_at": None, "variables": {}, "recipients": (), "attachments": ()}
    for name, parse in _PARSERS:
        value = fields.get(name)
        if value is None:
            continue
        try:
            found[name] = parse(value)
        except ValueError as error:
            errors.append(FieldError(name, str(error)))
        except Invalid as error:
            errors.extend(FieldError(name, one.message, one.item) for one in error.errors)
    if errors:
        raise Invalid(*errors)
    event = Event(tenant, cast("str", kind), **found)
    if known[event.type].audience is Audience.USER and not event.recipients:
        new_user(event)
    return event


def new_user(event: Event) -> tuple[Address, ...]:
    """The address in the variable USER_EMAIL, none when it is empty. Invalid when it is no address."""
    text = str(event.variables.get("USER_EMAIL", "")).strip()
    if not text:
        return ()
    try:
        return (parse_address(text),)
    except Invalid as fault:
        message = f"variables.USER_EMAIL: {fault.errors[0].message}"
        raise Invalid(FieldError("variables", message, visible(text))) from None


def _no_such_type(kind: object, known: Mapping[str, EventType]) -> str:
    if isinstance(kind, str) and kind in SYSTEM_CATALOGUE:
        return "This is an event of the system level. Send it with a token of the system level, and without `tenant`."
    return f"This must be one of {', '.join(known)}, in upper case."


def _id(value: object) -> str:
    if not isinstance(value, str) or not 1 <= len(value) <= LONGEST_ID or _has_control(value):
        raise ValueError(f"This must be text of 1 to {LONGEST_ID} characters, none of them control characters.")
    if value in (".", ".."):  # clients take such a segment out of a path (RFC 3986 5.2.4), so nobody could ask for it
        raise ValueError("This must not be . or .., because it stands in a path.")
    return value


def _has_control(text: str) -> bool:
    return not text.isprintable() and _CONTROL.search(text) is not None


def _time(value: object) -> int:
    """RFC 3339 to milliseconds."""
    wrong = ValueError("This must be a time with its zone (RFC 3339), such as 2026-01-05T09:30:00Z.")
    if not isinstance(value, str) or not _RFC3339.fullmatch(value):
        raise wrong
    try:
        moment = datetime.fromisoformat(value.upper().replace(" ", "T"))
    except ValueError:
        leap = _before_leap_second(value)
        if leap is None:
            raise wrong from None
        return leap
    try:
        return milliseconds_of(moment)
    except ValueError:
        raise ValueError(
            "This time is before 1970 or after the year 9998. Leave it out when it is not known."
        ) from None


def _before_leap_second(value: str) -> int | None:
    """The last millisecond before a leap second, which no clock here has; they end a day of UTC (RFC 3339 5.7)."""
    before, found = _LEAP_SECOND.subn("59.999", value)
    if not found:
        return None
    last = _time(before)
    return last if (last + 1) % DAY_MS == 0 else None


def _variables(value: object) -> dict[str, Value]:
    if not isinstance(value, dict):
        raise ValueError('This must be an object of names and values, such as {"QUEUE_NAME": "Sales"}.')
    variables = cast("dict[str, object]", value)
    if len(variables) > MOST_VARIABLES:
        raise ValueError(f"At most {MOST_VARIABLES} variables are allowed. Leave some out.")
    if not all(map(_VARIABLE.fullmatch, variables)):
        wrong = next(name for name in variables if not _VARIABLE.fullmatch(name))
        shown = visible(wrong) or '""'
        message = f"variables.{shown}: a name has capital letters, digits and _ only, at most 64."
        raise Invalid(FieldError("variables", message))
    checked: dict[str, Value] = {}
    for name, item in variables.items():
        if isinstance(item, str):
            if len(item) > LONGEST_VALUE:
                raise ValueError(f"{name} is longer than {LONGEST_VALUE} characters.")
        elif item is None:
            continue
        elif not isinstance(item, int | float):
            raise ValueError(f"{name} must be text, a number, true or false.")
        if name in IMAGE_VARIABLES and len(str(item).encode()) > LONGEST_QR_TEXT:
            raise ValueError(f"{name} is longer than the {LONGEST_QR_TEXT} octets that a QR code can show.")
        checked[name] = item
    return checked


def _recipients(value: object) -> tuple[Address, ...]:
    if not isinstance(value, list):
        raise ValueError('This must be a list of addresses, such as ["manager@example.com"].')
    items = cast("list[object]", value)
    if len(items) > MOST_RECIPIENTS:
        raise ValueError(f"At most {MOST_RECIPIENTS} addresses are allowed. Leave some out.")
    addresses: dict[str, Address] = {}
    for item in items:
        if not isinstance(item, str):
            raise _bad_recipients(items)
        try:
            address = parse_address(item)
        except Invalid:
            raise _bad_recipients(items) from None
        addresses.setdefault(address.key, address)
    return tuple(addresses.values())


def _bad_recipients(items: list[object]) -> Invalid:
    """The first of them, each with what is wrong with it."""
    faults: list[FieldError] = []
    for number, item in enumerate(items):
        if not isinstance(item, str):
            faults.append(FieldError("recipients", "This must be text, in quotation marks.", f"recipients[{number}]"))
            continue
        try:
            parse_address(item)
        except Invalid as fault:
            faults.extend(FieldError("recipients", one.message, visible(item)) for one in fault.errors)
    return Invalid(*faults[:MOST_WRONG_RECIPIENTS])


def _attachments(value: object) -> tuple[Attachment, ...]:
    if not isinstance(value, list):
        raise ValueError("This must be a list of objects, each with filename, content_type and content.")
    items = cast("list[object]", value)
    if len(items) > MOST_ATTACHMENTS:
        raise ValueError(f"At most {MOST_ATTACHMENTS} files are allowed. Leave some out.")
    files: list[Attachment] = []
    faults: list[FieldError] = []
    for number, item in enumerate(items):
        try:
            files.append(_attachment(item))
        except ValueError as fault:
            faults.append(FieldError("attachments", str(fault), f"attachments[{number}]"))
    if faults:
        raise Invalid(*faults)
    if sum(len(file.data) for file in files) > LARGEST_ATTACHMENTS:
        raise ValueError(
            f"The files are larger than {LARGEST_ATTACHMENTS // 1024 // 1024} MiB together. Leave some out."
        )
    return tuple(files)


def _attachment(value: object) -> Attachment:
    if not isinstance(value, dict):
        raise ValueError("This must be an object with filename, content_type and content.")
    fields = cast("dict[str, object]", value)
    filename, kind, content = fields.get("filename"), fields.get("content_type"), fields.get("content")
    if not isinstance(filename, str) or not 1 <= len(filename) <= LONGEST_ID or _has_control(filename):
        raise ValueError(f"The filename must have 1 to {LONGEST_ID} characters, none of them control characters.")
    filename = re.split(r"[/\\]", filename)[-1]  # a path of the sender's means nothing to who reads the mail
    if filename.strip() in ("", ".", ".."):
        raise ValueError("The filename must be the name of a file.")
    if kind is None:
        kind = "application/octet-stream"
    if not isinstance(kind, str) or not _MEDIA_TYPE.fullmatch(kind.lower()):
        raise ValueError("The content_type must be a media type such as audio/wav, without parameters.")
    if is_composite(kind):
        raise ValueError("The content_type must be that of a file, not of a mail: no multipart/* and no message/*.")
    if not isinstance(content, str):
        raise ValueError("The content must be the file in base64, in quotation marks.")
    try:
        return Attachment(filename, kind.lower(), b64decode(content, validate=True))
    except (Base64Error, ValueError):
        raise ValueError("The content is not valid base64 (RFC 4648, section 4).") from None


_PARSERS: Final[tuple[tuple[str, Callable[[object], Any]], ...]] = (
    ("id", _id),
    ("occurred_at", _time),
    ("variables", _variables),
    ("recipients", _recipients),
    ("attachments", _attachments),
)
"""What checks each of the fields that may be missing."""
