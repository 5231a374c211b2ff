"""The form of a mail server: what a person chooses, and the fields of the API that it comes to.

The form asks for one kind of encryption where the API has two flags; `mail_servers.tls_mode` is what they mean.
"""

from collections.abc import Mapping
from typing import Any, Final

from ringpost.console.forms import Form, Posted, refused
from ringpost.console.languages import N_
from ringpost.console.levels import Saved
from ringpost.domain.credentials import Cloud, ProviderHosts
from ringpost.domain.endpoints import Auth, TlsMode
from ringpost.domain.mail_servers import MailServer, ServerType, tls_mode
from ringpost.domain.oauth import OAuthSettings
from ringpost.domain.providers import Provider, by_address, by_login
from ringpost.errors import FieldError, Invalid, PasswordRequired

FLAGS: Final = {
    TlsMode.IMPLICIT: (True, False),
    TlsMode.STARTTLS: (True, True),
    TlsMode.OPPORTUNISTIC: (False, True),
    TlsMode.CLEAR: (False, False),
}
"""Kind of encryption -> enable_tls_ssl, enable_starttls_auto."""
PORTS: Final = {mode: tls_mode(*flags, None)[1] for mode, flags in FLAGS.items()}
"""Kind of encryption -> its usual port."""


def values_of(saved: Saved, hosts: ProviderHosts) -> dict[str, Any]:
    """What the form shows of what is stored; the defaults when nothing is."""
    own = saved.own
    values = {name: saved.fields[name] for name in ("server", "port", "reply_to", "username", "auth")}
    values |= {
        "type": (own.type if own else ServerType.SMTP).value,
        "tls": (own.tls[0] if own else TlsMode.IMPLICIT).value,
        "by_smtp": own is not None and own.host == _smtp_of(own.type, saved.credentials, hosts),
        "port": values["port"] or None,
    }
    if isinstance(saved.fields.get("enable_tenant_access"), bool):
        values["enable_tenant_access"] = saved.fields["enable_tenant_access"]
    return values


def values_posted(posted: Posted) -> dict[str, Any]:
    """What was typed, to be shown again. The password is not."""
    names = ("type", "server", "port", "reply_to", "username", "auth", "tls")
    values: dict[str, Any] = {name: posted.text(name) for name in names}
    flags = ("by_smtp", "forget_password", "enable_tenant_access")
    return {**values, **{name: posted.flag(name) for name in flags}}


def fields_of(posted: Posted, saved: Saved, hosts: ProviderHosts) -> dict[str, Any]:
    """The fields of the API that the form comes to; what is wrong in them is told by the use case."""
    fields: dict[str, Any] = {name: posted.text(name) for name in ("type", "reply_to", "username")}
    fields["auth"] = posted.text("auth") or Auth.AUTO.value
    password = posted.text("password")
    if password or posted.flag("forget_password"):
        fields["password"] = password
    hosted = posted.text("type") in (ServerType.MS365, ServerType.GMAIL)
    fields |= _place_of_provider(posted, saved, hosts) if hosted else _place(posted, saved)
    if posted.has("of_system"):
        fields["enable_tenant_access"] = posted.flag("enable_tenant_access")
    return fields


def is_blank(posted: Posted) -> bool:
    """Nothing of a mail server was filled in: what is in force is meant."""
    return not any(posted.text(name).strip() for name in ("server", "username", "password"))


def is_not_saved(values: Mapping[str, Any], reason: Invalid | PasswordRequired) -> Form:
    """The refused form, its errors at the form's own fields and in its own words."""
    form = refused(values, reason)
    names = {"enable_tls_ssl": "tls", "enable_starttls_auto": "tls"}
    errors = {names.get(name, name): _in_plain(name, message) for name, message in form.errors.items()}
    return Form(form.values, errors, form.items)


def in_form(values: Mapping[str, Any], suggested: Mapping[str, Any]) -> dict[str, Any]:
    """Suggested fields of the API as values of the form's fields."""
    wanted = {name: suggested[name] for name in ("type", "server", "port", "auth") if name in suggested}
    if "enable_tls_ssl" in suggested or "enable_starttls_auto" in suggested or "port" in suggested:
        mode = _mode(values.get("tls"))
        ssl, auto = FLAGS[mode]
        ssl, auto = suggested.get("enable_tls_ssl", ssl), suggested.get("enable_starttls_auto", auto)
        wanted["tls"] = tls_mode(ssl, auto, suggested.get("port") or _port(values.get("port")))[0].value
    return {name: value for name, value in wanted.items() if str(values.get(name) or "") != str(value)}


def recognised(server: str, username: str) -> Provider | None:
    """The provider that the server's name tells, or the address that is written as user name."""
    return by_login(server.strip().lower(), username) or by_address(username)


def mail_server_of(values: Mapping[str, Any]) -> MailServer | None:
    """The place that the form names, as a mail server without a login; None while it names none."""
    server = str(values.get("server") or "").strip().lower()
    ssl, auto = FLAGS[_mode(values.get("tls"))]
    port = _port(values.get("port"))
    return MailServer(ServerType.SMTP, server, port, None, "", None, Auth.AUTO, ssl, auto) if server else None


def refuse_number(posted: Posted) -> None:
    """Raise Invalid when something else than a number was typed as port."""
    text = posted.text("port").strip()
    if text and not (text.isascii() and text.isdigit() and len(text) <= 5):
        raise Invalid(FieldError("port", N_("This must be a number, such as 587. Leave it empty for the usual one.")))


def _in_plain(name: str, message: str) -> str:
    if (name, message) == ("username", "This field is required."):
        return N_("Type the user name, mostly the whole mail address.")
    return message


def _place(posted: Posted, saved: Saved) -> dict[str, Any]:
    """Where the server is and how to begin, of a server of any kind."""
    port, wanted = _port(posted.text("port")), _mode(posted.text("tls"))
    own = saved.own
    # Several pairs of flags mean the same on some ports: what is stored stays while it means what was chosen.
    flags = FLAGS[wanted]
    if own is not None and tls_mode(own.enable_tls_ssl, own.enable_starttls_auto, port)[0] is wanted:
        flags = own.enable_tls_ssl, own.enable_starttls_auto
    if port is None and own is not None and own.port == 0:
        port = 0
    return {
        "server": posted.text("server"),
        "port": port,
        "enable_tls_ssl": flags[0],
        "enable_starttls_auto": flags[1],
    }


def _place_of_provider(posted: Posted, saved: Saved, hosts: ProviderHosts) -> dict[str, Any]:
    """Providers are where they are; their own SMTP server is named to send by SMTP with OAuth credentials."""
    kind = ServerType(posted.text("type"))
    smtp = _smtp_of(kind, saved.credentials, hosts)
    if saved.own is not None and saved.own.type is kind and _names(saved.own, smtp) == posted.flag("by_smtp"):
        kept = ("server", "port", "enable_tls_ssl", "enable_starttls_auto")
        return {name: saved.fields[name] for name in kept}
    return {"server": smtp if posted.flag("by_smtp") else None, "port": None}


def _names(own: MailServer, smtp: str) -> bool:
    return own.host == smtp


def _smtp_of(kind: ServerType, credentials: OAuthSettings | None, hosts: ProviderHosts) -> str:
    """The name of a provider's SMTP server; "" for no provider's."""
    if kind is ServerType.GMAIL:
        return hosts.google.host
    if kind is ServerType.MS365:
        return hosts.microsoft_in(credentials.cloud if credentials else Cloud.GLOBAL).host
    return ""


def _mode(text: Any) -> TlsMode:
    return TlsMode(text) if text in TlsMode.__members__.values() else TlsMode.IMPLICIT


def _port(value: Any) -> int | None:
    """None for nothing, and for what is no number: `refuse_number` tells."""
    text = str(value or "").strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 5 else None
