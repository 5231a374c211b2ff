"""What goes in and out of the routes of OAuth credentials, as OpenAPI describes it; `domain.oauth` reads it."""

from typing import Any, Final

from pydantic import BaseModel, Field

from ringpost.domain.credentials import Cloud
from ringpost.domain.oauth import LONGEST_FILE, LONGEST_SECRET, Method, OAuthProvider

_HIDDEN: Final[dict[str, Any]] = {"format": "password", "writeOnly": True}
_DIRECTORY = "8d3b1f6e-0a57-4a7c-9a55-6f4f0f5f2c11"
_CLIENT = "1f2d7c1a-6a2b-4d0e-8c3e-0a1b2c3d4e5f"


class OAuthAnswer(BaseModel):
    """OAuth credentials, without their secrets."""

    provider: OAuthProvider | None = Field(description="null when there are none.")
    tenant: str | None = Field(description="Microsoft: the organisation.", examples=[_DIRECTORY])
    client_id: str | None = Field(examples=[_CLIENT])
    cloud: Cloud
    method: Method | None = Field(description="Which secret is stored.", examples=["client_secret"])
    service_account_email: str | None = Field(description="From Google's key file.", examples=[None])
    secret_expires_at: str | None = Field(
        description="As it was entered.",
        json_schema_extra={"format": "date-time"},
        examples=["2027-06-30T00:00:00.000Z"],
    )
    certificate_expires_at: str | None = Field(
        description="From the certificate.", json_schema_extra={"format": "date-time"}, examples=[None]
    )
    days_left: int | None = Field(
        description="Until the credentials end; 0 and less when they have. null when nobody knows.", examples=[219]
    )
    expiry_warning: str | None = Field(description="A sentence from 30 days before the end on.", examples=[None])


class OAuthRequest(BaseModel):
    """OAuth credentials. What is left out or null takes its default; a secret that is left out stays.

    Microsoft: `tenant`, `client_id`, and `client_secret` or `certificate`. Google: `service_account`; or `client_id`,
    `client_secret` and `refresh_token`. Stored secrets stay only while provider, tenant, client_id and cloud are
    unchanged (PASSWORD_REQUIRED).
    """

    provider: OAuthProvider = Field(description="Whose they are: the `type` of the mail server that they are for.")
    tenant: str | None = Field(
        None,
        max_length=253,
        description="Microsoft: the Directory (tenant) ID, or a domain of the organisation.",
        examples=[_DIRECTORY],
    )
    client_id: str | None = Field(
        None, max_length=256, description="The Application (client) ID, or Google's OAuth client.", examples=[_CLIENT]
    )
    cloud: Cloud | None = Field(None, description="Microsoft's cloud that the organisation is in. Default global.")
    client_secret: str | None = Field(
        None,
        max_length=LONGEST_SECRET,
        description="The secret's value.",
        json_schema_extra=_HIDDEN,
        examples=["the value of the secret"],
    )
    certificate: str | None = Field(
        None,
        max_length=LONGEST_FILE,
        description="Microsoft: private key and certificate in PEM, instead of a secret.",
        json_schema_extra=_HIDDEN,
    )
    secret_expires_at: str | None = Field(
        None,
        description="When the client secret ends: a time or a day (RFC 3339), as Microsoft shows it. For the warnings.",
        examples=["2027-06-30"],
    )
    service_account: str | None = Field(
        None,
        max_length=LONGEST_FILE,
        description="Google: the key file of a service account, the whole JSON as text.",
        json_schema_extra=_HIDDEN,
    )
    refresh_token: str | None = Field(
        None,
        max_length=LONGEST_SECRET,
        description="Google: of a user's consent, instead of a service account.",
        json_schema_extra=_HIDDEN,
    )
