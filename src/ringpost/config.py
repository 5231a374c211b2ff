"""The operator's choices: environment variables `RINGPOST_*` and a file `.env`; docs/configuration.md comes from here.

Only wiring, ways_out, serving, the demo and the command line read it; everything below gets values.
"""

import socket
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SecretsSettingsSource,
    SettingsConfigDict,
)

from ringpost import config_rules as rules
from ringpost.domain.credentials import ProviderHosts, parse_smtp_host
from ringpost.domain.hosts import AllowedNetwork, is_ehlo_name, parse_allowed_networks, parse_host
from ringpost.domain.paces import PaceRule, parse_paces


class Config(BaseSettings):
    """Each field is an environment variable: `data_dir` is RINGPOST_DATA_DIR."""

    model_config = SettingsConfigDict(
        env_prefix="RINGPOST_", env_file=".env", env_file_encoding="utf-8", extra="ignore", env_ignore_empty=True
    )

    data_dir: Annotated[Path, BeforeValidator(rules.named_folder)] = Field(
        default=Path("ringpost-data"),
        description="Folder of the embedded database and the key file. Made on the first start, for this user only.",
    )
    database_url: Annotated[str, AfterValidator(rules.database_url)] | None = Field(
        default=None,
        description=(
            "Where the data is, when not in the data folder: `sqlite:///path/to/file.db`, or "
            "`postgresql://user:password@host/database` for many machines; all that libpq knows may stand in it."
        ),
    )
    secrets_dir: Annotated[Path, AfterValidator(rules.existing_folder)] | None = Field(
        default=None,
        description=(
            "Folder with a file for each setting that is a secret, as Docker, Kubernetes and systemd hand them out: "
            "`ringpost_keys`, `ringpost_database_url`, `ringpost_admin_token`. Any setting may be there; the "
            "environment and `.env` win."
        ),
    )
    keys: Annotated[SecretStr, AfterValidator(rules.key_ring)] | None = Field(
        default=None,
        description=(
            "The key ring, `name:base64,name2:base64` with keys of 32 bytes; the first one seals, all open. "
            "Without it, the file `keys` in the data folder is used."
        ),
    )
    admin_token: Annotated[SecretStr, AfterValidator(rules.token)] | None = Field(
        default=None,
        description=(
            "A token that is the system administrator's as long as it is set. For the first set-up. 32 to 512 "
            "printable ASCII characters without blanks; to make one: "
            '`python3 -c "import secrets; print(secrets.token_urlsafe(32))"`.'
        ),
    )
    host: str = Field(default="127.0.0.1", description="Address that the API listens on.")
    port: int = Field(default=8025, ge=0, le=65535, description="Port that the API listens on; 0 takes a free one.")
    workers: int = Field(default=1, ge=0, le=64, description="Workers that `serve` runs beside the API; 0 for none.")
    metrics_host: str = Field(
        default="127.0.0.1",
        description="Address that `ringpost worker` shows its metrics on, if it has a port.",
    )
    metrics_port: int | None = Field(
        default=None,
        ge=0,
        le=65535,
        description=(
            "Port on which `ringpost worker` answers `/metrics`, `/healthz` and `/readyz`; without it, it listens "
            "nowhere. `serve` shows its own on the API's port."
        ),
    )
    trusted_proxies: Annotated[str, AfterValidator(rules.proxies)] = Field(
        default="",
        description=(
            "Addresses and networks (CIDR) of proxies whose X-Forwarded-For is believed, comma-separated; `*` for all."
        ),
    )
    machine_name: Annotated[str, AfterValidator(rules.machine_name)] = Field(
        default="",
        description=(
            "What this machine is called in its own alerts (HOST_NAME) and among the workers. Processes of one "
            "name are on one machine: its disk, CPU and memory are told of once. Without it, its host name, which in a "
            "container is the container's."
        ),
    )
    pbx_web_domain: Annotated[str, AfterValidator(rules.web_domain)] = Field(
        default="",
        description=(
            "Host name of the phone system's web portal, with its port if it is not 443: the variable PBX_WEB_DOMAIN "
            "in templates."
        ),
    )
    system_locale: Annotated[str, AfterValidator(rules.locale)] = Field(
        default="en",
        description="Language of the system level's own mails, a BCP 47 tag such as `de`. Tenants have a locale each.",
    )
    ehlo_name: Annotated[str, AfterValidator(rules.ehlo_name)] = Field(
        default="",
        description=(
            "How Ringpost introduces itself to mail servers: a host name, or an address literal such as `[192.0.2.1]`. "
            "Without it, the host's full name when it has one, else its address."
        ),
    )
    allowed_mail_networks: Annotated[str, AfterValidator(rules.networks)] = Field(
        default="",
        description=(
            "Networks that tenants' mail servers may be in although they are not public: comma-separated CIDR, each "
            "with an optional `:port` (`10.1.0.0/16,192.0.2.7/32:2525,[fd00::/8]:25`); without a port, every port."
        ),
    )
    extra_mail_ports: Annotated[str, AfterValidator(rules.ports)] = Field(
        default="",
        description="Ports of tenants' mail servers beside 25, 465, 587, 2465, 2525 and 2587, comma-separated.",
    )
    allow_clear_login: bool = Field(
        default=False, description="Let mail servers be logged in to without encryption. Passwords are then readable."
    )
    mail_ca_file: Annotated[Path, AfterValidator(rules.certificates)] | None = Field(
        default=None, description="PEM file of certificate authorities to trust beside the system's, for mail servers."
    )
    microsoft_authority_url: Annotated[str, AfterValidator(rules.https_address)] = Field(
        default="https://login.microsoftonline.com",
        description="Where tokens for Microsoft 365 come from, in the global cloud. Tenants choose national clouds.",
    )
    microsoft_graph_url: Annotated[str, AfterValidator(rules.https_address)] = Field(
        default="https://graph.microsoft.com", description="Where Microsoft Graph is, in the global cloud."
    )
    microsoft_smtp_host: Annotated[str, AfterValidator(rules.smtp_host)] = Field(
        default="smtp.office365.com:587",
        description="Where Microsoft 365 takes mail by SMTP (with a password, or XOAUTH2), in the global cloud.",
    )
    google_token_url: Annotated[str, AfterValidator(rules.https_address)] = Field(
        default="https://oauth2.googleapis.com/token", description="Where tokens for Gmail come from."
    )
    gmail_api_url: Annotated[str, AfterValidator(rules.https_address)] = Field(
        default="https://gmail.googleapis.com", description="Where the Gmail API is."
    )
    google_smtp_host: Annotated[str, AfterValidator(rules.smtp_host)] = Field(
        default="smtp.gmail.com:465", description="Where Gmail takes mail by SMTP (with an app password, or XOAUTH2)."
    )
    microsoft_requests_at_once: int = Field(
        default=4, ge=1, le=100, description="Requests to Microsoft Graph at once, per app and mailbox and process."
    )
    microsoft_messages_per_minute: int = Field(
        default=30,
        ge=1,
        le=10_000,
        description="Mails a minute through Microsoft Graph, per app, mailbox and process; a tenth is for emergencies.",
    )
    microsoft_requests_per_10_minutes: int = Field(
        default=10_000, ge=1, le=100_000, description="Requests to Microsoft Graph in ten minutes, counted likewise."
    )
    gmail_requests_at_once: int = Field(
        default=4, ge=1, le=100, description="Requests to the Gmail API at once, per mailbox and process."
    )
    gmail_messages_per_minute: int = Field(
        default=120,
        ge=1,
        le=10_000,
        description="Mails a minute through the Gmail API, per mailbox and process; a tenth is for emergencies.",
    )
    dns_servers: Annotated[str, AfterValidator(rules.name_servers)] = Field(
        default="",
        description=(
            "DNS servers that the mail doctor asks about senders' domains: comma-separated IP addresses, each with an "
            "optional port (`192.0.2.53`, `192.0.2.53:5353`, `[2001:db8::53]:53`). Without it, the system's."
        ),
    )
    connections_per_server: int = Field(
        default=4, ge=1, le=100, description="Connections to one mail server at once, at most, per worker."
    )
    mail_server_pace: Annotated[str, AfterValidator(rules.pace_rules)] = Field(
        default="",
        description=(
            "Mails a minute that mail servers are given at most, comma-separated: `smtp.example.com=30` for a host, "
            "`*.example.net=600` for each host below a domain; the closest one counts. Per process. Emergencies count, "
            "but do not wait."
        ),
    )
    slots: int = Field(
        default=8192,
        ge=64,
        le=1_000_000,
        description=(
            "What a worker has in hand at once: a mail takes one slot for every 16 KiB that it has. At the very most a "
            "worker takes four times that in memory (0.5 GB), and one large mail beside it; servers that are slow to "
            "answer cost slots, and nothing else. Where file descriptors are few, the workers of a process have fewer "
            "slots: together half as many as it may have connections to mail servers."
        ),
    )
    borrowed_mails_per_hour: int = Field(
        default=1000,
        ge=0,
        description=(
            "How many mails a tenant without a mail server of its own sends through the system's in an hour; what is "
            "over waits. Emergencies are not counted. 0 is no limit."
        ),
    )
    lease_seconds: float = Field(
        default=60,
        ge=1,
        le=3600,
        description="When a worker has not renewed its claims for so long, its mails go to another.",
    )
    normal_lifetime_hours: float = Field(
        default=72, gt=0, le=24 * 30, description="How long a mail that is no emergency is tried before it expires."
    )
    keep_messages_hours: float = Field(
        default=24, ge=0, le=24 * 90, description="How long messages are kept after they ended; secrets go at once."
    )
    keep_history_days: float = Field(
        default=90, ge=1, le=3650, description="How long events, deliveries and attempts are kept after they ended."
    )
    log_format: Literal["auto", "console", "json"] = Field(
        default="auto", description="`console` for people, `json` for machines; `auto` is console on a terminal."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(default="info", description="What to log at least.")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Where settings come from, the strongest first; the folder of secrets is itself a setting."""
        del file_secret_settings
        sources = init_settings, env_settings, dotenv_settings
        folder = next((found for source in sources if (found := source().get("secrets_dir"))), None)
        if folder is None or not Path(folder).is_dir():  # `secrets_dir` says itself what is wrong with it
            return sources
        return *sources, SecretsSettingsSource(settings_cls, secrets_dir=folder)

    @property
    def url(self) -> str:
        """Where the database is."""
        return self.database_url or f"sqlite:///{self.data_dir.resolve() / 'ringpost.db'}"

    @property
    def allowed_networks(self) -> tuple[AllowedNetwork, ...]:
        """The networks of `allowed_mail_networks`."""
        return parse_allowed_networks(self.allowed_mail_networks)

    @property
    def paces(self) -> tuple[PaceRule, ...]:
        """The rules of `mail_server_pace`."""
        return parse_paces(self.mail_server_pace)

    @property
    def provider_hosts(self) -> ProviderHosts:
        """The SMTP servers of the providers."""
        return ProviderHosts(parse_smtp_host(self.microsoft_smtp_host), parse_smtp_host(self.google_smtp_host))

    @property
    def extra_ports(self) -> frozenset[int]:
        """The ports of `extra_mail_ports`."""
        return frozenset(map(int, rules.list_of(self.extra_mail_ports)))

    @property
    def introduced_as(self) -> str:
        """The EHLO name in effect (RFC 5321 4.1.1.1): never `localhost`, which tells the server nothing."""
        if self.ehlo_name:
            return self.ehlo_name
        name = socket.getfqdn()
        try:
            if not name.startswith("localhost"):
                return parse_host(name)
        except ValueError:
            pass
        return _address_literal()

    @property
    def name_servers(self) -> tuple[tuple[str, int], ...]:
        """IP address and port of each of `dns_servers`."""
        return tuple(map(rules.name_server, rules.list_of(self.dns_servers)))


def _address_literal() -> str:
    """The address that this host would send from (RFC 5321 4.1.3)."""
    for family, tag, somewhere in ((socket.AF_INET, "", "192.0.2.1"), (socket.AF_INET6, "IPv6:", "2001:db8::1")):
        with suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((somewhere, 9))  # nothing is sent: a datagram socket only looks up the route
            literal = f"[{tag}{probe.getsockname()[0]}]"
            if is_ehlo_name(literal):  # none with a zone, such as fe80::1%eth0
                return literal
    return "[127.0.0.1]"
