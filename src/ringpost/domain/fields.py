"""Reading the fields of a JSON object, strictly, and telling of all that are wrong at once.

Nothing is converted: `"25"` and `true` are no port. Null and left out are the same, and mean the field's default
(docs/api.md#settings). Text is trimmed, and refused when a control character is in it.
"""

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import TypeVar, cast

from ringpost.domain.addresses import BLANKS, unseen_character
from ringpost.errors import FieldError, Invalid

Choice = TypeVar("Choice", bound=StrEnum)
Parsed = TypeVar("Parsed")

_CONTROLS = frozenset(map(chr, (*range(0x20), *range(0x7F, 0xA0)))) | {"\u2028", "\u2029"}


def as_object(value: object, field: str = "body") -> Mapping[str, object]:
    """The value when it is a JSON object; else Invalid."""
    if not isinstance(value, dict):
        raise Invalid(FieldError(field, "This must be a JSON object, such as {}."))
    return cast("Mapping[str, object]", value)


class Fields:
    """The fields of one object, and what was wrong with those read so far. Call `finish` when all are read.

    A wrong field reads as its default, so that reading goes on; `finish` sees to it that nobody uses the result.
    """

    def __init__(self, raw: Mapping[str, object]) -> None:
        self._raw = raw
        self._errors: list[FieldError] = []

    def finish(self) -> None:
        """Invalid with one error per wrong field, in the order in which they were read."""
        if self._errors:
            raise Invalid(*self._errors)

    def wrong(self, field: str, message: str) -> None:
        """Note that a field is wrong; the first thing said about a field stands."""
        if not self.is_wrong(field):
            self._errors.append(FieldError(field, message))

    def is_wrong(self, field: str) -> bool:
        """True when something was wrong with the field."""
        return any(error.field == field for error in self._errors)

    def is_null(self, field: str) -> bool:
        """True when the field was given, and as null."""
        return field in self._raw and self._raw[field] is None

    def is_given(self, field: str) -> bool:
        """True when the field says something, of whatever kind; blank text says no more than null, and nor does 0."""
        value = self._raw.get(field)
        if isinstance(value, str):
            return bool(value.strip(BLANKS))
        return value is not None and (isinstance(value, bool) or value != 0)

    def text(self, field: str, *, longest: int, required: bool = False) -> str | None:
        """Trimmed text of at most so many characters; None when blank."""
        value = self._raw_text(field)
        text = (value or "").strip(BLANKS)
        if self.is_wrong(field):
            return None
        if len(text) > longest:
            self.wrong(field, f"This is too long: at most {longest} characters.")
        elif unseen_character(text) is not None:
            self.wrong(field, "There is a line break or another invisible character in it. Type it anew.")
        elif required and not text:
            self.wrong(field, "This field is required.")
        else:
            return text or None
        return None

    def secret(self, field: str, *, longest: int) -> str | None:
        """Text as it is, blanks and all; None when left out, which is not the same as empty."""
        value = self._raw_text(field)
        if value is not None and len(value) > longest:
            self.wrong(field, f"This is too long: at most {longest} characters.")
        elif value is not None and not _CONTROLS.isdisjoint(value):
            self.wrong(field, "There is a line break or another control character in it. Type it anew.")
        return value

    def block(self, field: str, *, longest: int) -> str | None:
        """Text of many lines as it is, such as a key; None when blank."""
        value = self._raw_text(field)
        if value is not None and len(value) > longest:
            self.wrong(field, f"This is too long: at most {longest} characters.")
            return None
        return value if value and value.strip() else None

    def flag(self, field: str, *, default: bool) -> bool:
        """True or false."""
        value = self._raw.get(field)
        if value is None:
            return default
        if not isinstance(value, bool):
            self.wrong(field, "This must be true or false, without quotation marks.")
            return default
        return value

    def integer(self, field: str, lowest: int, highest: int) -> int | None:
        """A whole number."""
        value = self._raw.get(field)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int) or not lowest <= value <= highest:
            self.wrong(field, f"This must be a whole number from {lowest} to {highest}, without quotation marks.")
            return None
        return value

    def number(self, field: str, lowest: int, highest: int, *, default: float) -> float:
        """A number with or without decimals."""
        value = self._raw.get(field)
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, int | float) or not lowest <= value <= highest:
            self.wrong(field, f"This must be a number from {lowest} to {highest}, without quotation marks.")
            return default
        return float(value)

    def choice(
        self, field: str, choices: type[Choice], default: Choice, *, required: bool = False, beside: str = ""
    ) -> Choice:
        """One of a few words, exactly as they are written. `beside`: what else the caller takes, for the message."""
        value = self._raw.get(field)
        if value is None and not required:
            return default
        if value is None:
            self.wrong(field, f"This field is required. It is one of {', '.join(choices)}.")
            return default
        if not isinstance(value, str) or value not in choices.__members__.values():
            self.wrong(field, f"This must be one of {', '.join(choices)}{beside}, spelled exactly so.")
            return default
        return choices(value)

    def parsed(self, field: str, parse: Callable[[str], Parsed], default: Parsed, *, required: bool = False) -> Parsed:
        """Text that `parse` understands; it raises Invalid when it does not. Blank is the default."""
        value = self._raw_text(field)
        if value is None or not value.strip():
            if required:
                self.wrong(field, "This field is required.")
            return default
        try:
            return parse(value)
        except Invalid as fault:
            self._errors.extend(fault.errors)
            return default

    def _raw_text(self, field: str) -> str | None:
        value = self._raw.get(field)
        if value is None or isinstance(value, str):
            return value
        self.wrong(field, "This must be text, in quotation marks.")
        return None
