"""Gmail and Google Workspace: sending through the Gmail API (developers.google.com, users.messages.send)."""

import json
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from typing import Any, Final, cast

from ringpost.domain.credentials import Grant
from ringpost.domain.deliveries import REJECTED, RETRY, SENT, Outcome, Party, Stage
from ringpost.domain.endpoints import GmailEndpoint
from ringpost.transports.providers import ApiTransport, Providers
from ringpost.transports.web import Answer

_PERMISSION: Final = (
    "Google does not let us send for this mailbox. Enable the Gmail API in the Google Cloud project, and give the "
    "service account or the consent the scope https://www.googleapis.com/auth/gmail.send."
)
_LOGIN: Final = "Google does not accept the access token, not even a fresh one. Check the OAuth credentials."
_MAILBOX: Final = "Google knows no such mailbox, or it has no Gmail. Check the username."
_NO_GMAIL: Final = "Gmail is not switched on for this user. Their administrator can give them a licence with Gmail."
_TOO_LARGE: Final = "The mail is larger than Gmail accepts (25 MB). Leave attachments out."
_BUSY: Final = "Gmail takes no more mails just now: a limit of the user or the project is used up. It is tried again."
_MESSAGE: Final = "Gmail refused the mail for good. Its own words say more."
_RECIPIENT: Final = "Gmail refused the recipient. Check the address."
_NOT_GMAIL: Final = (
    "What answered is not the Gmail API, or not as it is documented. The mail is tried again; nobody knows whether it "
    "was taken."
)
_UNKNOWN: Final = "Gmail answered something unexpected. The mail is tried again."


def gmail(endpoint: GmailEndpoint, providers: Providers, *, overall_s: float | None = None) -> ApiTransport:
    """The transport for one mailbox."""
    api = Gmail(endpoint, providers.options.gmail)
    return ApiTransport(api, providers, providers.pace_of(endpoint), overall_s=overall_s)


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

    def request(self, message: bytes) -> tuple[str, str, bytes]:
        """The mail in base64url, in JSON."""
        body = json.dumps({"raw": urlsafe_b64encode(message).decode("ascii")}).encode("ascii")
        return self._url, "application/json", body

    def judge(self, answer: Answer) -> Outcome:
        """200 with the id of the sent message is an acceptance; nothing else is."""
        fields = answer.fields or {}
        if answer.status == 200 and isinstance(fields.get("id"), str):
            return Outcome(SENT, Stage.ACCEPTED, code=200, reply=f"id {fields['id']}")
        error = _Error.read(fields)
        party, hint = _whose(answer.status, error)
        rejected = party in (Party.MESSAGE, Party.RECIPIENT) and answer.status in (400, 413)
        return Outcome(
            REJECTED if rejected else RETRY,
            Stage.API,
            party,
            answer.status,
            reply=error.words,
            hint=hint,
            ambiguous=answer.status < 300,
            retry_after=answer.retry_after if party is Party.MAIL_SERVER else None,
        )


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
    def is_a_limit(self) -> bool:
        """rateLimitExceeded, userRateLimitExceeded, dailyLimitExceeded, quotaExceeded and their kin."""
        return any("limitexceeded" in reason.lower() or reason == "quotaExceeded" for reason in self.reasons)


def _whose(status: int, error: _Error) -> tuple[Party | None, str]:  # noqa: PLR0911  a table
    if status < 300:
        return None, _NOT_GMAIL
    if status == 400:
        if "failedPrecondition" in error.reasons:
            return Party.CONFIGURATION, _NO_GMAIL
        return (Party.RECIPIENT, _RECIPIENT) if "Invalid To" in error.words else (Party.MESSAGE, _MESSAGE)
    if status == 401:
        return Party.CONFIGURATION, _LOGIN
    if status == 429 or (status == 403 and error.is_a_limit):
        return Party.MAIL_SERVER, _BUSY
    if status == 403:
        return Party.CONFIGURATION, _PERMISSION
    if status == 404:
        return Party.CONFIGURATION, _MAILBOX
    if status == 413:
        return Party.MESSAGE, _TOO_LARGE
    return Party.MAIL_SERVER, _BUSY if status >= 500 else _UNKNOWN
