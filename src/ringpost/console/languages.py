"""The languages that the console speaks: gettext catalogues, read from their .po files at the start.

English is what stands in the code. Which one a person sees: the one chosen, else the tenant's, else the browser's.
"""

import gettext
import io
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from babel import Locale, UnknownLocaleError
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

from ringpost.console.marking import N_
from ringpost.console.plain_words import MESSAGES, OTHERWISE, in_plain

__all__ = ["ENGLISH", "FOLDER", "N_", "Language", "choose_language", "languages"]

FOLDER: Final = Path(__file__).parent / "locale"
ENGLISH: Final = "en"


@dataclass(frozen=True, slots=True, eq=False)
class Language:
    """One of them. `tag` is its BCP 47 tag, `name` what its speakers call it."""

    tag: str
    name: str
    locale: Locale
    """How dates and numbers are written."""
    catalogue: gettext.NullTranslations

    def say(self, message: str, **values: object) -> str:
        """The message in this language, with `%(name)s` filled in."""
        said = self.catalogue.gettext(message) if message else ""
        return said % values if values else said


class _English(gettext.NullTranslations):
    """What stands in the code; what others say, in the words of the console."""

    def gettext(self, message: str) -> str:
        """The message as people are told it."""
        said = super().gettext(OTHERWISE.get(message, message))
        if said != message:
            return said
        plain, values = in_plain(message)
        if plain == message:
            return message
        told = {name: self.gettext(value) if name in MESSAGES else value for name, value in values.items()}
        return self.gettext(plain) % told if told else self.gettext(plain)


class _Translated(_English, gettext.GNUTranslations):
    """The same in another language."""


@cache
def languages() -> dict[str, Language]:
    """All languages by tag, English first."""
    found = {ENGLISH: Language(ENGLISH, "English", Locale.parse("en_GB"), _English())}
    for path in sorted(FOLDER.glob("*/LC_MESSAGES/ringpost.po")):
        locale = Locale.parse(path.parts[-3])
        with path.open("rb") as file:
            catalogue = read_po(file, locale)
        compiled = io.BytesIO()
        write_mo(compiled, catalogue)
        compiled.seek(0)
        tag = str(locale).replace("_", "-")
        found[tag] = Language(tag, locale.get_language_name() or tag, locale, _Translated(compiled))
    return found


def choose_language(wanted: Iterable[str | None], accepted: str = "") -> Language:
    """The first of the tags `wanted` that there is, else what the browser accepts (RFC 9110 12.5.4), else English."""
    known = languages()
    for tag in (*wanted, *_in_order(accepted)):
        found = known.get(_base(tag or ""))
        if found is not None:
            return found
    return known[ENGLISH]


def _base(tag: str) -> str:
    """`de-CH` is German; regions have no catalogues of their own."""
    try:
        return Locale.parse(tag, sep="-" if "-" in tag else "_").language
    except (ValueError, UnknownLocaleError, TypeError):
        return ""


def _in_order(accepted: str) -> list[str]:
    weighed: list[tuple[float, str]] = []
    for part in accepted[:500].split(","):
        tag, _, parameter = part.partition(";")
        try:
            weight = float(parameter.partition("=")[2] or 1)
        except ValueError:
            continue
        weighed.append((-weight, tag.strip()))
    return [tag for weight, tag in sorted(weighed, key=lambda one: one[0]) if weight < 0]
