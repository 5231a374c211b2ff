"""What is in force, kept from one commit to the next: tenants, settings, templates, mail servers.

Every event and every mail asks for it, and it hardly ever changes. The database counts the changes itself (triggers on
the tables), so one look at the count, in the same transaction, tells whether what was read before still holds; in every
process, whoever made the change.
"""

from collections.abc import Collection
from dataclasses import dataclass, field

from sqlalchemy import Connection

from ringpost.domain.credentials import ProviderHosts
from ringpost.domain.tenants import Tenant, TenantId
from ringpost.storage import settings, templates, tenants
from ringpost.storage.sealing import Sealer
from ringpost.storage.settings import InForce, ServerInForce
from ringpost.storage.templates import Revision, TemplateKey

MOST_KEPT = 5_000
"""Tenants, after which it starts anew."""
MOST_TEXT = 32 << 20
"""Octets of custom templates, after which it does too: a template may have pictures in it."""


def touch(connection: Connection) -> None:
    """Write the one row that is always there, as it is: an update that finds no row writes nothing."""
    connection.exec_driver_sql("UPDATE changes SET count = count")


@dataclass(slots=True)
class Standing:
    """What is in force as of one count of changes."""

    count: int
    tenants: dict[TenantId, Tenant] = field(default_factory=dict[TenantId, Tenant])
    settings: dict[TenantId, InForce] = field(default_factory=dict[TenantId, InForce])
    revisions: dict[TemplateKey, Revision | None] = field(default_factory=dict[TemplateKey, "Revision | None"])
    """Custom revisions; None where the default template is in force."""
    _servers: dict[TenantId, ServerInForce | None] = field(default_factory=dict[TenantId, "ServerInForce | None"])
    _text: int = 0

    @property
    def is_full(self) -> bool:
        """Whether no more is to be kept. A process without an API knows only the mail servers of tenants."""
        return max(len(self.settings), len(self._servers)) > MOST_KEPT or self._text > MOST_TEXT

    def load(self, connection: Connection, owners: Collection[TenantId], keys: Collection[TemplateKey]) -> None:
        """Read what is not known yet of these tenants and templates, with one query of each kind."""
        new = [owner for owner in owners if owner not in self.settings]
        if new:
            self.tenants.update(tenants.by_id(connection, new))
            self.settings.update(settings.settings_in_force(connection, new))
        asked = [key for key in keys if key not in self.revisions]
        if asked:
            found = templates.templates_in_force(connection, asked)
            self.revisions.update(dict.fromkeys(asked) | found)
            self._text += sum(revision.parts.size for revision in found.values())

    def load_servers(
        self, connection: Connection, sealer: Sealer, tenants: Collection[TenantId], hosts: ProviderHosts
    ) -> None:
        """Read the mail servers of these tenants that are not known yet, with one query."""
        new = [tenant for tenant in tenants if tenant not in self._servers]
        if new:
            self._servers.update(settings.mail_servers_in_force(connection, sealer, new, hosts))

    def server(
        self, connection: Connection, sealer: Sealer, tenant: TenantId, hosts: ProviderHosts
    ) -> ServerInForce | None:
        """The mail server in force for a tenant. Raises SealBroken."""
        if tenant not in self._servers:
            self._servers[tenant] = settings.mail_server_in_force(connection, sealer, tenant, hosts)
        return self._servers[tenant]


class Memory:
    """Keeps what is in force. For whoever writes, one at a time; others may only ask what it was lately."""

    def __init__(self) -> None:
        self._kept = Standing(-1)

    def now(self, connection: Connection) -> Standing:
        """What is known to be in force in this transaction."""
        return self.as_of(connection.exec_driver_sql("SELECT count FROM changes").scalar_one())

    def as_of(self, count: int) -> Standing:
        """The same, where the count of changes is known already."""
        if count != self._kept.count or self._kept.is_full:
            self._kept = Standing(count)
        return self._kept

    def lately(self) -> Standing:
        """What the last commit knew to be in force. It may be out of date, and is only to be read."""
        return self._kept
