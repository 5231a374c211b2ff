"""Gmail and Google Workspace: sending through the Gmail API (developers.google.com, users.messages.send)."""

import json
import re
from base64 import urlsafe_b64encode
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, cast

from ringpost.domain.credentials import Grant
from ringpost.domain.deliveries import SENT, Outcome, Party, Stage
from ringpost.domain.endpoints import GmailEndpoint
from ringpost.domain.traps import Trap
from ringpost.domain.traps import provider_apis as traps
from ringpost.transports.providers import ApiTransport, MailRequest, Providers, not_taken
from ringpost.transports.web import Answer, seconds_until

_COME_BACK: Final = re.compile(r"Retry after (\d{4}-\d\d-\d\dT[\d:.]{8,15}Z)")


def gmail(
    endpoint: GmailEndpoint, providers: Providers, *, overall_s: float | None = None, urgent: bool = False
) -> ApiTransport:
    """The transport for one mailbox."""
    api = Gmail(endpoint, providers.options.gmail)
    return ApiTransport(api, endpoint, providers, overall_s=overall_s, urgent=urgent)


class Gmail:
    """How the Gmail API takes a mail, and what its answers mean. Implements `MailApi`."""

    def __init__(self, endpoint: GmailEndpoint, base: str) -> None:
        self._endpoint = endpoint
        # The token says whose mailbox it is.
        self._url = f"{base}/gmail/v1/users/me/messages/send"

    @property
    def grant(self) -> Grant:
        """The access token that it takes."""
        return self._endpoint.grant

    def request(self, message: bytes) -> MailRequest:
        """The mail in base64url, in JSON."""
        body = json.dumps({"raw": urlsafe_b64encode(message).decode("ascii")}).encode("ascii")
        return MailRequest(self._url, "application/json", body)

    def judge(self, answer: Answer) -> Outcome:
        """200 with the id of the sent message is an acceptance; nothing else is."""
        fields = answer.fields or {}
        if answer.status == 200 and isinstance(fields.get("id"), str):
            return Outcome(SENT, Stage.ACCEPTED, code=200, reply=f"id {fields['id']}")
        error = _Error.read(fields)
        party, trap = _whose(answer.status, error)
        wait = answer.retry_after if error.come_back is None else seconds_until(error.come_back, answer.at)
        return not_taken(replace(answer, retry_after=wait), party, trap, error.words)


@dataclass(frozen=True, slots=True)
class _Error:
    """Google's error body, as far as it matters."""

    reasons: frozenset[str] = frozenset()
    words: str = ""

    @classmethod
    def read(cls, fields: dict[str, Any]) -> "_Error":
        error = fields.get("error")
        if not isinstance(error, dict):
            return cls()
        inside = cast("dict[str, Any]", error)
        listed = cast("list[Any]", inside["errors"]) if isinstance(inside.get("errors"), list) else []
        reasons = {str(cast("dict[str, Any]", one).get("reason")) for one in listed if isinstance(one, dict)}
        words = ": ".join(filter(None, (", ".join(sorted(reasons)), str(inside.get("message") or ""))))
        return cls(frozenset(reasons | {str(inside.get("status") or "")}), words)

    @property
    def come_back(self) -> datetime | None:
        """When to; it stands in the words, and mostly nowhere else."""
        found = _COME_BACK.search(self.words)
        try:
            return None if found is None else datetime.fromisoformat(found[1])
        except ValueError:
            return None

    @property
    def is_a_limit(self) -> bool:
        """rateLimitExceeded, userRateLimitExceeded, dailyLimitExceeded, quotaExceeded and their kin."""
        return any("limitexceeded" in reason.lower() or reason == "quotaExceeded" for reason in self.reasons)


def _whose(status: int, error: _Error) -> tuple[Party | None, Trap]:  # noqa: PLR0911  a table
    if status < 300:
        return None, traps.NOT_GMAIL
    if status == 400:
        if "failedPrecondition" in error.reasons:
            return Party.CONFIGURATION, traps.GMAIL_SWITCHED_OFF
        return (
            (Party.RECIPIENT, traps.GMAIL_RECIPIENT_REFUSED)
            if "Invalid To" in error.words
            else (Party.MESSAGE, traps.GMAIL_MAIL_REFUSED)
        )
    if status == 401:
        return Party.CONFIGURATION, traps.GMAIL_LOGIN_REFUSED
    if status == 429 or (status == 403 and error.is_a_limit):
        return Party.MAIL_SERVER, traps.GMAIL_BUSY
    if status == 403:  # whatever its reason, it is about who sends: mail waits until that is mended (docs/gmail.md)
        return Party.CONFIGURATION, traps.GMAIL_NO_PERMISSION
    if status == 404:
        return Party.CONFIGURATION, traps.GMAIL_NO_MAILBOX
    if status == 413:
        return Party.MESSAGE, traps.GMAIL_TOO_LARGE
    return Party.MAIL_SERVER, traps.GMAIL_BUSY if status >= 500 else traps.GMAIL_UNKNOWN
