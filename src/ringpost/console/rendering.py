"""Pages from templates (Jinja2): escaped by default, and a name that is missing is a fault and not a blank."""

from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, Final

from babel import Locale
from babel.dates import format_datetime
from babel.numbers import format_decimal
from jinja2 import Environment, FileSystemLoader, StrictUndefined, pass_context
from jinja2.runtime import Context
from markupsafe import Markup
from starlette.responses import HTMLResponse

from ringpost.console.assets import assets
from ringpost.console.languages import Language, languages
from ringpost.console.navigation import is_current, navigation
from ringpost.console.visit import ROOT, THEMES, Visit

FOLDER: Final = Path(__file__).parent / "pages"


def render(visit: Visit, template: str, /, *, status: int = 200, **values: Any) -> HTMLResponse:
    """The page (or fragment) of this template. Templates see `visit` and what is given here."""
    page = _environment(visit.language).get_template(template)
    return HTMLResponse(page.render(visit=visit, **values), status)


@cache
def _environment(language: Language) -> Environment:
    """One for each language, because templates are compiled with its texts."""
    environment = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n", "jinja2.ext.do"],
    )
    # What Jinja2 and its extension say of these types is narrower than what they take.
    install: Any = getattr(environment, "install_gettext_translations")  # noqa: B009
    install(language.catalogue, newstyle=False)
    known: dict[str, Any] = {
        "asset": assets().url,
        "is_current": is_current,
        "languages": languages(),
        "moment": _moment,
        "navigation": navigation,
        "root": ROOT,
        "themes": THEMES,
    }
    environment.globals.update(known)

    def number(value: float) -> str:
        return format_decimal(value, locale=language.locale)

    environment.filters["number"] = number
    environment.filters["verbatim"] = _verbatim
    return environment


def _verbatim(text: str) -> Markup:
    """A text with what is to be read or written letter by letter, between backticks, as `<code>`."""
    parts = text.split("`")
    return Markup("").join(Markup("<code>{}</code>").format(part) if n % 2 else part for n, part in enumerate(parts))


@pass_context
def _moment(context: Context, milliseconds: int | None, *, seconds: bool = False) -> Markup:
    """`<time>` in the tenant's zone; its title has the zone, its attribute the time in UTC. A dash for none.

    The zone is shown with a time that clocks show twice, because they are set back.
    """
    if milliseconds is None:
        return Markup("–")  # noqa: RUF001  a dash, typographically
    visit: Visit = context["visit"]
    at = datetime.fromtimestamp(milliseconds / 1000, UTC)
    locale = visit.language.locale
    shown = format_datetime(at, "medium" if seconds else _to_the_minute(locale), visit.zone, locale)
    if _is_twice(at.astimezone(visit.zone)):
        shown = f"{shown} {format_datetime(at, 'z', visit.zone, locale)}"
    whole = format_datetime(at, "full", visit.zone, locale)
    return Markup('<time datetime="{}" title="{}">{}</time>').format(f"{at:%Y-%m-%dT%H:%M:%SZ}", whole, shown)


def _is_twice(at: datetime) -> bool:
    """Whether clocks in its zone show this time twice."""
    return at.utcoffset() != at.replace(fold=1 - at.fold).utcoffset()


@cache
def _to_the_minute(locale: Locale) -> str:
    """The pattern of a date and a time as in `medium`, which has no form without seconds."""
    date, time = (formats.pattern for formats in (locale.date_formats["medium"], locale.time_formats["short"]))
    return locale.datetime_formats["medium"].replace("{1}", date).replace("{0}", time)
