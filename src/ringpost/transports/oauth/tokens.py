"""Access tokens, kept until shortly before they end; whoever needs the same one at the same time asks once.

Tokens live in memory only. A provider's refusal is an Outcome, like every other failure on the way to a mail server.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

import httpx

from ringpost.domain.credentials import Cloud, Grant, MicrosoftApp
from ringpost.domain.deliveries import RETRY, Outcome, Party, Stage
from ringpost.domain.secrets import Secret
from ringpost.domain.traps import Trap
from ringpost.domain.traps import tokens as traps
from ringpost.transports.oauth import google, hints, microsoft
from ringpost.transports.oauth.asking import OtherAuthority, TokenRefused
from ringpost.transports.web import WebOptions, for_failure, words_of

MANY_KEPT: Final = 10_000
"""So many are kept without a look at which of them have ended."""
AHEAD: Final = 300.0
"""Seconds before its end at which a token is renewed; a tenth of its life at most."""


@dataclass(frozen=True, slots=True)
class Authorities:
    """Who gives tokens; the operator can name others."""

    microsoft: Mapping[Cloud, str] = field(default_factory=lambda: dict(microsoft.AUTHORITIES))
    google: str = google.TOKEN_URL


@dataclass(frozen=True, slots=True)
class _Kept:
    token: Secret
    renew_at: float
    ends_at: float


class Tokens:
    """The access tokens of one process. Belongs to the event loop that it is first used in."""

    def __init__(
        self, authorities: Authorities, options: WebOptions, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`clock`: monotonic seconds."""
        self._authorities = authorities
        self._options = options
        self._clock = clock
        self._kept: dict[Grant, _Kept] = {}
        self._many = MANY_KEPT
        self._asked: dict[Grant, asyncio.Task[Secret | Outcome]] = {}

    async def token(self, grant: Grant, *, instead_of: Secret | None = None) -> Secret | Outcome:
        """A token for this grant, or why there is none. `instead_of`: one that was refused and is of no more use."""
        kept, now = self._kept.get(grant), self._clock()
        if kept is None or kept.token == instead_of or now >= kept.ends_at:
            self._kept.pop(grant, None)
            return await asyncio.shield(self._asked_for(grant))
        if now >= kept.renew_at:
            self._asked_for(grant)  # whoever needs one meanwhile has this one, and waits for nobody
        return kept.token

    def _asked_for(self, grant: Grant) -> asyncio.Task[Secret | Outcome]:
        task = self._asked.get(grant)
        if task is None:
            task = self._asked[grant] = asyncio.create_task(self._ask(grant))
            task.add_done_callback(lambda _: self._asked.pop(grant, None))
        return task

    async def _ask(self, grant: Grant) -> Secret | Outcome:
        try:
            async with asyncio.timeout(self._options.token):
                text, life = await self._ask_on_a_thread(grant)
        except TokenRefused as refused:
            return _refused(grant, refused)
        except OtherAuthority:
            trap = traps.MICROSOFT_OTHER_CLOUD
            return Outcome(RETRY, Stage.TOKEN, Party.CONFIGURATION, hint=trap.hint, trap=trap.code)
        except (httpx.HTTPError, OSError) as error:  # TimeoutError is an OSError
            return for_failure(Stage.TOKEN, error)
        except Exception as error:  # noqa: BLE001  the libraries raise all sorts of things for keys that are damaged
            return _broken(error)
        now, token = self._clock(), Secret(text)
        if len(self._kept) >= self._many:
            self._forget_ended(now)
        self._kept[grant] = _Kept(token, now + life - min(AHEAD, life / 10), now + life)
        return token

    def _forget_ended(self, now: float) -> None:
        self._kept = {grant: kept for grant, kept in self._kept.items() if now < kept.ends_at}
        self._many = max(MANY_KEPT, 2 * len(self._kept))

    async def _ask_on_a_thread(self, grant: Grant) -> tuple[str, float]:
        ask, authority = google.ask, self._authorities.google
        if isinstance(grant.credentials, MicrosoftApp):
            ask, authority = microsoft.ask, self._authorities.microsoft[grant.credentials.cloud]
        threads = _threads_for(authority)
        return await asyncio.get_running_loop().run_in_executor(threads, ask, grant, authority, self._options)


def _refused(grant: Grant, refused: TokenRefused) -> Outcome:
    answer = refused.answer
    fields = answer.fields or {}
    error, description = (str(fields.get(name) or "") for name in ("error", "error_description"))
    words = words_of(f"{error}: {description}" if error else "", refused.sent)
    trap = _recognised(grant, answer.status, error, description)
    in_time = trap in (traps.TOKENS_NOT_NOW, traps.NOT_AN_AUTHORITY)
    return Outcome(
        RETRY,
        Stage.TOKEN,
        Party.MAIL_SERVER if in_time else Party.CONFIGURATION,
        answer.status,
        reply=words,
        hint=trap.hint,
        retry_after=answer.retry_after if in_time else None,
        trap=trap.code,
    )


def _recognised(grant: Grant, status: int, error: str, description: str) -> Trap:
    if status == 429 or status >= 500:
        return traps.TOKENS_NOT_NOW
    if not error:
        return traps.NOT_AN_AUTHORITY
    judge = hints.for_microsoft if isinstance(grant.credentials, MicrosoftApp) else hints.for_google
    return judge(error, description) or traps.TOKENS_NOT_NOW


def _broken(error: Exception) -> Outcome:
    """An exception of a library. Its text is kept out: it may hold what was entered."""
    trap = traps.CREDENTIALS_DAMAGED
    reply = f"Not usable: {type(error).__name__}"
    return Outcome(RETRY, Stage.TOKEN, Party.CONFIGURATION, reply=reply, hint=trap.hint, trap=trap.code)


@lru_cache(maxsize=8)
def _threads_for(_authority: str) -> ThreadPoolExecutor:
    # Threads of its own: an authority that does not answer must not keep those that work on the database, nor those
    # that ask another one.
    return ThreadPoolExecutor(max_workers=8, thread_name_prefix="token")
