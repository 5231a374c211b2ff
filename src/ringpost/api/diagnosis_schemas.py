"""What goes in and out of the mail doctor's routes, as OpenAPI describes it."""

from typing import Any, Final

from pydantic import BaseModel, Field

from ringpost.api.schemas import SettingsRequest, SystemSettingsRequest
from ringpost.domain.diagnosis import StepName, StepStatus

_RECIPIENT: Final = Field(
    None,
    description="Whom to try RCPT with; nothing is sent. Without it, the first of the recipients.",
    examples=["ann@example.com"],
)


class DiagnoseInForce(BaseModel):
    """Examine the mail server in force."""

    recipient: str | None = _RECIPIENT


class DiagnoseSettings(SettingsRequest):
    """Examine settings that are not saved yet."""

    recipient: str | None = _RECIPIENT


class DiagnoseSystemSettings(SystemSettingsRequest):
    """Examine settings of the system level that are not saved yet."""

    recipient: str | None = _RECIPIENT


class StepAnswer(BaseModel):
    """One step, as it went."""

    name: StepName = Field(examples=["greeting"])
    status: StepStatus = Field(examples=["failed"])
    duration_ms: int = Field(ge=0, examples=[2512])
    summary: str = Field(description="What happened.", examples=["No greeting that we could work with."])
    finding: str | None = Field(description="Code of the finding.", examples=["STARTTLS_ON_IMPLICIT_TLS_PORT"])
    hint: str | None = Field(
        description="What to change.",
        examples=["The port speaks TLS from the first byte. Turn enable_tls_ssl on and enable_starttls_auto off."],
    )
    code: int | None = Field(description="The server's reply code.", examples=[None])
    enhanced_code: str | None = Field(examples=[None])
    reply: str | None = Field(description="The server's words, without secrets.", examples=[None])
    details: dict[str, Any] = Field(description="More, as data; its fields depend on the step.", examples=[{}])


class FindingAnswer(BaseModel):
    """A trap that the settings are in, and the way out."""

    code: str = Field(description="Name of the trap (docs/doctor.md).", examples=["STARTTLS_ON_IMPLICIT_TLS_PORT"])
    title: str = Field(examples=["The port begins with TLS, the settings begin in clear text"])
    explanation: str = Field(examples=["The port speaks TLS from the first byte, so both sides waited."])
    what_to_do: str = Field(examples=["Turn enable_tls_ssl on and enable_starttls_auto off, with port 465."])
    suggested_settings: dict[str, Any] = Field(
        description="Fields of the settings with the values to try; may be empty.",
        examples=[{"enable_tls_ssl": True, "enable_starttls_auto": False}],
    )


class ProviderAnswer(BaseModel):
    """A mail provider that was recognised."""

    name: str = Field(examples=["Gmail"])
    username: str = Field(description="What the user name is there.", examples=["the whole mail address"])
    password: str = Field(description="What the password is there.", examples=["an app password"])


class DiagnosisAnswer(BaseModel):
    """What the doctor says."""

    ok: bool = Field(description="Nothing failed: mail can be sent.", examples=[False])
    server: str | None = Field(
        description="What was examined; null for a borrowed system server.", examples=["mail.example.com:465"]
    )
    provider: ProviderAnswer | None
    steps: list[StepAnswer]
    findings: list[FindingAnswer] = Field(description="What failed comes first.")
