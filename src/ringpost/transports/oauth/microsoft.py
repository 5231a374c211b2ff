"""Access tokens of Microsoft Entra by client credentials (RFC 6749 4.4), with a secret or a certificate."""

import re
from typing import Any, Final, cast

from ringpost.domain.credentials import Cloud, Grant, MicrosoftApp, Purpose
from ringpost.transports.oauth.asking import Asker, ForMsal
from ringpost.transports.web import WebOptions

AUTHORITIES: Final = {
    Cloud.GLOBAL: "https://login.microsoftonline.com",
    Cloud.US_GOVERNMENT: "https://login.microsoftonline.us",
    Cloud.CHINA: "https://login.partner.microsoftonline.cn",
}
GRAPHS: Final = {
    Cloud.GLOBAL: "https://graph.microsoft.com",
    Cloud.US_GOVERNMENT: "https://graph.microsoft.us",
    Cloud.CHINA: "https://microsoftgraph.chinacloudapi.cn",
}
_OUTLOOK: Final = {
    Cloud.GLOBAL: "https://outlook.office365.com",
    Cloud.US_GOVERNMENT: "https://outlook.office365.us",
    Cloud.CHINA: "https://partner.outlook.cn",
}
_PRIVATE_KEY = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.+?-----END [A-Z ]*PRIVATE KEY-----", re.DOTALL)
_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


def ask(grant: Grant, authority: str, options: WebOptions) -> tuple[str, float]:
    """A token and its life in seconds. Blocking. Raises TokenRefused, OtherAuthority, httpx.HTTPError, ValueError."""
    app = grant.credentials
    assert isinstance(app, MicrosoftApp)  # noqa: S101  the caller's choice of module
    import msal  # noqa: PLC0415  most commands need no token, and start sooner without it

    with Asker(authority, options) as asker:
        client = cast("Any", msal).ConfidentialClientApplication(
            app.client_id,
            client_credential=_credential(app),
            authority=f"{authority}/{app.tenant}",
            http_client=ForMsal(asker),
            instance_discovery=False,  # the authority is the operator's word; nobody else is asked about it
            azure_region=False,  # nor is the environment (MSAL_FORCE_REGION)
        )
        found: dict[str, Any] = client.acquire_token_for_client([_scope(grant, app.cloud)])
    return str(found["access_token"]), float(found["expires_in"])


def _scope(grant: Grant, cloud: Cloud) -> str:
    host = _OUTLOOK[cloud] if grant.purpose is Purpose.SMTP else GRAPHS[cloud]
    return f"{host}/.default"


def _credential(app: MicrosoftApp) -> str | dict[str, str]:
    if app.certificate is None:
        return app.client_secret.reveal() if app.client_secret else ""
    pem = app.certificate.reveal()
    key, certificate = _PRIVATE_KEY.search(pem), _CERTIFICATE.search(pem)
    if key is None or certificate is None:
        raise ValueError("The certificate is not complete.")
    return {"private_key": key[0], "public_certificate": certificate[0]}
