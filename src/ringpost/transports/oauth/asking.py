"""The HTTPS of the makers' own token libraries, which are blocking; it runs on threads.

Every address must be one of the authority that was meant: what a discovery document says cannot send a secret to
another place. And the libraries get to read only what makes sense, so whatever they raise is about the credentials.
"""

import json
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from types import TracebackType
from typing import Any, Final, Self, cast
from urllib.parse import parse_qsl, urlsplit

import httpx

from ringpost.domain.secrets import Secret
from ringpost.transports.connecting import tls_context
from ringpost.transports.web import UNPACKED, Answer, Body, WebOptions

LONGEST_LIFE: Final = 1e9
"""Seconds that a token may say it lives; more is no time that can be reckoned with."""

_AGENT: Final = {"Accept": "application/json"}
_PROOFS: Final = ("client_secret", "refresh_token", "client_assertion", "assertion")
"""The fields of a form that prove who we are."""
_VISIBLE = re.compile(r"[!-~]+")
"""What can stand in a header and an address; tokens are a part of it (RFC 6750 2.1)."""


class TokenRefused(Exception):
    """The authority answered, but not with a token."""

    def __init__(self, answer: Answer, sent: tuple[Secret, ...]) -> None:
        super().__init__(f"HTTP {answer.status}")
        self.answer = answer
        self.sent = sent
        """What proved who we are, and must not be seen in what the authority echoes."""


class OtherAuthority(Exception):
    """The authority wants a secret to go to another host. It does not."""


class Asker:
    """Asks one authority, and no other host."""

    def __init__(self, authority: str, options: WebOptions) -> None:
        self._origin = _origin(authority)
        self._seconds = options.token
        self._client = httpx.Client(
            verify=tls_context(options.ca_file),
            trust_env=False,
            follow_redirects=False,
            timeout=httpx.Timeout(min(options.token, 15)),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def ask(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        read: Callable[[Answer], Answer | None],
        form: Mapping[str, str] | None = None,
    ) -> Answer:
        """What `read` makes of an answer of 200; else TokenRefused. httpx.HTTPError when nobody answers.

        OtherAuthority, and nothing is sent, when `url` is elsewhere than where this one asks.
        """
        if _origin(url) != self._origin:
            raise OtherAuthority
        end = time.monotonic() + self._seconds
        with self._client.stream(method, url, headers={**_AGENT, **headers, **UNPACKED}, data=form) as response:
            body = Body(response)
            for piece in response.iter_raw():
                body.add(piece)
                if body.is_too_long or time.monotonic() > end:
                    raise httpx.ReadTimeout("The answer does not end.")
            answer = Answer.of(response, body.read)
        good = read(answer) if answer.status == 200 else None
        if good is None:
            raise TokenRefused(answer, tuple(Secret(form[name]) for name in _PROOFS if form and form.get(name)))
        return good


class ForMsal:
    """The HTTP client that msal wants."""

    def __init__(self, asker: Asker) -> None:
        self._asker = asker

    def get(self, url: str, *, headers: Mapping[str, str] | None = None, **_: Any) -> "MsalAnswer":
        """For the discovery of the endpoints."""
        return MsalAnswer(self._asker.ask("GET", url, headers or {}, _discovered))

    def post(self, url: str, *, data: Any = None, headers: Mapping[str, str] | None = None, **_: Any) -> "MsalAnswer":
        """For the token."""
        # The assertion of a certificate comes as bytes, which httpx would write as b'...'.
        fields = cast("dict[str, str | bytes]", data or {})
        form = {name: value.decode() if isinstance(value, bytes) else value for name, value in fields.items()}
        return MsalAnswer(self._asker.ask("POST", url, headers or {}, _granted, form))

    def close(self) -> None:
        """Whoever opened the Asker closes it."""


class MsalAnswer:
    """A good answer as msal reads it."""

    def __init__(self, answer: Answer) -> None:
        self.status_code = answer.status
        self.text = answer.body.decode("utf-8", "replace")
        self.headers: dict[str, str] = {}

    def raise_for_status(self) -> None:
        """It is good."""


class ForGoogle:
    """The callable that google-auth wants."""

    def __init__(self, asker: Asker) -> None:
        self._asker = asker

    def __call__(
        self, url: str, method: str = "GET", body: Any = None, headers: Any = None, **_: Any
    ) -> "GoogleAnswer":
        """One request."""
        form = dict(parse_qsl(cast("bytes", body or b"").decode(), keep_blank_values=True))
        return GoogleAnswer(
            self._asker.ask(method, url, cast("dict[str, str]", headers or {}), _granted_by_google, form)
        )


class GoogleAnswer:
    """A good answer as google-auth reads it."""

    def __init__(self, answer: Answer) -> None:
        self.status = answer.status
        self.data = answer.body
        self.headers: dict[str, str] = {}


def _granted(answer: Answer, *, says_life: bool = True) -> Answer | None:
    """What matters of an answer with a token (RFC 6749 5.1); None when it is none.

    `says_life`: the authority is known to say how long its tokens live, which it need not.
    """
    fields = answer.fields or {}
    token, life = fields.get("access_token"), fields.get("expires_in")
    if not isinstance(token, str) or not _VISIBLE.fullmatch(token):
        return None
    if (life is not None or says_life) and not _is_life(life):
        return None
    return replace(answer, body=json.dumps({"access_token": token, "expires_in": life}).encode())


_granted_by_google = partial(_granted, says_life=False)


def _is_life(value: object) -> bool:
    """Whether it is a number of seconds; some write it as text."""
    if isinstance(value, str):
        return value.isascii() and value.isdecimal() and len(value) < 10 and int(value) > 0
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= LONGEST_LIFE


def _discovered(answer: Answer) -> Answer | None:
    """A discovery whose endpoints are addresses; None when it is none."""
    fields = answer.fields or {}
    whole = all(_is_address(fields.get(name)) for name in ("authorization_endpoint", "token_endpoint"))
    return answer if whole else None


def _is_address(value: object) -> bool:
    if not isinstance(value, str) or not _VISIBLE.fullmatch(value):
        return False
    try:
        scheme, host, _ = _origin(value)
    except ValueError:
        return False
    return scheme == "https" and bool(host) and urlsplit(value).path[1:2] not in ("", "/")


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port
