"""Finds the English that is left on a German page: whole texts of the catalogue, and words that no German text has."""

import re
from collections.abc import Iterable
from html.parser import HTMLParser
from typing import Any

from babel.messages.pofile import read_po
from tests.console.hostile import HOSTILE

from ringpost.console.languages import FOLDER

_WORD = re.compile(r"(?<![\w@.:/%-])[^\W\d_]+(?![\w@:/-]|\.\w)")
"""A word of plain language: no part of an address, of a file's name or of what programs call each other."""
_QUOTED = re.compile(r"`[^`]*`|%\(\w+\)s")
_MARKUP = re.compile(r"<!|</?[a-z][a-z0-9]*[\s/>]|[{};]$")
"""A line of a template's HTML, or of its style."""
_OF_PROGRAMS = frozenset({"True", "False", "None"})
_SILENT = frozenset({"script", "style", "textarea", "code", "option"})


def english_of(page: str) -> list[str]:
    """Texts of a German page that are English, in whole or with a word of it."""
    return [text for text in texts_of(page) if is_english(text)]


def is_english(text: str) -> bool:
    """Whether it would be another text in German, or has a word that German has not."""
    rest = text.replace(HOSTILE, "")
    found = set[str]() if _MARKUP.search(rest) else words_of([rest])
    return text in _TEXTS or not found.isdisjoint(_WORDS | _OF_PROGRAMS)


def words_of(texts: Iterable[str]) -> set[str]:
    """The words of plain language in them, in lower case, without what is quoted and names in capitals."""
    found = {word for text in texts for word in _WORD.findall(_QUOTED.sub("", text))}
    return {word if word in _OF_PROGRAMS else word.lower() for word in found if not word.isupper()}


def texts_of(page: str) -> list[str]:
    """What people read of a page, and what is read out to them."""
    found = _Texts()
    found.feed(page)
    return found.texts


class _Texts(HTMLParser):
    """Collects texts, without those of fields and code."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self._within = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Labels that are read out are texts too."""
        if tag != "wbr":  # within a word
            self._within = tag
        self.texts += [
            value for name, value in attrs if value and name in ("aria-label", "title", "placeholder", "alt")
        ]

    def handle_endtag(self, tag: str) -> None:
        """What comes behind code is text again."""
        if tag in _SILENT:
            self._within = ""

    def handle_data(self, data: str) -> None:
        """A text."""
        if self._within not in _SILENT and data.strip():
            self.texts.append(data.strip())


def _both() -> tuple[frozenset[Any], frozenset[str]]:
    """Texts that are others in German, and words that only English texts have."""
    with (FOLDER / "de" / "LC_MESSAGES" / "ringpost.po").open("rb") as file:
        catalogue = [text for text in read_po(file, "de") if text.id]
    english = words_of(one for text in catalogue for one in _forms(text.id))
    german = words_of(one for text in catalogue for one in _forms(text.string))
    return frozenset(text.id for text in catalogue if text.id != text.string), frozenset(english - german)


def _forms(text: Any) -> tuple[str, ...]:
    """Of one and of many."""
    return (text,) if isinstance(text, str) else tuple(text)


_TEXTS, _WORDS = _both()
