"""Forms: what was posted, and what a page shows of it again, with an error beside each wrong field."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from starlette.datastructures import FormData, UploadFile

from ringpost.domain.addresses import wrong_recipients
from ringpost.errors import FieldError, Invalid, PasswordRequired

CSRF_FIELD: Final = "csrf"
MOST_FIELDS: Final = 500
MOST_FILES: Final = 4


@dataclass(frozen=True, slots=True)
class Posted:
    """The fields of a form as a browser sent them. All is text; what is not there is empty."""

    data: FormData = field(default_factory=FormData)

    def text(self, name: str) -> str:
        """The field's text, with the line ends of this house; "" when it is not there."""
        value = self.data.get(name, "")
        return value.replace("\r\n", "\n") if isinstance(value, str) else ""

    def texts(self, name: str) -> list[str]:
        """All values of a field that there may be several of."""
        return [value for value in self.data.getlist(name) if isinstance(value, str)]

    def flag(self, name: str) -> bool:
        """Whether a switch is on: browsers leave out those that are off."""
        return bool(self.text(name))

    def file(self, name: str) -> UploadFile | None:
        """A file that was chosen; None when there is none."""
        value = self.data.get(name)
        return value if isinstance(value, UploadFile) and value.filename else None

    def has(self, name: str) -> bool:
        """Whether the field was sent at all, such as the name of the button that was pressed."""
        return name in self.data


@dataclass(frozen=True, slots=True)
class Form:
    """What a page shows in its fields: values by name, and the error of each wrong field, in English."""

    values: Mapping[str, Any] = field(default_factory=dict[str, Any])
    errors: Mapping[str, str] = field(default_factory=dict[str, str])
    items: Mapping[str, Sequence[tuple[str, str]]] = field(default_factory=dict[str, Sequence[tuple[str, str]]])
    """Field -> the items that are wrong, each with what is wrong with it, where the field is a list."""

    def value(self, name: str) -> Any:
        """What stands in the field; "" for nothing. A secret is never shown again: do not put it in."""
        value = self.values.get(name)
        return "" if value is None else value

    def error(self, name: str) -> str:
        """What is wrong with the field; "" when nothing is."""
        return self.errors.get(name, "")


def refused(values: Mapping[str, Any], reason: Invalid | PasswordRequired) -> Form:
    """The form once more, as it was filled in, with what is wrong with it. Answer with status 422."""
    if isinstance(reason, PasswordRequired):
        return Form(values, {reason.field: reason.message})
    wrong: tuple[FieldError, ...] = reason.errors
    items = {
        error.field: wrong_recipients(str(values.get(error.field))) or [(error.item, error.message)]
        for error in wrong
        if error.item
    }
    return Form(values, {error.field: error.message for error in reversed(wrong)}, items)
