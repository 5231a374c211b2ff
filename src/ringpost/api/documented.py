"""What the plain routes take and answer, for the OpenAPI document only; nothing here is ever called.

`api/events` is written without FastAPI, because it is the hot path. A test posts these examples and holds the answers
against these schemas.
"""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Response
from fastapi.responses import PlainTextResponse
from pydantic import BaseModel, Field

from ringpost.api.openapi import body_of, errors
from ringpost.api.problems import ErrorItem
from ringpost.domain.catalogue import CATALOGUE
from ringpost.domain.events import LONGEST_ID, MOST_ATTACHMENTS, MOST_RECIPIENTS, MOST_VARIABLES, SkipReason
from ringpost.domain.system_events import SYSTEM_CATALOGUE

router = APIRouter()

EventType = Annotated[
    str,
    Field(
        description="Type of the event.",
        examples=["QUEUE_SLA"],
        json_schema_extra={"enum": list(dict.fromkeys([*CATALOGUE, *SYSTEM_CATALOGUE]))},
    ),
]
VariableName = Annotated[str, Field(pattern="^[A-Z0-9_]{1,64}$")]


class AttachmentRequest(BaseModel):
    """A file that goes with the mail."""

    filename: str = Field(min_length=1, max_length=255, examples=["msg-0107.wav"])
    content_type: str | None = Field(None, description="Default application/octet-stream.", examples=["audio/wav"])
    content: str = Field(description="The file in base64.", examples=["UklGRg=="])


class EventRequest(BaseModel):
    """What happened."""

    type: EventType
    id: str | None = Field(
        None,
        min_length=1,
        max_length=LONGEST_ID,
        description="The sender's own. The same id again, with the same content, is answered as the first time and "
        "sends nothing; with other content it is refused (409). Without one, an id is made.",
        examples=["pbx-7f3a"],
    )
    occurred_at: str | None = Field(None, description="RFC 3339. Default: now.", examples=["2026-01-05T09:30:00Z"])
    variables: dict[VariableName, str | int | float | bool | None] | None = Field(
        None, max_length=MOST_VARIABLES, examples=[{"QUEUE_NAME": "Sales", "QUEUE_NUMBER": "8001", "SLA_TIME": 90}]
    )
    recipients: list[str] | None = Field(None, max_length=MOST_RECIPIENTS, examples=[["manager@example.com"]])
    attachments: list[AttachmentRequest] | None = Field(
        None, max_length=MOST_ATTACHMENTS, description="10 MiB together.", examples=[[]]
    )
    tenant: str | None = Field(
        None,
        description="Id or domain; only with a token of the system, and then always, but for events of the system.",
    )


class EventListRequest(BaseModel):
    """Several events; each is taken or refused by itself."""

    events: list[EventRequest] = Field(min_length=1, max_length=1000)


class EventDelivery(BaseModel):
    """A delivery that an event made."""

    id: str = Field(examples=["019b8d3f2a07c1d2e3f4a5b6-1"])
    recipient: str = Field(examples=["manager@example.com"])


class EventAnswer(BaseModel):
    """What will be sent, or why nothing is."""

    id: str = Field(examples=["pbx-7f3a"])
    type: EventType
    deliveries: list[EventDelivery]
    skipped: SkipReason | None = Field(description="Why nothing is sent.")


class EventResult(BaseModel):
    """What became of one event of a list."""

    status: int = Field(description="As if it had been posted alone.", examples=[202])
    event: EventAnswer | None
    errors: list[ErrorItem] | None


class EventResults(BaseModel):
    """One result per event, in their order."""

    results: list[EventResult]


class UsedTemplate(BaseModel):
    """Which template the mail was written from."""

    custom: bool
    revision: int | None = Field(description="Number of the custom template's revision; null for the default.")


class EventStory(EventAnswer):
    """An event as it was accepted."""

    occurred_at: str = Field(examples=["2026-01-05T09:30:00.000Z"])
    accepted_at: str = Field(examples=["2026-01-05T09:30:01.000Z"])
    variables: dict[str, Any] | None = Field(description="null once they were erased; secrets are shown as `***`.")
    template: UsedTemplate
    unknown_variables: list[str] = Field(description="What the template asked for and nobody knew.")


class Status(BaseModel):
    """It works."""

    status: str = Field(examples=["ok"])


@router.post(
    "/events",
    tags=["Events"],
    summary="Report what happened",
    status_code=202,
    response_model=EventAnswer | EventResults,
    responses=errors(401, 403, "ALREADY_EXISTS", "VALIDATE_FAILED"),
    openapi_extra=body_of(EventRequest, EventListRequest),
)
async def post_events() -> None:
    """One event, or a list of up to 1,000. 202 means: it is on disk, and will be sent or its failure shown.

    The body may have 16 MiB with attachments, 1 MiB without.
    """


@router.get(
    "/events/{id}",
    tags=["Events"],
    summary="Show an event",
    response_model=EventStory,
    responses=errors(401, 403, 404),
)
async def get_event(
    id: Annotated[str, Path(examples=["pbx-7f3a"])],  # noqa: A002
    tenant: Annotated[
        str | None,
        Query(
            description="Id or domain of the tenant that the event was sent for; only with a token of the system that "
            "may send events. Without it, the event is the system's own. A tenant's token reads its own, whatever "
            "stands here."
        ),
    ] = None,
) -> None:
    """The event, its deliveries, or why nothing was sent."""


@router.get("/healthz", tags=["Operation"], summary="Is the process alive?", response_model=Status)
async def healthz() -> None:
    """200 as long as the process answers at all."""


@router.get(
    "/readyz",
    tags=["Operation"],
    summary="Can it take events?",
    response_model=Status,
    responses=errors("STORAGE_UNAVAILABLE"),
)
async def readyz() -> None:
    """200 when a write goes through to the disk."""


@router.get("/metrics", tags=["Operation"], summary="Numbers for Prometheus", response_class=PlainTextResponse)
async def metrics() -> None:
    """Prometheus text format. Numbers only, of no tenant in particular."""


@router.get("/openapi.json", tags=["Operation"], summary="This document", response_model=dict[str, Any])
async def openapi_json() -> None:
    """OpenAPI 3.1."""


@router.get(
    "/docs",
    tags=["Operation"],
    summary="This document for people",
    response_class=Response,
    responses={200: {"content": {"text/html": {}}, "description": "A page."}},
)
async def docs() -> None:
    """One page without anything from outside."""
