"""Which settings to change against a trap, as data: only what would be different."""

from typing import Any, Final

from ringpost.domain.endpoints import Auth
from ringpost.domain.hosts import IMPLICIT_PORTS, STARTTLS_PORTS
from ringpost.domain.mail_servers import MailServer, ServerType
from ringpost.domain.providers import Provider, is_personal
from ringpost.domain.settings import mail_server_to_json
from ringpost.domain.traps import encryption, login, mail, reaching, sender_domain

_STARTTLS: Final = {"enable_tls_ssl": True, "enable_starttls_auto": True}
_IMPLICIT: Final = {"enable_tls_ssl": True, "enable_starttls_auto": False}
_FIXED: Final[dict[str, dict[str, Any]]] = {
    encryption.STARTTLS_NOT_OFFERED.code: {"port": 465, **_IMPLICIT},
    reaching.PORT_25_BLOCKED.code: {"port": 587, **_STARTTLS},
    login.MICROSOFT_BASIC_AUTH_OFF.code: {"type": "MS365"},
    login.MICROSOFT_BASIC_AUTH_RETIRED.code: {"type": "MS365"},
    login.MICROSOFT_NOT_AUTHENTICATED.code: {"auth": "AUTO"},
    login.AUTH_NOT_OFFERED.code: {"auth": "AUTO"},
    login.LOGIN_REQUIRED.code: {"auth": "AUTO"},
    mail.RELAYING_DENIED.code: {"auth": "AUTO"},
}
_MICROSOFTS: Final = frozenset({login.MICROSOFT_BASIC_AUTH_OFF.code, login.MICROSOFT_BASIC_AUTH_RETIRED.code})
_BY_PROVIDER: Final = frozenset(
    {
        sender_domain.PROVIDER_SETTINGS_DIFFER.code,
        reaching.NAME_NOT_FOUND.code,
        reaching.CONNECTION_REFUSED.code,
        reaching.CONNECT_TIMEOUT.code,
        reaching.PORT_25_BLOCKED.code,
        encryption.STARTTLS_NOT_OFFERED.code,
    }
)


def remedy(trap: str, server: MailServer, provider: Provider | None, names: tuple[str, ...] = ()) -> dict[str, Any]:
    """Fields of the settings with the values to try; empty when no setting helps.

    `names` are those of the certificate, where that is the trap.
    """
    wanted = _wanted(trap, server, provider, names)
    saved = mail_server_to_json(server)
    return {name: value for name, value in wanted.items() if saved.get(name) != value}


def _wanted(trap: str, server: MailServer, provider: Provider | None, names: tuple[str, ...]) -> dict[str, Any]:
    if provider is not None and trap in _BY_PROVIDER and not provider.fits(server):
        return provider.settings
    if server.type is not ServerType.SMTP:
        return {}
    if trap == encryption.WRONG_NAME.code:
        usable = [name for name in names if "*" not in name]
        return {"server": usable[0]} if usable else {}
    if trap == mail.RELAYING_DENIED.code and server.auth is not Auth.DISABLE:
        return {}
    if trap in _MICROSOFTS and is_personal(server.username):
        return {}
    return _other_tls(trap, server.tls[1]) or _FIXED.get(trap, {})


def _other_tls(trap: str, port: int) -> dict[str, Any]:
    """The other way to begin TLS, and its usual port where this one would say something else."""
    if trap == encryption.IMPLICIT_TLS_ON_STARTTLS_PORT.code:
        return {**_STARTTLS, **({"port": 587} if port in IMPLICIT_PORTS else {})}
    if trap == encryption.STARTTLS_ON_IMPLICIT_TLS_PORT.code:
        return {**_IMPLICIT, **({"port": 465} if port in STARTTLS_PORTS else {})}
    if trap in (login.AUTH_ONLY_AFTER_TLS.code, login.LOGIN_IN_CLEAR.code):
        return {**_STARTTLS, **({"port": 587} if port in (25, 465) else {})}
    return {}
