"""Import a tenant's settings and templates, or the system level's, from a file: all of it, in one write, or nothing."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from itertools import zip_longest

from sqlalchemy import Connection

from ringpost.domain.access import Principal
from ringpost.domain.mail_servers import merge_password, needs_password
from ringpost.domain.oauth import OAuthSettings, merge_oauth
from ringpost.domain.secrets import Secret
from ringpost.domain.settings import Settings
from ringpost.domain.system_events import catalogue_of
from ringpost.domain.templates import Parts
from ringpost.domain.tenant_files import (
    SECTIONS,
    TenantFile,
    Text,
    format_of,
    needs_secret,
    parts_to_json,
    places_of_secrets,
    read_file,
    serves,
)
from ringpost.domain.tenants import TenantId
from ringpost.errors import FieldError, PasswordRequired
from ringpost.storage import audit, templates
from ringpost.storage.templates import Revision
from ringpost.transports.oauth.keys import Keys
from ringpost.usecases.change_oauth import remove_oauth, replace_oauth, stored_oauth
from ringpost.usecases.change_settings import bring_on, editable_fields, replace_settings, stored_settings
from ringpost.usecases.edit_template import prepare_now, remove, write_change, write_new
from ringpost.usecases.export_tenant import oauth_fields
from ringpost.usecases.room import Room

LONGEST_SHOWN = 200
"""Characters of a text in a difference."""


@dataclass(frozen=True, slots=True)
class Change:
    """One difference between what is and what the file says."""

    place: str
    """Such as `settings.port` or `templates.QUEUE_SLA.body`."""
    before: object
    after: object
    """As they stand in a file, cut off; of texts with several lines, the first line that differs. Secrets are `***`."""
    line: int | None = None
    """Number of that line."""


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import changed, or would change."""

    changes: tuple[Change, ...]
    enter_again: tuple[FieldError, ...]
    """Secrets that are needed now and that the file does not hold, by their place."""

    def to_json(self, *, dry_run: bool) -> dict[str, object]:
        """As the API and the command line show it."""
        return {
            "dry_run": dry_run,
            "changes": [asdict(change) for change in self.changes],
            "enter_again": [{"field": one.field, "message": one.message} for one in self.enter_again],
        }


@dataclass(frozen=True, slots=True)
class _Plan:
    settings: Settings | None
    oauth: OAuthSettings | None
    removes_oauth: bool
    templates: Mapping[str, tuple[Parts | None, Parts | None]]
    """Name -> before and after, of those that differ; None is the default."""
    imported: Imported


async def import_tenant(room: Room, principal: Principal, raw: object, *, dry_run: bool = False) -> Imported:
    """Make the principal's tenant, or the system level, be as the file says; `dry_run` only tells what would change.

    Each section of the file replaces what there is of it: a template that is customised and not in the file goes back
    to the default. A stored secret stays where POST would let it stay; else it has to be entered again. The same file
    a second time changes nothing. Raises Invalid, with the place of each fault in the file.
    """
    tenant = principal.tenant
    file = read_file(tenant, raw, room.options.rules_for(tenant), Keys())
    if dry_run:
        return (await room.database.read(_plan, room, tenant, file)).imported
    imported, revisions = await room.database.write(_import, room, principal, file)
    for revision in revisions:
        await prepare_now(room, revision)
    await bring_on(room, tenant)
    room.bell.ring()
    return imported


def _import(
    connection: Connection, room: Room, principal: Principal, file: TenantFile
) -> tuple[Imported, list[Revision]]:
    templates.lock(connection, principal.tenant)
    plan = _plan(connection, room, principal.tenant, file)
    if plan.removes_oauth:
        remove_oauth(connection, room, principal)
    if plan.oauth is not None:
        replace_oauth(connection, room, principal, plan.oauth)
    if plan.settings is not None:
        replace_settings(connection, room, principal, plan.settings)
    revisions = list(_write_templates(connection, room, principal, plan.templates))
    touched = {change.place.partition(".")[0] for change in plan.imported.changes}
    if touched:
        sections = tuple(name for name in SECTIONS if name in touched)
        entry = audit.Entry(room.clock(), principal.name, "import_tenant", format_of(principal.tenant), sections)
        audit.record(connection, principal.tenant, entry)
    return plan.imported, revisions


def _write_templates(
    connection: Connection, room: Room, principal: Principal, wanted: Mapping[str, tuple[Parts | None, Parts | None]]
) -> Iterator[Revision]:
    for name, (before, after) in wanted.items():
        if after is None:
            remove(connection, room, principal, name)
        else:
            yield (write_new if before is None else write_change)(connection, room, principal, name, after)


def _plan(connection: Connection, room: Room, tenant: TenantId, file: TenantFile) -> _Plan:
    """What would change. Reads only."""
    old_oauth = stored_oauth(connection, room, tenant)
    oauth, missing = _merged_oauth(old_oauth, file)
    removes_oauth = "oauth" in file.sections and file.oauth is None and old_oauth is not None
    oauth_after = None if removes_oauth else (oauth or old_oauth)
    changes = list(_oauth_changes(old_oauth, oauth_after))
    settings = None
    if file.settings is not None:
        settings, merged = _merged_settings(connection, room, tenant, file.settings)
        changes = [*_settings_changes(stored_settings(connection, room, tenant)[0], merged), *changes]
        missing = [*_missing_password(merged, oauth_after or file.oauth), *missing]
    different = _different_templates(connection, tenant, file)
    changes += [change for name, parts in different.items() for change in _template_changes(name, *parts)]
    return _Plan(settings, oauth, removes_oauth, different, Imported(tuple(changes), tuple(missing)))


def _merged_settings(
    connection: Connection, room: Room, tenant: TenantId, wanted: Settings
) -> tuple[Settings, Settings]:
    """As they can be posted, and as they will be. A stored password that must not travel is given up."""
    old, opened = stored_settings(connection, room, tenant)
    known = old.mail_server if opened else None
    if wanted.mail_server is None:
        return wanted, wanted
    server = wanted.mail_server
    if needs_password(known, server):
        server = replace(server, password=Secret(""))
    return replace(wanted, mail_server=server), replace(wanted, mail_server=merge_password(known, server))


def _merged_oauth(old: OAuthSettings | None, file: TenantFile) -> tuple[OAuthSettings | None, list[FieldError]]:
    """The credentials that will be stored, if any, and the secrets without which they cannot be."""
    if file.oauth is None:
        return None, []
    try:
        return merge_oauth(old, file.oauth), []
    except PasswordRequired as fault:
        places = places_of_secrets(file.oauth_method, fault.field)
        message = "Post the OAuth credentials with this secret; until then they stay as they are."
        return None, [FieldError(place, message) for place in places]


def _missing_password(settings: Settings, oauth: OAuthSettings | None) -> list[FieldError]:
    server = settings.mail_server
    if server is None or server.password or not needs_secret(server) or serves(oauth, server):
        return []
    message = "No password is stored for this mail server. Enter it, if the server asks for one."
    return [FieldError("settings.password", message)]


def _settings_changes(old: Settings, new: Settings) -> Iterator[Change]:
    before, after = editable_fields(old), editable_fields(new)
    for name, value in after.items():
        if before[name] != value:
            yield Change(f"settings.{name}", before[name], value)
    yield from _secret_changes("settings.password", old.password, new.password)


def _oauth_changes(old: OAuthSettings | None, new: OAuthSettings | None) -> Iterator[Change]:
    before, after = oauth_fields(old) if old else {}, oauth_fields(new) if new else {}
    for name in before | after:
        if before.get(name) != after.get(name):
            yield Change(f"oauth.{name}", before.get(name), after.get(name))
    yield from _secret_changes("oauth.secret", old and old.secret, new and new.secret)
    yield from _secret_changes("oauth.client_secret", old and old.client_secret, new and new.client_secret)


def _secret_changes(place: str, before: Secret | None, after: Secret | None) -> Iterator[Change]:
    if before != after:
        yield Change(place, "***" if before else None, "***" if after else None)


def _different_templates(
    connection: Connection, tenant: TenantId, file: TenantFile
) -> dict[str, tuple[Parts | None, Parts | None]]:
    if "templates" not in file.sections:
        return {}
    current = {revision.name: revision.parts for revision in templates.list_custom(connection, tenant)}
    pairs = {name: (current.get(name), file.templates.get(name)) for name in catalogue_of(tenant)}
    return {name: (before, after) for name, (before, after) in pairs.items() if before != after}


def _template_changes(name: str, before: Parts | None, after: Parts | None) -> Iterator[Change]:
    place = f"templates.{name}"
    if before is None or after is None:
        yield Change(place, "default" if before is None else "custom", "default" if after is None else "custom")
    if after is not None:
        old, new = parts_to_json(before or Parts()), parts_to_json(after)
        for part, value in new.items():
            if old[part] != value:
                yield _text_change(f"{place}.{part}", old[part], value)


def _text_change(place: str, before: Text, after: Text) -> Change:
    if not isinstance(before, list) and not isinstance(after, list):
        return Change(place, _short(before), _short(after))
    lines = zip_longest(_as_lines(before), _as_lines(after))
    number, old, new = next((at, old, new) for at, (old, new) in enumerate(lines, 1) if old != new)
    return Change(place, _short(old), _short(new), number)


def _as_lines(text: Text) -> list[str]:
    return text if isinstance(text, list) else [] if text is None else [text]


def _short(text: Text) -> object:
    return f"{text[:LONGEST_SHOWN]}…" if isinstance(text, str) and len(text) > LONGEST_SHOWN else text
