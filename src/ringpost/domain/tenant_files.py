"""A tenant's settings and templates as one file, to move them from one Ringpost to another; no secret is in it.

    {
      "format": "ringpost-tenant",            ringpost-system for the system level
      "version": 1,
      "secrets_left_out": ["settings.password"],
      "settings": {...},                      as POST /tenant/notification takes them
      "oauth": {...} or null,                 as POST /tenant/notification/oauth takes them
      "templates": {"QUEUE_SLA": {"from": null, "subject": "Too late", "body": ["<p>line", "line</p>"], ...}}
    }

A text of several lines is a list of them, so that people can read it and tools can compare it. When a file is read,
each section that is there replaces what the tenant has of it, and one that is missing leaves it alone. The sections are
checked as if they had been posted, and every fault is told with its place in the file (`templates.QUEUE_SLA.subject`).
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final, TypeVar, cast

from ringpost.domain.addresses import visible
from ringpost.domain.endpoints import Auth
from ringpost.domain.fields import as_object
from ringpost.domain.mail_servers import MailServer, ServerType
from ringpost.domain.oauth import KeyReader, Method, OAuthSettings, parse_oauth
from ringpost.domain.server_rules import ServerRules
from ringpost.domain.settings import Settings, parse_settings_of
from ringpost.domain.system_events import catalogue_of
from ringpost.domain.templates import Parts, checked_parts
from ringpost.domain.tenants import SYSTEM, TenantId
from ringpost.errors import FieldError, Invalid

VERSION: Final = 1
LARGEST_FILE: Final = 16 << 20
"""Octets."""
SECTIONS: Final = ("settings", "oauth", "templates")

_HEAD: Final = ("format", "version", "secrets_left_out")
_PARTS: Final = ("from", "subject", "body", "text_body")
_MOST_NAMED: Final = 20
_SHOWN: Final = 64
"""Characters of a name that somebody made up."""
_SECRETS: Final[Mapping[Method | None, tuple[str, ...]]] = {
    Method.REFRESH_TOKEN: ("oauth.client_secret", "oauth.refresh_token"),
    Method.CLIENT_SECRET: ("oauth.client_secret",),
    Method.CERTIFICATE: ("oauth.certificate",),
    Method.SERVICE_ACCOUNT: ("oauth.service_account",),
}
_Read = TypeVar("_Read")

Text = str | list[str] | None
"""A text as it stands in a file; several lines are a list."""


@dataclass(frozen=True, slots=True)
class TenantFile:
    """What a file says; its secrets, if somebody wrote any into it, are still to be merged with the stored ones."""

    sections: frozenset[str]
    """Which of SECTIONS are there."""
    settings: Settings | None
    oauth: OAuthSettings | None
    oauth_method: Method | None
    """What had proved who we are where the file comes from."""
    templates: Mapping[str, Parts]


def format_of(tenant: TenantId) -> str:
    """The name of the format for a tenant, or for the system level."""
    return "ringpost-system" if tenant == SYSTEM else "ringpost-tenant"


def write_file(
    tenant: TenantId,
    settings: tuple[Settings, Mapping[str, object]],
    oauth: tuple[OAuthSettings, Mapping[str, object]] | None,
    templates: Mapping[str, Parts],
) -> dict[str, object]:
    """The file as JSON; settings and credentials come with their fields as the API shows them."""
    credentials = oauth[0] if oauth else None
    return {
        "format": format_of(tenant),
        "version": VERSION,
        "secrets_left_out": list(secrets_of(settings[0].mail_server, credentials)),
        "settings": dict(settings[1]),
        "oauth": dict(oauth[1]) if oauth else None,
        "templates": {name: parts_to_json(parts) for name, parts in templates.items()},
    }


def read_file(tenant: TenantId, raw: object, rules: ServerRules, keys: KeyReader) -> TenantFile:
    """A file for this tenant, or for the system level; Invalid with every fault and its place."""
    content = as_object(raw, "file")
    _check_head(tenant, content)
    faults = _unknown_parts(content, (*_HEAD, *SECTIONS), "file")
    settings = _section(content, "settings", lambda part: parse_settings_of(tenant, part, rules), faults)
    oauth = None
    if content.get("oauth") is not None:
        oauth = _section(content, "oauth", lambda part: parse_oauth(part, keys), faults)
    templates = _section(content, "templates", lambda part: _templates(part, catalogue_of(tenant)), faults)
    if faults:
        raise Invalid(*faults)
    sections = frozenset(name for name in SECTIONS if name in content)
    return TenantFile(sections, settings, oauth, _method(content.get("oauth")), templates or {})


def secrets_of(server: MailServer | None, oauth: OAuthSettings | None) -> tuple[str, ...]:
    """Places in the file where a secret would stand, for settings that need one."""
    found: tuple[str, ...] = ()
    if server is not None and needs_secret(server) and not serves(oauth, server):
        found += ("settings.password",)
    return found + (_SECRETS.get(oauth.method, ()) if oauth else ())


def needs_secret(server: MailServer) -> bool:
    """Whether it is logged in to, as far as the settings tell."""
    return server.type is not ServerType.SMTP or server.auth is not Auth.DISABLE


def serves(oauth: OAuthSettings | None, server: MailServer) -> bool:
    """Whether these credentials are for this type of server."""
    return oauth is not None and oauth.provider.value == server.type.value


def places_of_secrets(method: Method | None, otherwise: str) -> tuple[str, ...]:
    """Where the secrets of OAuth credentials have to be entered."""
    return _SECRETS.get(method, (f"oauth.{otherwise}",))


def parts_to_json(parts: Parts) -> dict[str, Text]:
    """The parts of a template, as they stand in a file."""
    texts = (parts.from_, parts.subject, parts.body, parts.text_body)
    return {name: _lines(text) for name, text in zip(_PARTS, texts, strict=True)}


def _lines(text: str | None) -> Text:
    return text.split("\n") if text is not None and "\n" in text else text


def _check_head(tenant: TenantId, content: Mapping[str, object]) -> None:
    wanted, found, version = format_of(tenant), content.get("format"), content.get("version")
    if found != wanted:
        other = {"ringpost-system": "the system level", "ringpost-tenant": "a tenant"}.get(str(found))
        meant = f"This file is of {other}; " if other else "This is no file that Ringpost exported: "
        raise Invalid(FieldError("format", f"{meant}the format must be {wanted}."))
    if isinstance(version, bool) or not isinstance(version, int) or version < 1:
        raise Invalid(FieldError("version", f"This must be a whole number, such as {VERSION}."))
    if version > VERSION:
        message = (
            f"The file is of version {version}, and this Ringpost reads up to {VERSION}. Import it with a newer one."
        )
        raise Invalid(FieldError("version", message))


def _unknown_parts(content: Mapping[str, object], known: Iterable[str], whole: str = "") -> list[FieldError]:
    """A mistyped section would be left out without a word."""
    return _unknown(content, known, f"There is no such part; there are {', '.join(known)}.", whole)


def _unknown(content: Mapping[str, object], known: Iterable[str], message: str, whole: str = "") -> list[FieldError]:
    """The first names that there are not; of the others, how many there are is told of the `whole`."""
    unknown = (name for name in content if name not in known)
    faults = [FieldError(visible(name[:_SHOWN]), message) for name in islice(unknown, _MOST_NAMED)]
    more = sum(1 for _ in unknown)
    return [*faults, FieldError(whole, f"There are {more} more such names.")] if more else faults


def _section(
    content: Mapping[str, object],
    name: str,
    parse: Callable[[Mapping[str, object]], _Read],
    faults: list[FieldError],
) -> _Read | None:
    """One section; what is wrong in it is added to `faults` with its place."""
    if name not in content:
        return None
    try:
        part = as_object(content[name], name)
    except Invalid as fault:
        faults.extend(fault.errors)
        return None
    try:
        return parse(part)
    except Invalid as fault:
        faults.extend(FieldError(_place(name, one.field), one.message, one.item) for one in fault.errors)
        return None


def _place(section: str, field: str) -> str:
    return f"{section}.{field}" if field else section


def _templates(content: Mapping[str, object], known: Mapping[str, Any]) -> dict[str, Parts]:
    faults = _unknown(content, known, f"There is no template of this name; there are {', '.join(known)}.")
    read = {name: _section(content, name, _parts, faults) for name in known if name in content}
    if faults:
        raise Invalid(*faults)
    return {name: parts for name, parts in read.items() if parts is not None}


def _parts(content: Mapping[str, object]) -> Parts:
    faults = _unknown_parts(content, _PARTS)
    texts = [_text(content, name, faults) for name in _PARTS]
    if faults:
        raise Invalid(*faults)
    return checked_parts(Parts(*texts))


def _text(content: Mapping[str, object], name: str, faults: list[FieldError]) -> str | None:
    value = content.get(name)
    if isinstance(value, list):
        lines = cast("list[object]", value)
        if all(isinstance(line, str) for line in lines):
            return "\n".join(cast("list[str]", lines))
    if value is None or isinstance(value, str):
        return value
    faults.append(FieldError(name, "This must be text, a list of lines of text, or null."))
    return None


def _method(oauth: object) -> Method | None:
    name = cast("Mapping[str, object]", oauth).get("method") if isinstance(oauth, dict) else None
    return Method(name) if isinstance(name, str) and name in Method.__members__.values() else None
