"""The room that every use case works in: database, sealing, clock, the way out, and what the operator chose."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from typing import Protocol

from ringpost.domain.credentials import ProviderHosts
from ringpost.domain.endpoints import Endpoint
from ringpost.domain.retries import RetryPolicy
from ringpost.domain.server_rules import ServerRules
from ringpost.domain.tenants import SYSTEM, Tenant, TenantId, system_level
from ringpost.storage.database import Database
from ringpost.storage.default_templates import language_of, words_in
from ringpost.storage.sealing import Sealer
from ringpost.storage.standing import Memory
from ringpost.transports import Transport
from ringpost.transports.examining import Examine, no_doctor
from ringpost.transports.pacing import Pace
from ringpost.usecases.bell import Bell
from ringpost.usecases.hand_over import Takers
from ringpost.usecases.trace import Trace

PaceOf = Callable[[Endpoint], Pace | None]
"""How fast a mail server may be sent to; None as fast as it can."""


class OpenTransport(Protocol):
    """Opens a fresh transport to one mail server; whoever opens it closes it."""

    def __call__(
        self,
        endpoint: Endpoint,
        *,
        overall_s: float | None = None,
        urgent: bool = False,
        beside: Collection[Transport] = (),
    ) -> Transport:
        """`overall_s`: how long one send may take in all; None leaves it to the timeouts of each stage.

        `urgent`: it is for emergencies, for which some of what a provider allows is kept. `beside`: the open transports
        to the same server, as they change: it may use their connections when it gets none of its own.
        """
        ...


@dataclass(frozen=True, slots=True)
class Options:
    """What the operator chose (docs/configuration.md)."""

    pbx_web_domain: str
    server_rules: ServerRules
    host_name: str = "localhost"
    """The name of the machine that this process runs on."""
    system_locale: str = "en"
    """BCP 47 tag: the language of the system level's own mails."""
    borrowed_mails_per_hour: int = 0
    """How many mails a tenant sends through the system's server in an hour, emergencies not counted; 0: any number."""
    provider_hosts: ProviderHosts = field(default_factory=ProviderHosts)
    """Where Microsoft and Google take mail by SMTP."""
    retry_policy: RetryPolicy = field(default_factory=RetryPolicy)
    keep_messages_s: int = 24 * 3600
    """How long a message is kept after its deliveries ended; messages with secrets are erased at once."""
    keep_history_s: int = 90 * 24 * 3600
    """How long ended deliveries and their events are kept."""

    def rules_for(self, tenant: TenantId) -> ServerRules:
        """What a mail server of this tenant may be; the system level's own may be anywhere."""
        return replace(self.server_rules, restricted=False) if tenant == SYSTEM else self.server_rules

    def system_level(self) -> Tenant:
        """What stands for the system level where a tenant is asked for."""
        name = words_in(language_of(self.system_locale)).system_name
        return system_level(name, self.host_name, self.system_locale)


@dataclass(frozen=True, slots=True)
class Room:
    """Handed to every use case as its first argument."""

    database: Database
    sealer: Sealer
    clock: Callable[[], int]
    """Milliseconds since 1970, UTC."""
    open_transport: OpenTransport
    options: Options
    examine: Examine = no_doctor
    """Examines a mail server step by step, without sending anything."""
    pace_of: PaceOf = lambda _endpoint: None
    """Its counts are one process's own, shared by all its workers."""
    trace: Trace | None = None
    """Is told where events have been, when the operator wants that."""
    standing: Memory = field(default_factory=Memory)
    """What is in force, for writes that need to know."""
    takers: Takers = field(default_factory=Takers)
    """The workers of this process."""
    bell: Bell = field(default_factory=Bell)
    """Rung when there is new mail, so that a worker in this process need not wait for its next look."""
