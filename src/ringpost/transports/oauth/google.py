"""Access tokens of Google: for a service account that acts for a user (RFC 7523), or by a user's refresh token."""

from datetime import UTC, datetime
from typing import Any, Final, cast

from ringpost.domain.credentials import GoogleServiceAccount, GoogleUser, Grant, Purpose
from ringpost.transports.oauth.asking import Asker, ForGoogle
from ringpost.transports.web import WebOptions

TOKEN_URL: Final = "https://oauth2.googleapis.com/token"  # noqa: S105  an address
API: Final = "https://gmail.googleapis.com"
SCOPES: Final = {
    Purpose.API: "https://www.googleapis.com/auth/gmail.send",
    Purpose.SMTP: "https://mail.google.com/",
}
_LIFE: Final = 3600.0
"""Seconds that Google's access tokens live when the answer does not say."""


def ask(grant: Grant, token_url: str, options: WebOptions) -> tuple[str, float]:
    """A token and its life in seconds. Blocking. Raises TokenRefused, OtherAuthority, httpx.HTTPError, ValueError."""
    credentials = _credentials(grant, token_url)
    with Asker(token_url, options) as asker:
        credentials.refresh(ForGoogle(asker))
    expiry: datetime | None = credentials.expiry
    if expiry is None:
        return str(credentials.token), _LIFE
    return str(credentials.token), (expiry - datetime.now(UTC).replace(tzinfo=None)).total_seconds()


def _credentials(grant: Grant, token_url: str) -> Any:
    # Imported here, because most commands need no token and start sooner without.
    from google.auth import crypt  # noqa: PLC0415
    from google.oauth2 import credentials as user  # noqa: PLC0415
    from google.oauth2 import service_account  # noqa: PLC0415

    own = grant.credentials
    if isinstance(own, GoogleServiceAccount):
        signer = cast("Any", crypt).RSASigner.from_string(own.private_key.reveal(), own.private_key_id)
        # The address for tokens in the key file is passed over: a tenant typed it.
        return cast("Any", service_account).Credentials(
            signer, own.client_email, token_url, scopes=[SCOPES[grant.purpose]], subject=grant.mailbox
        )
    assert isinstance(own, GoogleUser)  # noqa: S101  the caller's choice of module
    # Without scopes: the token then has those that the user agreed to.
    return cast("Any", user).Credentials(
        None,
        refresh_token=own.refresh_token.reveal(),
        token_uri=token_url,
        client_id=own.client_id,
        client_secret=own.client_secret.reveal(),
    )
