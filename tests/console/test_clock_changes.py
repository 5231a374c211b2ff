"""The nights when clocks are changed: what they show twice is found both times and told apart."""

from datetime import datetime
from typing import NamedTuple

import pytest
from tests.conftest import Clock
from tests.console.conftest import ClientOf
from tests.console.mails import names_in, report

from ringpost.domain.access import Role
from ringpost.domain.tenants import TenantDraft, TenantId
from ringpost.usecases.change_tenant import change_tenant
from ringpost.usecases.room import Room

BERLIN, LORD_HOWE = "Europe/Berlin", "Australia/Lord_Howe"


async def report_at(room: Room, tenant: TenantId, clock: Clock, *moments: str) -> None:
    """A mail at each of these times, to a name that tells which it is."""
    for number, moment in enumerate(moments):
        clock.ms = round(datetime.fromisoformat(moment).timestamp() * 1000)
        await report(room, tenant, f"at{number}@example.com")


class Night(NamedTuple):
    """When mails are made in it, what is asked for, and how many of them that may mean."""

    zone: str
    moments: tuple[str, ...]
    query: str
    found: int


TWICE = ("2027-10-31T02:30+02:00", "2027-10-31T02:30+01:00")
NIGHTS = (
    Night(BERLIN, TWICE, "since=2027-10-31T02:15", 2),
    Night(BERLIN, TWICE, "until=2027-10-31T02:45", 2),
    Night(BERLIN, TWICE, "since=2027-10-31T02:45", 1),
    Night(BERLIN, TWICE, "until=2027-10-31T02:15", 1),
    Night(LORD_HOWE, ("2027-04-04T01:40+11:00", "2027-04-04T01:40+10:30"), "until=2027-04-04T01:45", 2),
    Night(BERLIN, ("2027-03-28T03:10+02:00",), "since=2027-03-28T02:30", 1),
    Night(BERLIN, ("2027-03-28T01:50+01:00",), "until=2027-03-28T02:30", 1),
)


@pytest.mark.parametrize("night", NIGHTS)
async def test_what_may_be_meant_is_found(
    client_of: ClientOf, room: Room, acme: TenantId, clock: Clock, night: Night
) -> None:
    await change_tenant(room, acme, TenantDraft("Acme", "acme.example", timezone=night.zone))
    await report_at(room, acme, clock, *night.moments)
    client = await client_of(Role.TENANT_ADMIN)

    page = await client.get(f"/console/deliveries?{night.query}")

    assert len(names_in(page)) == night.found


async def test_what_clocks_show_twice_is_told_apart(
    client_of: ClientOf, room: Room, acme: TenantId, clock: Clock
) -> None:
    await change_tenant(room, acme, TenantDraft("Acme", "acme.example", timezone=BERLIN))
    moments = ("2027-10-31T01:50+02:00", "2027-10-31T02:50+02:00", "2027-10-31T02:10+01:00", "2027-10-31T03:00+01:00")
    await report_at(room, acme, clock, *moments)
    client = await client_of(Role.TENANT_ADMIN)

    page = (await client.get("/console/deliveries")).text

    assert [shown for shown in ("01:50<", "02:50 CEST<", "02:10 CET<", "03:00<") if shown not in page] == []
