"""What a page shows in a frame of its own: a mail, or a few words in its place."""

from typing import Final

from markupsafe import Markup
from starlette.responses import HTMLResponse

FRAME_HEADERS: Final = {
    "Content-Security-Policy": (
        "sandbox; default-src 'none'; img-src data:; style-src 'unsafe-inline'; form-action 'none'; base-uri 'none'; "
        "frame-ancestors 'self'"
    ),
    "X-Frame-Options": "SAMEORIGIN",
    "Referrer-Policy": "no-referrer",
}
"""Headers for what a tenant wrote, shown by itself: it may look as it likes, and do, load and send nothing."""

_TEXT: Final = Markup(
    '<!doctype html><meta charset="utf-8"><meta name="color-scheme" content="light dark">'
    "<style>body{{margin:1rem;font:.875rem/1.5 {font}}}pre{{margin:0;font:inherit;white-space:pre-wrap;"
    "overflow-wrap:anywhere}}</style><title>{title}</title><pre>{text}</pre>"
)
_MONO: Final = Markup("ui-monospace,Menlo,Consolas,monospace")
_SANS: Final = Markup("system-ui,sans-serif")


def mail_text(title: str, text: str) -> str:
    """The text of a mail as a page."""
    return _TEXT.format(font=_MONO, title=title, text=text)


def frame(html: str) -> HTMLResponse:
    """A page for a frame."""
    return HTMLResponse(html, headers=FRAME_HEADERS)


def words_in_frame(title: str, text: str, status: int = 200) -> HTMLResponse:
    """What is said in the place of a mail."""
    return HTMLResponse(_TEXT.format(font=_SANS, title=title, text=text), status, FRAME_HEADERS)
