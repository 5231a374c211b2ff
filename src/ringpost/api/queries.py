"""What parameters of a query may be."""

import re
from typing import Annotated

from pydantic import BeforeValidator

_WHOLE = re.compile(r"-?[0-9]{1,20}")


def _in_digits(value: object) -> object:
    if isinstance(value, str) and not _WHOLE.fullmatch(value):
        raise ValueError("This must be a whole number, in digits only.")
    return value


Whole = Annotated[int, BeforeValidator(_in_digits)]
"""A whole number as OpenAPI has it: pydantic alone takes `1.0`, `1_0` and blanks as well."""
