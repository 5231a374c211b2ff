"""The HTTPS of the makers' own token libraries, which are blocking; it runs on threads.

Every address must be one of the authority that was meant: what a discovery document says cannot send a secret to
another place.
"""

import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Final, Self, cast
from urllib.parse import urlsplit

import httpx

from ringpost.transports.smtp.wire import tls_context
from ringpost.transports.web import MAX_ANSWER, Answer, WebOptions, read_retry_after

_AGENT: Final = {"Accept": "application/json"}


class TokenRefused(Exception):
    """The authority answered, but not with a token."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(f"HTTP {answer.status}")
        self.answer = answer


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

    def ask(self, method: str, url: str, headers: Mapping[str, str], **what: Any) -> Answer:
        """The answer when it is 200 and JSON; else TokenRefused. httpx.HTTPError when nobody answers."""
        if _origin(url) != self._origin:
            raise OtherAuthority
        end = time.monotonic() + self._seconds
        with self._client.stream(method, url, headers={**_AGENT, **headers}, **what) as response:
            body = b""
            for piece in response.iter_bytes():
                body += piece
                if len(body) > MAX_ANSWER or time.monotonic() > end:
                    raise httpx.ReadTimeout("The answer does not end.")
            retry_after = read_retry_after(response.headers.get("retry-after"))
            answer = Answer(response.status_code, body, retry_after)
        if answer.status != 200 or answer.fields is None:
            raise TokenRefused(answer)
        return answer


class ForMsal:
    """The HTTP client that msal wants."""

    def __init__(self, asker: Asker) -> None:
        self._asker = asker

    def get(self, url: str, *, params: Any = None, headers: Mapping[str, str] | None = None, **_: Any) -> "MsalAnswer":
        """For the discovery of the endpoints."""
        return MsalAnswer(self._asker.ask("GET", url, headers or {}, params=params))

    def post(
        self, url: str, *, data: Any = None, params: Any = None, headers: Mapping[str, str] | None = None, **_: Any
    ) -> "MsalAnswer":
        """For the token."""
        # The assertion of a certificate comes as bytes, which httpx would write as b'...'.
        fields = cast("dict[str, str | bytes]", data or {})
        form = {name: value.decode() if isinstance(value, bytes) else value for name, value in fields.items()}
        return MsalAnswer(self._asker.ask("POST", url, headers or {}, params=params, data=form))

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
        return GoogleAnswer(self._asker.ask(method, url, cast("dict[str, str]", headers or {}), content=body))


class GoogleAnswer:
    """A good answer as google-auth reads it."""

    def __init__(self, answer: Answer) -> None:
        self.status = answer.status
        self.data = answer.body
        self.headers: dict[str, str] = {}


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port
