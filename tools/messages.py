"""Extract the texts of the console for translation, and lay them into the file of every language.

Run: python tools/messages.py [--check]

Texts come from the templates of pages, from `say(...)` and `N_(...)` in the console, and from the messages of
`FieldError(field, ...)` and `wrong(field, ...)` wherever fields are checked, the descriptions of events and their
variables, and the catalogue of traps. What is new in a language's file is empty until somebody translates it; similar
texts are not guessed from.
`--check` writes nothing and fails when that is due.
"""

import io
import sys
from pathlib import Path
from typing import Any, Final

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

ROOT: Final = Path(__file__).parent.parent / "src" / "ringpost"
LOCALE: Final = ROOT / "console" / "locale"
TEMPLATE: Final = LOCALE / "ringpost.pot"

_PYTHON: Final = {"say": None, "N_": None}
_FIELDS: Final = {"FieldError": (2,), "wrong": (2,)}
_VARIABLES: Final = {"Variable": (2,), "_type": (2,)}
_TRAPS: Final = ({"Trap": (2,)}, {"Trap": (3,)}, {"Trap": (4,)}, {"Trap": (5,)})
"""Title, sign, what it means, what to do: a pass for each, because several texts of one call would be plural forms."""
_TYPES: Final = {"EventType": (2,)}
"""A pass of its own: what stands in the brackets of one is not looked through for others."""
_JINJA: Final = {"_": None, "gettext": None, "ngettext": (1, 2)}


def main() -> int:
    """The exit code: 1 when `--check` found something to do."""
    files = {TEMPLATE: (template := extract())}
    for path in sorted(LOCALE.glob("*/LC_MESSAGES/ringpost.po")):
        with path.open("rb") as file:
            catalogue = read_po(file, path.parts[-3])
        catalogue.update(template, no_fuzzy_matching=True)
        catalogue.obsolete.clear()
        files[path] = catalogue
    stale = [path for path, catalogue in files.items() if not path.exists() or path.read_bytes() != _text(catalogue)]
    if "--check" in sys.argv[1:]:
        for path in stale:
            sys.stderr.write(f"{path.name} is not up to date. Run: make messages\n")
        return 1 if stale else 0
    for path in stale:
        path.write_bytes(_text(files[path]))
        sys.stdout.write(f"Wrote {path.relative_to(ROOT.parent.parent)}\n")
    return 0


def extract() -> Catalog:
    """All texts there are, in the order of the files."""
    catalogue = Catalog(project="ringpost", charset="utf-8", header_comment="# Texts of the console, in English.")
    options = {
        "**.html": {
            "trimmed": "false",
            "silent": "false",
            "newstyle_gettext": "false",
            "extensions": "jinja2.ext.do",
        }
    }
    places: tuple[tuple[Path, list[tuple[str, str]], dict[str, Any], dict[str, Any]], ...] = (
        (ROOT / "console" / "pages", [("**.html", "jinja2.ext:babel_extract")], _JINJA, options),
        (ROOT / "console", [("**.py", "python")], {**_PYTHON, **_FIELDS}, {}),
        *((ROOT / folder, [("**.py", "python")], _FIELDS, {}) for folder in ("domain", "usecases")),
        *((ROOT / "domain" / "traps", [("**.py", "python")], part, {}) for part in _TRAPS),
        (ROOT / "domain", [("catalogue.py", "python"), ("system_events.py", "python")], _VARIABLES, {}),
        (ROOT / "domain", [("system_events.py", "python")], _TYPES, {}),
    )
    for folder, methods, keywords, settings in places:
        found = extract_from_dir(folder, methods, settings, keywords, strip_comment_tags=True)
        for name, _line, message, _comments, context in sorted(found, key=lambda one: (one[0], one[1])):
            place = (folder / name).relative_to(ROOT).as_posix()
            catalogue.add(message, locations=[(place, None)], context=context)  # type: ignore[arg-type]
    return catalogue


def _text(catalogue: Catalog) -> bytes:
    """Without line numbers and dates, which would change with every edit."""
    written = io.BytesIO()
    write_po(written, catalogue, width=100, include_lineno=False, omit_header=False, ignore_obsolete=True)
    lines = written.getvalue().decode().splitlines(keepends=True)
    dated = ('"Report-Msgid-Bugs-To', '"POT-Creation-Date', '"PO-Revision-Date', '"Generated-By', '"Language-Team')
    return "".join(line for line in lines if not line.startswith(dated)).encode()


if __name__ == "__main__":
    sys.exit(main())
