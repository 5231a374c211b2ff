"""OAuth credentials as a resource: reading what was posted, what may stay of the stored ones, showing them, expiry.

What proves who we are is one of four (the method): a client secret or a certificate at Microsoft; a service account's
key or a user's refresh token at Google. Secrets are never shown. They stay while everything that says what they are for
is unchanged; else who may edit, but does not know them, could have them tried at another organisation.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final, Protocol, cast

from ringpost.domain.credentials import Cloud, Credentials, GoogleServiceAccount, GoogleUser, MicrosoftApp
from ringpost.domain.fields import Fields
from ringpost.domain.secrets import Secret
from ringpost.domain.times import DAY_MS, milliseconds_of, rfc3339
from ringpost.errors import PasswordRequired

LONGEST_SECRET: Final = 2048
LONGEST_FILE: Final = 32768
"""Characters of a certificate with its key and chain, or of a key file."""
WARN_DAYS: Final = (30, 14, 7, 1)
"""Days before the end at which a warning is due."""

_DIRECTORY = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,62}\.)*[A-Za-z0-9-]{0,62}[A-Za-z0-9]")
_NOT_ONE: Final = frozenset({"common", "organizations", "consumers"})


class OAuthProvider(StrEnum):
    """Whose credentials they are; the same words as the types of mail server."""

    MS365 = "MS365"
    GMAIL = "GMAIL"


class Method(StrEnum):
    """What proves who we are; the same words as the fields."""

    CLIENT_SECRET = "client_secret"  # noqa: S105  the name of a field
    CERTIFICATE = "certificate"
    SERVICE_ACCOUNT = "service_account"
    REFRESH_TOKEN = "refresh_token"  # noqa: S105  the name of a field


@dataclass(frozen=True, slots=True)
class KeyFacts:
    """What a certificate or key file says of itself."""

    expires_at: int | None = None
    """Milliseconds since 1970, UTC."""
    account: str | None = None
    """The address of a service account."""


class KeyReader(Protocol):
    """Reads certificates and key files. Both raise ValueError with what is wrong, for a person."""

    def certificate(self, pem: str) -> KeyFacts:
        """A certificate with its private key, in PEM."""
        ...

    def service_account(self, text: str) -> KeyFacts:
        """A key file of Google, in JSON."""
        ...


@dataclass(frozen=True, slots=True)
class OAuthSettings:
    """One set of credentials as stored; times in milliseconds since 1970, UTC."""

    provider: OAuthProvider
    method: Method | None
    """None only in what was posted: the stored secrets are to stay."""
    directory: str | None = None
    """Microsoft's `tenant`: the organisation's id or one of its domains."""
    client_id: str | None = None
    cloud: Cloud = Cloud.GLOBAL
    secret_expires_at: int | None = None
    """As typed by an administrator, because nobody else tells."""
    certificate_expires_at: int | None = None
    account: str | None = None
    secret: Secret | None = None
    """What the method says: a secret, PEM, JSON or a token."""
    client_secret: Secret | None = None
    """The OAuth client's secret, beside a refresh token."""

    @property
    def expires_at(self) -> int | None:
        """When these credentials end, as far as anybody knows."""
        if self.method is Method.CERTIFICATE:
            return self.certificate_expires_at
        return self.secret_expires_at if self.method is Method.CLIENT_SECRET else None

    def days_left(self, now: int) -> int | None:
        """Whole days until the end, begun ones counted; 0 and less when it is over."""
        return None if self.expires_at is None else -((now - self.expires_at) // DAY_MS)

    @property
    def credentials(self) -> Credentials:
        """As transports take them; with the secrets loaded."""
        secret = self.secret or Secret("")
        if self.provider is OAuthProvider.MS365:
            with_certificate = self.method is Method.CERTIFICATE
            return MicrosoftApp(
                self.directory or "",
                self.client_id or "",
                self.cloud,
                None if with_certificate else secret,
                secret if with_certificate else None,
            )
        if self.method is Method.REFRESH_TOKEN:
            return GoogleUser(self.client_id or "", self.client_secret or Secret(""), secret)
        key = cast("dict[str, Any]", json.loads(secret.reveal() or "{}"))
        private_key = Secret(str(key.get("private_key", "")))
        return GoogleServiceAccount(self.account or "", key.get("private_key_id"), private_key)


def parse_oauth(raw: Mapping[str, object], keys: KeyReader) -> OAuthSettings:
    """Credentials as posted; Invalid with every wrong field. They are still to be merged with the stored ones."""
    fields = Fields(raw)
    provider = fields.choice("provider", OAuthProvider, OAuthProvider.MS365, required=True)
    known = not fields.is_wrong("provider")
    settings = _google(fields, keys) if known and provider is OAuthProvider.GMAIL else _microsoft(fields, keys, known)
    fields.finish()
    return settings


def merge_oauth(old: OAuthSettings | None, new: OAuthSettings) -> OAuthSettings:
    """`new` with its own secrets or the stored ones. PasswordRequired when it has none and the stored ones must not."""
    if new.method is not None:
        return new
    if old is None or _destination(old, new.method) != _destination(new, old.method):
        needed = (
            "client_secret or certificate"
            if new.provider is OAuthProvider.MS365
            else "service_account, or client_id, client_secret and refresh_token"
        )
        raise PasswordRequired(
            f"Give the secret again: {needed}. The stored one stays only while provider, tenant, client_id and cloud "
            "are unchanged.",
            field="client_secret" if new.provider is OAuthProvider.MS365 else "service_account",
        )
    return replace(
        new,
        method=old.method,
        account=old.account,
        certificate_expires_at=old.certificate_expires_at,
        secret=old.secret,
        client_secret=old.client_secret,
    )


def oauth_to_json(settings: OAuthSettings | None, now: int) -> dict[str, object]:
    """The fields of GET /tenant/notification/oauth; nulls when there are none."""
    days = settings.days_left(now) if settings else None
    return {
        "provider": settings.provider.value if settings else None,
        "tenant": settings.directory if settings else None,
        "client_id": settings.client_id if settings else None,
        "cloud": settings.cloud.value if settings else Cloud.GLOBAL.value,
        "method": settings.method.value if settings and settings.method else None,
        "service_account_email": settings.account if settings else None,
        "secret_expires_at": rfc3339(settings.secret_expires_at) if settings else None,
        "certificate_expires_at": rfc3339(settings.certificate_expires_at) if settings else None,
        "days_left": days,
        "expiry_warning": expiry_warning(days),
    }


def expiry_warning(days: int | None) -> str | None:
    """A sentence while a warning is due; else None."""
    if days is None or days > WARN_DAYS[0]:
        return None
    if days <= 0:
        return "The credentials have expired. No mail is sent with them. Enter new ones."
    return f"The credentials expire within {days} {'day' if days == 1 else 'days'}. Make new ones and enter them."


def warning_due(days: int, warned: int | None) -> int | None:
    """The threshold that has been reached and not yet been warned of; `warned` is the last one that was."""
    reached = min((step for step in WARN_DAYS if days <= step), default=None)
    if reached is None or days <= 0 or (warned is not None and warned <= reached):
        return None
    return reached


def _microsoft(fields: Fields, keys: KeyReader, known: bool) -> OAuthSettings:
    directory = fields.text("tenant", longest=253, required=known)
    if directory and (directory.lower() in _NOT_ONE or not _DIRECTORY.fullmatch(directory)):
        fields.wrong("tenant", "This must be the Directory (tenant) ID, or a domain of the organisation.")
    secret = fields.secret("client_secret", longest=LONGEST_SECRET)
    pem = fields.block("certificate", longest=LONGEST_FILE)
    facts = _read(fields, "certificate", pem, keys.certificate)
    if secret and pem:
        fields.wrong("certificate", "Give a client_secret or a certificate, not both.")
    return OAuthSettings(
        OAuthProvider.MS365,
        Method.CERTIFICATE if pem else Method.CLIENT_SECRET if secret else None,
        directory=directory,
        client_id=fields.text("client_id", longest=128, required=known),
        cloud=fields.choice("cloud", Cloud, Cloud.GLOBAL),
        secret_expires_at=_moment(fields, "secret_expires_at"),
        certificate_expires_at=facts.expires_at,
        secret=Secret(pem or secret or "") if pem or secret else None,
    )


def _google(fields: Fields, keys: KeyReader) -> OAuthSettings:
    file = fields.block("service_account", longest=LONGEST_FILE)
    facts = _read(fields, "service_account", file, keys.service_account)
    client_id = fields.text("client_id", longest=256)
    secret = fields.secret("client_secret", longest=LONGEST_SECRET)
    token = fields.secret("refresh_token", longest=LONGEST_SECRET)
    if file:
        if token:
            fields.wrong("refresh_token", "Give a service_account or a refresh_token, not both.")
        return OAuthSettings(OAuthProvider.GMAIL, Method.SERVICE_ACCOUNT, account=facts.account, secret=Secret(file))
    if not (secret or token):
        return OAuthSettings(OAuthProvider.GMAIL, None, client_id=client_id)
    for name, value in (("client_id", client_id), ("client_secret", secret), ("refresh_token", token)):
        if not value and not fields.is_wrong(name):
            fields.wrong(name, "This field is required: client_id, client_secret and refresh_token go together.")
    return OAuthSettings(
        OAuthProvider.GMAIL,
        Method.REFRESH_TOKEN,
        client_id=client_id,
        secret=Secret(token or ""),
        client_secret=Secret(secret or ""),
    )


def _read(fields: Fields, name: str, text: str | None, read: Any) -> KeyFacts:
    if text is None:
        return KeyFacts()
    try:
        return read(text)
    except ValueError as error:
        fields.wrong(name, str(error))
        return KeyFacts()


def _moment(fields: Fields, name: str) -> int | None:
    text = fields.text(name, longest=40)
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
        at = milliseconds_of(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
    except ValueError:
        fields.wrong(name, "This must be a time such as 2027-01-31T00:00:00Z, or a day such as 2027-01-31.")
        return None
    return at


def _destination(settings: OAuthSettings, method: Method | None) -> tuple[object, ...]:
    """What the secrets are for. The other side's method tells whether a Google client is part of it."""
    if settings.provider is OAuthProvider.MS365:
        return settings.provider, (settings.directory or "").lower(), (settings.client_id or "").lower(), settings.cloud
    of_client = Method.REFRESH_TOKEN in (method, settings.method)
    return settings.provider, settings.client_id if of_client else None
