"""Tests of this folder run on both databases."""

import pytest
from tests.usecases.people import ANNA

from ringpost.domain.access import User
from ringpost.domain.tenants import TenantDraft, TenantId
from ringpost.storage import tenants
from ringpost.usecases.create_user import create_user
from ringpost.usecases.room import Room


@pytest.fixture(params=["sqlite", "postgresql"])
def kind_of_database(request: pytest.FixtureRequest) -> str:
    """Every test of this folder runs on both."""
    return request.param


@pytest.fixture
async def acme_itself(room: Room) -> None:
    """A tenant whose id is `acme`, for tests that know it by that."""
    await room.database.write(tenants.add, TenantId("acme"), TenantDraft("Acme", "acme.example"), 1)


@pytest.fixture
async def anna(room: Room, acme: TenantId) -> User:
    """An administrator of a tenant."""
    return await create_user(room, acme, ANNA)
