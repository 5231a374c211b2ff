"""Logging in, staying logged in, logging out."""

from typing import Annotated, Final

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from ringpost.api.authentication import Authenticator, SignedIn
from ringpost.api.json_routes import OpenJsonRoute
from ringpost.api.openapi import errors
from ringpost.domain.access import TokenPair
from ringpost.domain.secrets import Secret
from ringpost.errors import Unauthorized
from ringpost.limits import Limits, address_of
from ringpost.usecases.log_in import Login, log_in
from ringpost.usecases.log_out import log_out
from ringpost.usecases.refresh_login import refresh_login
from ringpost.usecases.room import Room

router = APIRouter(route_class=OpenJsonRoute, tags=["Sessions"])

_NO_STORE: Final = {"Cache-Control": "no-store"}  # RFC 6749 5.1


class LoginRequest(BaseModel):
    """Who wants to log in."""

    model_config = ConfigDict(strict=True)

    username: Annotated[str, Field(description="Case does not matter.", examples=["anna"])]
    password: Annotated[str, Field(examples=["correct horse battery staple"], json_schema_extra={"format": "password"})]
    domain: Annotated[
        str | None,
        Field(description="The tenant's domain. Left out or null: a system administrator.", examples=["acme.example"]),
    ] = None


class RefreshRequest(BaseModel):
    """A refresh token, which works once."""

    model_config = ConfigDict(strict=True)

    refresh_token: Annotated[str, Field(examples=["rp_refresh_..."])]


class TokensAnswer(BaseModel):
    """Two tokens (RFC 6749 5.1)."""

    access_token: Annotated[str, Field(description="For `Authorization: Bearer`.", examples=["rp_access_..."])]
    refresh_token: Annotated[str, Field(description="Gives the next two, once.", examples=["rp_refresh_..."])]
    expires_in: Annotated[int, Field(description="Seconds that the access token lives.", examples=[3600])]
    token_type: Annotated[str, Field(examples=["Bearer"])] = "Bearer"  # noqa: S105  a kind of token, not one


@router.post(
    "/login",
    summary="Log in",
    description="Gives a pair of tokens for a username and a password. An unknown user and a wrong password get the "
    "same answer. After five failures the account has to wait, longer each time.",
    response_model=TokensAnswer,
    responses=errors("UNAUTHORIZED", "VALIDATE_FAILED", "RATE_LIMITED"),
)
async def post_login(body: LoginRequest, request: Request, response: Response) -> TokensAnswer:
    """See the description of the route."""
    room: Room = request.app.state.room
    limits: Limits = request.app.state.limits
    login = Login(body.username, Secret(body.password), (body.domain or "").strip() or None)
    account, address = login.account, address_of(request)
    limits.logins.begin(account, address)
    pair = await log_in(room, login)
    limits.logins.succeeded(account, address)
    response.headers.update(_NO_STORE)
    return _answer(pair)


@router.post(
    "/auth/refresh_token",
    summary="Get the next pair of tokens",
    description="A refresh token works once. One that comes a second time is in two hands, so it ends the session.",
    response_model=TokensAnswer,
    responses=errors("UNAUTHORIZED", "VALIDATE_FAILED", "RATE_LIMITED"),
)
async def post_refresh_token(body: RefreshRequest, request: Request, response: Response) -> TokensAnswer:
    """See the description of the route."""
    limits: Limits = request.app.state.limits
    try:
        pair = await refresh_login(request.app.state.room, Secret(body.refresh_token))
    except Unauthorized:
        limits.bad_tokens.hit(address_of(request))
        raise
    response.headers.update(_NO_STORE)
    return _answer(pair)


@router.post(
    "/logout",
    summary="Log out",
    description="Ends the session of the access token: this token and its refresh token are of no use any more.",
    status_code=204,
    responses=errors("UNAUTHORIZED", "FORBIDDEN"),
)
async def post_logout(principal: SignedIn, request: Request) -> Response:
    """See the description of the route."""
    await log_out(request.app.state.room, principal)
    authenticator: Authenticator = request.app.state.authenticator
    authenticator.forget()
    return Response(status_code=204)


def _answer(pair: TokenPair) -> TokensAnswer:
    return TokensAnswer(
        access_token=pair.access.reveal(), refresh_token=pair.refresh.reveal(), expires_in=pair.expires_in
    )
