"""Values as long as they may be, without a place to break them, make no page wider than its window."""

from tests.console.conftest import Visitor
from tests.console.mails import admin, report

from ringpost.domain.access import Role
from ringpost.domain.tenants import SYSTEM, TenantDraft, TenantId
from ringpost.usecases.change_tenant import change_tenant
from ringpost.usecases.room import Room

HOST = ".".join([*["m" * 60] * 3, "example.com"])


async def test_the_longest_names_and_addresses_fit_every_screen(visitor: Visitor, room: Room, acme: TenantId) -> None:
    await visitor.sign_in_as(Role.TENANT_ADMIN)
    await change_tenant(room, acme, TenantDraft("N" * 128, HOST), admin(SYSTEM))
    mail = await report(room, acme, f"ann@{HOST}", f"anna@{HOST}", variables={"CALLER_NAME": "C" * 200})
    of_tenant = ("/", "/deliveries?q=ann", f"/deliveries/{mail}")
    for role, paths in ((Role.TENANT_ADMIN, of_tenant), (Role.SYSTEM_ADMIN, (f"/system/tenants/{acme}",))):
        if role is Role.SYSTEM_ADMIN:
            await visitor.sign_in_as(role)
        for path in paths:
            page = await visitor.open(path)
            for width in (360, 768, 1400):
                await page.set_viewport_size({"width": width, "height": 900})
                over = await page.evaluate("document.documentElement.scrollWidth - innerWidth")
                assert over <= 0, f"{path} is {over} px too wide at {width}"
