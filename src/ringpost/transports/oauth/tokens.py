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

MOST_KEPT: Final = 10_000
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
        self._asked: dict[Grant, asyncio.Task[Secret | Outcome]] = {}

    async def token(self, grant: Grant, *, instead_of: Secret | None = None) -> Secret | Outcome:
        """A token for this grant, or why there is none. `instead_of`: one that was refused and is of no more use."""
        kept, now = self._kept.get(grant), self._clock()
        if kept is not None and (kept.token == instead_of or now >= kept.ends_at):
            del self._kept[grant]
            kept = None
        if kept is not None and now < kept.renew_at:
            return kept.token
        found = await self._ask_once(grant)
        if kept is not None and isinstance(found, Outcome) and found.party is Party.MAIL_SERVER:
            return kept.token  # there is still time to renew it later
        return found

    async def _ask_once(self, grant: Grant) -> Secret | Outcome:
        task = self._asked.get(grant)
        if task is None:
            task = self._asked[grant] = asyncio.create_task(self._ask(grant))
            task.add_done_callback(lambda _: self._asked.pop(grant, None))
        return await asyncio.shield(task)

    async def _ask(self, grant: Grant) -> Secret | Outcome:
        try:
            async with asyncio.timeout(self._options.token):
                text, life = await asyncio.get_running_loop().run_in_executor(_threads(), self._asker(grant))
        except TokenRefused as refused:
            return _refused(grant, refused)
        except OtherAuthority:
            trap = traps.MICROSOFT_OTHER_CLOUD
            return Outcome(RETRY, Stage.TOKEN, Party.CONFIGURATION, hint=trap.hint, trap=trap.code)
        except (httpx.HTTPError, OSError) as error:  # TimeoutError is an OSError
            return for_failure(Stage.TOKEN, error)
        except Exception as error:  # noqa: BLE001  the libraries raise all sorts of things for keys that are damaged
            return _broken(error)
        if len(self._kept) >= MOST_KEPT:
            self._kept.pop(next(iter(self._kept)))
        now, token = self._clock(), Secret(text)
        self._kept[grant] = _Kept(token, now + life - min(AHEAD, life / 10), now + life)
        return token

    def _asker(self, grant: Grant) -> Callable[[], tuple[str, float]]:
        if isinstance(grant.credentials, MicrosoftApp):
            authority = self._authorities.microsoft[grant.credentials.cloud]
            return lambda: microsoft.ask(grant, authority, self._options)
        return lambda: google.ask(grant, self._authorities.google, self._options)


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


@lru_cache(maxsize=1)
def _threads() -> ThreadPoolExecutor:
    # Threads of their own: an authority that does not answer must not keep the threads that work on the database.
    return ThreadPoolExecutor(max_workers=8, thread_name_prefix="token")
