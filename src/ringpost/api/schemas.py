"""What goes in and out of the routes of settings and templates, as OpenAPI describes it.

Settings and test mails are described here but read by `domain.settings` and `usecases.send_test_mail`, so that there
is one source of their rules and every wrong field is told at once. A test holds the settings against their description.
"""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from ringpost.domain.catalogue import CATALOGUE
from ringpost.domain.endpoints import Auth
from ringpost.domain.mail_servers import ServerType
from ringpost.domain.system_events import SYSTEM_CATALOGUE
from ringpost.domain.templates import LARGEST_BODY, LONGEST_LINE
from ringpost.usecases.check_template import Values

TEMPLATE_NAMES: list[JsonValue] = list(CATALOGUE)
SYSTEM_TEMPLATE_NAMES: list[JsonValue] = list(SYSTEM_CATALOGUE)

_Switch = Annotated[bool, Field(description="Send this notification.")]
_Threshold = Annotated[float, Field(ge=0, le=1, description="Share of the whole, 0 to 1; 0 is off.", examples=[0.9])]
_PostedSwitch = Annotated[bool | None, Field(description="Send this notification. Default false.")]
_PostedThreshold = Annotated[
    float | None, Field(ge=0, le=1, description="Share of the whole, 0 to 1. Default 0: off.", examples=[0.9])
]


class MailServerAnswer(BaseModel):
    """A mail server, without its password."""

    type: ServerType | None = Field(description="null until a mail server was saved.", examples=["SMTP"])
    server: str | None = Field(examples=["mail.example.com"])
    port: int | None = Field(ge=0, le=65535, examples=[465])
    reply_to: str | None = Field(examples=["office@example.com"])
    username: str | None = Field(examples=["pbx@example.com"])
    auth: Auth = Field(examples=["AUTO"])
    enable_tls_ssl: bool = Field(examples=[True])
    enable_starttls_auto: bool
    recipients: str | None = Field(
        description="Separated by `, `.", examples=["ann@example.com, Bob <bob@example.com>"]
    )


class SettingsAnswer(MailServerAnswer):
    """A tenant's notification settings."""

    enable_system_email_server: bool = Field(
        description="Read-only: there is a mail server of the system, and tenants without their own send through it."
    )
    notify_user_registration: _Switch
    notify_queue_sla_breached: _Switch
    notify_queue_callback: _Switch
    notify_queue_callback_failed: _Switch
    notify_queue_call_lost: _Switch


class SystemSettingsAnswer(MailServerAnswer):
    """The system level's notification settings."""

    enable_tenant_access: bool = Field(description="Tenants without a mail server of their own send through this one.")
    hard_disk_threshold: _Threshold
    cpu_threshold: _Threshold
    memory_threshold: _Threshold
    notify_hard_disk_exceeded_threshold: _Switch
    notify_cpu_exceeded_threshold: _Switch
    notify_memory_exceeded_threshold: _Switch
    notify_ip_blocked: _Switch
    notify_license_limited: _Switch
    notify_service_disconnected: _Switch
    notify_push_certs_update_failed: _Switch


class MailServerRequest(BaseModel):
    """A mail server and the recipients."""

    type: ServerType | None = Field(
        description="What kind of mail server sends. null, together with a null server, port and username: "
        "no mail server of one's own; a saved one, and its password, are taken away.",
        examples=["SMTP"],
    )
    server: str | None = Field(
        None,
        max_length=255,
        description="Host name or IP address, without port. Required for type SMTP.",
        examples=["mail.example.com"],
    )
    port: int | None = Field(
        None, ge=0, le=65535, description="0 or null: 465, 587 or 25, as the TLS flags say.", examples=[465]
    )
    reply_to: str | None = Field(
        None,
        description="One address for answers; also the sender when `username` is no address.",
        examples=["office@example.com"],
    )
    username: str | None = Field(
        None,
        min_length=1,
        max_length=128,
        description="Login name, and the sender's address when it is one. Required, unless `type` is null.",
        examples=["pbx@example.com"],
    )
    password: str | None = Field(
        None,
        max_length=1024,
        description="Never shown again. Left out, the stored one stays, as long as type, server, port, username and "
        "the TLS flags are unchanged; else it has to be given again (PASSWORD_REQUIRED). An empty one removes it.",
        examples=["a password of theirs"],
        json_schema_extra={"format": "password", "writeOnly": True},
    )
    auth: Auth | None = Field(
        None, description="Default AUTO: PLAIN or LOGIN, whichever the server offers.", examples=["AUTO"]
    )
    enable_tls_ssl: bool | None = Field(None, description="TLS is required. Default true.", examples=[True])
    enable_starttls_auto: bool | None = Field(None, description="TLS begins with STARTTLS. Default false.")
    recipients: str | None = Field(
        None,
        description="Up to 15 addresses, separated by commas (semicolons and line breaks are understood).",
        examples=['ann@example.com, "Doe, Bob" <bob@example.com>'],
    )


class SettingsRequest(MailServerRequest):
    """A tenant's notification settings. What is left out or null takes its default."""

    notify_user_registration: _PostedSwitch = None
    notify_queue_sla_breached: _PostedSwitch = None
    notify_queue_callback: _PostedSwitch = None
    notify_queue_callback_failed: _PostedSwitch = None
    notify_queue_call_lost: _PostedSwitch = None


class SystemSettingsRequest(MailServerRequest):
    """The system level's notification settings. What is left out or null takes its default."""

    enable_tenant_access: bool | None = Field(
        None, description="Tenants without a mail server of their own send through this one. Default true."
    )
    hard_disk_threshold: _PostedThreshold = None
    cpu_threshold: _PostedThreshold = None
    memory_threshold: _PostedThreshold = None
    notify_hard_disk_exceeded_threshold: _PostedSwitch = None
    notify_cpu_exceeded_threshold: _PostedSwitch = None
    notify_memory_exceeded_threshold: _PostedSwitch = None
    notify_ip_blocked: _PostedSwitch = None
    notify_license_limited: _PostedSwitch = None
    notify_service_disconnected: _PostedSwitch = None
    notify_push_certs_update_failed: _PostedSwitch = None


class TestMailRequest(BaseModel):
    """A mail to try the mail server with."""

    __test__ = False

    recipient: str = Field(description="One address.", examples=["ann@example.com"])
    subject: str = Field(min_length=1, description="One line.", examples=["Test"])
    content: str = Field(min_length=1, description="Sent as HTML when it looks like HTML.", examples=["It works."])


class TemplateAnswer(BaseModel):
    """A whole template."""

    name: str = Field(examples=["QUEUE_SLA"], json_schema_extra={"enum": TEMPLATE_NAMES})
    from_: str = Field(alias="from", description="The sender's display name.", examples=["%%TENANT_NAME%%"])
    subject: str = Field(examples=["%%QUEUE_NAME%%: a caller waits too long"])
    body: str = Field(description="HTML.", examples=["<p>%%CALLER_NUMBER%% waits.</p>"])
    text_body: str | None = Field(description="The text alternative; null: derived from the HTML.")


class CustomTemplateAnswer(BaseModel):
    """A template as the tenant customised it; null is a part of the default."""

    name: str = Field(examples=["QUEUE_SLA"], json_schema_extra={"enum": TEMPLATE_NAMES})
    from_: str | None = Field(alias="from", examples=["%%TENANT_NAME%% phones"])
    subject: str | None = Field(examples=["%%QUEUE_NAME%%: a caller waits"])
    body: str | None
    text_body: str | None


class TemplateList(BaseModel):
    """All default templates."""

    items: list[TemplateAnswer]


class CustomTemplateList(BaseModel):
    """All templates that the tenant customised."""

    items: list[CustomTemplateAnswer]


_SystemName = Annotated[str, Field(examples=["CPU_EXCEEDED"], json_schema_extra={"enum": SYSTEM_TEMPLATE_NAMES})]


class SystemTemplateAnswer(TemplateAnswer):
    """A whole template of the system level."""

    name: _SystemName


class SystemCustomTemplateAnswer(CustomTemplateAnswer):
    """A template of the system level as it was customised; null is a part of the default."""

    name: _SystemName


class SystemTemplateList(BaseModel):
    """All default templates of the system level."""

    items: list[SystemTemplateAnswer]


class SystemCustomTemplateList(BaseModel):
    """All templates of the system level that were customised."""

    items: list[SystemCustomTemplateAnswer]


_LINE = f"at most {LONGEST_LINE} characters"
_BODY = f"at most {LARGEST_BODY // 1024} KiB"


class TemplateParts(BaseModel):
    """What the tenant writes. A part that is left out or null is the default's."""

    model_config = ConfigDict(strict=True)

    from_: str | None = Field(
        None,
        alias="from",
        description=f"The sender's display name; one line, {_LINE}.",
        examples=["%%TENANT_NAME%% phones"],
    )
    subject: str | None = Field(None, description=f"One line, {_LINE}.", examples=["%%QUEUE_NAME%%: a caller waits"])
    body: str | None = Field(
        None,
        description=f"HTML, or plain text when it has no HTML element; {_BODY}.",
        examples=["<p>%%CALLER_NUMBER%%</p>"],
    )
    text_body: str | None = Field(
        None, description=f"The text alternative of an HTML body; null: derived from it; {_BODY}."
    )


class NewTemplate(TemplateParts):
    """A template to customise."""

    name: str = Field(examples=["QUEUE_SLA"], json_schema_extra={"enum": TEMPLATE_NAMES})


class NewSystemTemplate(TemplateParts):
    """A template of the system level to customise."""

    name: _SystemName


class DraftRequest(TemplateParts):
    """A template that is being written, and what to fill its preview with."""

    model_config = ConfigDict(strict=True)

    values: Annotated[
        Annotated[Values, Field(strict=False)] | None,
        Field(
            description="`last_event` takes the values of the newest event; samples when there is none. "
            "Default `samples`.",
            examples=["samples"],
        ),
    ] = None


class Created(BaseModel):
    """The id of what was made: a tenant's, or the name of a template."""

    id: str = Field(examples=["018c2f9a5b0a1b2c3d4e5f60", "QUEUE_SLA"])


class UnknownVariable(BaseModel):
    """A variable that events of this type do not have, or what was meant as one and is sent as it stands."""

    name: str = Field(
        description="What stands between the %%; where they do not close it, all of it, such as `%%QUEUE_NAME%`.",
        examples=["QUEUE_NAM"],
    )
    nearest: str | None = Field(description="The known name that it looks like.", examples=["QUEUE_NAME"])


class Preview(BaseModel):
    """How the mail would look. Show the HTML only in `<iframe sandbox="">`."""

    from_: str = Field(alias="from", examples=["Northwind Traders phones"])
    subject: str = Field(examples=["Sales: a caller waits"])
    html: str | None = Field(description="null for a plain-text template.", examples=["<p>+1 555 0143</p>"])
    text: str = Field(examples=["+1 555 0143"])
    values: Values = Field(description="What it was filled with.")


class CheckAnswer(BaseModel):
    """What a check of a template found. None of it keeps the template from being saved."""

    unknown_variables: list[UnknownVariable]
    missing_variables: list[str] = Field(
        description="What the reader would need and the template does not say.", examples=[["SLA_TIME"]]
    )
    preview: Preview
