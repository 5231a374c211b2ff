"""The mailbox in a browser. What mails hold is shown in a sandbox without scripts, forms and outside resources."""

from collections.abc import Callable
from importlib.resources import files
from typing import Final
from urllib.parse import quote

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from ringpost.demo import pages, reading
from ringpost.demo.mailbox import Mail, Mailbox

_COMMON: Final = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cache-Control": "no-store"}
_PAGE: Final = _COMMON | {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; "
    "frame-src 'self'; img-src data:; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
}
_FOREIGN: Final = _COMMON | {
    "Content-Security-Policy": "sandbox; default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
    "form-action 'none'; base-uri 'none'; frame-ancestors 'self'"
}
_STATIC: Final = {"viewer.css": "text/css", "viewer.js": "text/javascript"}


def create_viewer(mailbox: Mailbox) -> Starlette:
    """The viewer of one mailbox, for this machine only."""
    views = _Views(mailbox)
    static = [Route(f"/{name}", _static(name, kind)) for name, kind in _STATIC.items()]
    return Starlette(
        routes=[
            Route("/", views.newest),
            Route("/list", views.list),
            Route("/mails/{number:int}", views.mail),
            Route("/mails/{number:int}/content", views.content),
            Route("/mails/{number:int}/raw", views.raw),
            Route("/mails/{number:int}/files/{index:int}", views.file),
            Route("/mails/{number:int}/{view}", views.mail),
            *static,
        ],
        # Another site's name that was made to point here (DNS rebinding) does not get to read the mails.
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost", "[::1]"])],
    )


class _Views:
    def __init__(self, mailbox: Mailbox) -> None:
        self._mailbox = mailbox

    async def newest(self, _request: Request) -> Response:
        mails = self._mailbox.mails
        shown = mails[-1] if mails else None
        page = pages.page(mails, shown, pages.first_view(shown) if shown else "", at_list=True)
        return HTMLResponse(page, headers=_PAGE)

    async def list(self, request: Request) -> Response:
        current = request.query_params.get("current", "")
        return HTMLResponse(
            pages.mail_list(self._mailbox.mails, int(current) if current.isdecimal() else None), headers=_PAGE
        )

    async def mail(self, request: Request) -> Response:
        mail = self._find(request)
        if mail is None:
            return self._gone()
        view = request.path_params.get("view", pages.first_view(mail))
        if view not in pages.VIEWS:
            return self._gone()
        return HTMLResponse(pages.page(self._mailbox.mails, mail, view, at_list=False), headers=_PAGE)

    async def content(self, request: Request) -> Response:
        mail = self._find(request)
        html = reading.html_of(mail) if mail else None
        return self._gone() if html is None else HTMLResponse(html, headers=_FOREIGN)

    async def raw(self, request: Request) -> Response:
        mail = self._find(request)
        if mail is None:
            return self._gone()
        return _download(mail.raw, f"mail-{mail.number}.eml")

    async def file(self, request: Request) -> Response:
        mail = self._find(request)
        if mail is None:
            return self._gone()
        found, index = reading.files_of(mail), int(request.path_params["index"])
        return _download(found[index].data, found[index].name) if index < len(found) else self._gone()

    def _find(self, request: Request) -> Mail | None:
        return self._mailbox.find(request.path_params["number"])

    def _gone(self) -> Response:
        return HTMLResponse(pages.gone(self._mailbox.mails), 404, _PAGE)


def _download(data: bytes, name: str) -> Response:
    disposition = f"attachment; filename*=UTF-8''{quote(name, safe='')}"
    return Response(
        data, media_type="application/octet-stream", headers=_FOREIGN | {"Content-Disposition": disposition}
    )


def _static(name: str, kind: str) -> Callable[[Request], Response]:
    text = (files("ringpost.demo") / name).read_text("utf-8")

    def serve(_request: Request) -> Response:
        return PlainTextResponse(text, media_type=kind, headers=_COMMON)

    return serve
