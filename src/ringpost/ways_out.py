"""How mail leaves, as the operator has configured it: transports, the doctor that examines them, and their pace."""

from collections.abc import Collection
from dataclasses import replace

from ringpost import descriptors
from ringpost.config import Config
from ringpost.domain.credentials import Cloud
from ringpost.domain.endpoints import Endpoint, GmailEndpoint, GraphEndpoint, SmtpEndpoint
from ringpost.transports import Transport
from ringpost.transports.doctor import DnsServers, Doctor
from ringpost.transports.egress import EgressRules
from ringpost.transports.gmail import gmail
from ringpost.transports.microsoft365 import microsoft365
from ringpost.transports.oauth import microsoft
from ringpost.transports.oauth.tokens import Authorities
from ringpost.transports.pacing import Allowance, Pace, Paces
from ringpost.transports.providers import KEPT, ProviderOptions, Providers
from ringpost.transports.smtp import SmtpOptions, SmtpTransport
from ringpost.transports.smtp.sockets import Sockets
from ringpost.transports.web import WebOptions


class WaysOut:
    """What a `Room` needs of all this; its counts of connections and of mails a minute are this process's."""

    def __init__(self, config: Config) -> None:
        self._providers = Providers(_provider_options(config))
        self._smtp = _smtp_options(config, self._providers)
        self._paces = Paces(config.paces)
        self.examine = Doctor(self._smtp, DnsServers(config.name_servers)).examine

    def open_transport(
        self,
        endpoint: Endpoint,
        *,
        overall_s: float | None = None,
        urgent: bool = False,
        beside: Collection[Transport] = (),
    ) -> Transport:
        """As `OpenTransport` has it."""
        if isinstance(endpoint, GraphEndpoint):
            return microsoft365(endpoint, self._providers, overall_s=overall_s, urgent=urgent)
        if isinstance(endpoint, GmailEndpoint):
            return gmail(endpoint, self._providers, overall_s=overall_s, urgent=urgent)
        options = self._smtp
        if overall_s is not None:
            options = replace(options, deadlines=replace(options.deadlines, overall=overall_s))
        return SmtpTransport(endpoint, options, urgent=urgent, beside=beside)

    def pace_of(self, endpoint: Endpoint) -> Pace | None:
        """How fast a mail server may be sent to; None as fast as it can."""
        if isinstance(endpoint, SmtpEndpoint):
            return self._paces.of(endpoint.host)
        return self._providers.pace_of(endpoint)


def _smtp_options(config: Config, providers: Providers) -> SmtpOptions:
    return SmtpOptions(
        ehlo_name=config.introduced_as,
        ca_file=str(config.mail_ca_file) if config.mail_ca_file else None,
        connections=config.connections_per_server,
        clear_login=config.allow_clear_login,
        egress=EgressRules(allowed=config.allowed_networks, extra_ports=config.extra_ports),
        tokens=providers.tokens,
        sockets=Sockets(descriptors.for_mail()),
    )


def _provider_options(config: Config) -> ProviderOptions:
    at_once, a_minute = config.microsoft_requests_at_once, config.microsoft_messages_per_minute
    return ProviderOptions(
        web=WebOptions(ca_file=str(config.mail_ca_file) if config.mail_ca_file else None),
        authorities=Authorities(
            {**microsoft.AUTHORITIES, Cloud.GLOBAL: config.microsoft_authority_url}, config.google_token_url
        ),
        graphs={**microsoft.GRAPHS, Cloud.GLOBAL: config.microsoft_graph_url},
        gmail=config.gmail_api_url,
        graph_allowance=Allowance(at_once, ((a_minute, 60), (config.microsoft_requests_per_10_minutes, 600)), KEPT),
        gmail_allowance=Allowance(config.gmail_requests_at_once, ((config.gmail_messages_per_minute, 60),), KEPT),
    )
