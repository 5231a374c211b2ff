"""Recognises why a token authority says no; the words for it are in `domain.traps.tokens`."""

import re
from typing import Final

from ringpost.domain.traps import Trap, tokens

_AADSTS = re.compile(r"AADSTS(\d+)")
_MICROSOFT: Final = {
    "7000215": tokens.MICROSOFT_SECRET_WRONG,
    "7000222": tokens.MICROSOFT_SECRET_EXPIRED,
    "65001": tokens.MICROSOFT_NO_CONSENT,
    "7000229": tokens.MICROSOFT_NO_CONSENT,
    "700016": tokens.MICROSOFT_APP_UNKNOWN,
    "90002": tokens.MICROSOFT_TENANT_UNKNOWN,
    "900023": tokens.MICROSOFT_TENANT_UNKNOWN,
    "700027": tokens.MICROSOFT_CERTIFICATE_UNKNOWN,
    "1000502": tokens.MICROSOFT_CERTIFICATE_EXPIRED,
    "700024": tokens.CLOCK_WRONG,
    "7000112": tokens.MICROSOFT_APP_DISABLED,
    "500011": tokens.MICROSOFT_OTHER_CLOUD,
    "900382": tokens.MICROSOFT_OTHER_CLOUD,
    "53003": tokens.MICROSOFT_POLICY,
}
"""Number of the error (AADSTS...) -> trap."""
_MICROSOFT_LATER: Final = frozenset({"90033", "90019", "50196", "90055"})
_GOOGLE_GRANT: Final = (
    ("email or user id", tokens.GOOGLE_MAILBOX_UNKNOWN),
    ("account not found", tokens.GOOGLE_ACCOUNT_GONE),
    ("jwt signature", tokens.GOOGLE_KEY_INVALID),
    ("timeframe", tokens.CLOCK_WRONG),
    ("expired or revoked", tokens.GOOGLE_CONSENT_ENDED),
)
_GOOGLE: Final = {
    "unauthorized_client": tokens.GOOGLE_NO_DELEGATION,
    "invalid_client": tokens.GOOGLE_CLIENT_REFUSED,
    "deleted_client": tokens.GOOGLE_CLIENT_REFUSED,
    "access_denied": tokens.GOOGLE_POLICY,
    "admin_policy_enforced": tokens.GOOGLE_POLICY,
    "org_internal": tokens.GOOGLE_POLICY,
    "invalid_scope": tokens.GOOGLE_NO_DELEGATION,
}


def for_microsoft(error: str, description: str) -> Trap | None:
    """The trap of a refusal; None when it is a matter of time."""
    numbers: list[str] = _AADSTS.findall(description)
    if error == "temporarily_unavailable" or _MICROSOFT_LATER.intersection(numbers):
        return None
    return next((_MICROSOFT[number] for number in numbers if number in _MICROSOFT), tokens.MICROSOFT_NO_TOKEN)


def for_google(error: str, description: str) -> Trap | None:
    """The trap of a refusal; None when it is a matter of time."""
    if error in ("temporarily_unavailable", "server_error", "internal_failure"):
        return None
    if error == "invalid_grant":
        said = description.lower()
        return next((trap for words, trap in _GOOGLE_GRANT if words in said), tokens.GOOGLE_NO_TOKEN)
    return _GOOGLE.get(error, tokens.GOOGLE_NO_TOKEN)
