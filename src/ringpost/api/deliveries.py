"""GET /deliveries, GET /deliveries/{id}, POST /deliveries/{id}/retry and /cancel."""

from typing import Annotated, Any, cast

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field, model_validator

from ringpost.api.authentication import Follower, TenantEditor
from ringpost.api.openapi import errors
from ringpost.api.queries import Whole
from ringpost.domain.deliveries import State
from ringpost.storage import deliveries
from ringpost.storage.deliveries import MOST_ON_A_PAGE, Filter
from ringpost.usecases import show_delivery as stories
from ringpost.usecases.cancel_delivery import cancel_delivery
from ringpost.usecases.retry_delivery import retry_delivery
from ringpost.usecases.room import Room

router = APIRouter(tags=["Deliveries"])


class Attempt(BaseModel):
    """One try at a delivery."""

    number: int
    started_at: str
    duration_ms: int
    server: str | None = Field(description="Host and port of the mail server that was tried.")
    verdict: str = Field(description="`sent`, `retry` or `rejected`.")
    stage: str = Field(description="How far it came.")
    party: str | None = Field(description="Whose failure it was.")
    code: int | None
    enhanced_code: str | None
    reply: str | None = Field(description="The server's own words; null when it said nothing.")
    hint: str | None = Field(description="What to change, in plain words; null when there is nothing.")
    ambiguous: bool = Field(description="The server may have taken the mail; touch was lost before it said so.")


class AttemptInFull(Attempt):
    """One try, with what was said."""

    dialogue: str | None = Field(
        description="What was said on the connection, a line each: `C:` Ringpost, `S:` the mail server; without "
        "secrets. null when the mail was taken, and when nothing was said."
    )


class Delivery(BaseModel):
    """One message to one recipient."""

    id: str
    event: str = Field(description="The event id.")
    type: str
    recipient: str
    urgency: str
    state: State
    attempts: int
    created_at: str
    due_at: str | None = Field(description="When it is tried next; null when it has ended.")
    expires_at: str
    sent_at: str | None
    ended_at: str | None
    last_attempt: Attempt | None


class Waiting(BaseModel):
    """Why the mail server of a delivery is left alone for a while: it fails, or the tenant has borrowed it enough."""

    since: str
    next_probe_at: str
    failures: int
    stage: str
    code: int | None
    enhanced_code: str | None
    reply: str | None
    hint: str | None


class DeliveryStory(Delivery):
    """One delivery with every attempt."""

    waiting_for_server: Waiting | None = Field(
        description="Why the tenant's mail to this server waits; null when it does not."
    )
    all_attempts: list[AttemptInFull]


class Deliveries(BaseModel):
    """A page of deliveries, the newest first."""

    items: list[Delivery]


class DeliveryQuery(BaseModel):
    """How to narrow the list."""

    state: State | None = None
    recipient: str | None = Field(
        None, max_length=320, description="The whole address; upper and lower case are alike in its domain."
    )
    event: str | None = Field(None, max_length=255, description="The event id.")
    top: Whole = Field(50, ge=1, le=MOST_ON_A_PAGE)
    skip: Whole = Field(0, ge=0, le=1_000_000)

    @model_validator(mode="before")
    @classmethod
    def _empty_is_not_given(cls, given: Any) -> Any:
        """`?state=&top=` is what a form with empty fields sends."""
        if not isinstance(given, dict):
            return given
        return {name: value for name, value in cast("dict[str, Any]", given).items() if value != ""}


@router.get("/deliveries", summary="List deliveries", responses=errors(401, 403, "VALIDATE_FAILED"))
async def list_deliveries(
    request: Request, principal: Follower, query: Annotated[DeliveryQuery, Query()]
) -> Deliveries:
    """Deliveries of the tenant, the newest first, with their last attempt."""
    room: Room = request.app.state.room
    wanted = Filter(query.state, query.recipient, query.event, query.top, query.skip)
    rows = await room.database.read(deliveries.page, principal.tenant, wanted)
    return Deliveries(items=[Delivery(**stories.delivery_to_json(row)) for row in rows])


@router.get("/deliveries/{id}", summary="One delivery with every attempt", responses=errors(401, 403, 404))
async def show_delivery(request: Request, principal: Follower, id: str) -> DeliveryStory:  # noqa: A002
    """What became of a delivery, and why: every attempt with the server's words and what to change."""
    return DeliveryStory(**await stories.show_delivery(request.app.state.room, principal.tenant, id))


@router.post(
    "/deliveries/{id}/retry",
    summary="Try a delivery again",
    status_code=204,
    responses=errors(401, 403, 404, "WRONG_STATE"),
)
async def retry(request: Request, principal: TenantEditor, id: str) -> None:  # noqa: A002
    """Queue it at once, whether it waits or has ended without being sent."""
    await retry_delivery(request.app.state.room, principal, id)


@router.post(
    "/deliveries/{id}/cancel",
    summary="Cancel a delivery",
    status_code=204,
    responses=errors(401, 403, 404, "WRONG_STATE"),
)
async def cancel(request: Request, principal: TenantEditor, id: str) -> None:  # noqa: A002
    """End a delivery that waits. One that is being sent at this moment answers 409."""
    await cancel_delivery(request.app.state.room, principal, id)
