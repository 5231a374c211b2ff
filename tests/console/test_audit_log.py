"""The pages of the audit log: in plain words, by filters, page by page, and as a table to keep."""

import csv
import io
from datetime import UTC, datetime

from tests.conftest import Clock
from tests.console.conftest import ClientOf, Visitor, assert_accessible, csrf_of

from ringpost.console.audit_log import ACTIONS
from ringpost.domain.access import Role
from ringpost.domain.tenants import SYSTEM, TenantId
from ringpost.storage import audit
from ringpost.storage.audit import Entry, Filter
from ringpost.usecases.room import Room

DAY_MS = 86_400_000


async def log(room: Room, owner: TenantId, *entries: Entry) -> None:
    for entry in entries:
        await room.database.write(audit.record, owner, entry)


def rows_of(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline="")))


async def test_what_somebody_did_stands_in_the_log_in_words_and_without_values(
    client_of: ClientOf, clock: Clock
) -> None:
    client = await client_of(Role.TENANT_ADMIN)
    clock.advance(1)
    key = {"csrf": await csrf_of(client), "name": "pbx", "use": "events", "days": ""}
    await client.post("/console/keys", data=key)

    page = (await client.get("/console/audit")).text

    row = page.partition("<tbody>")[2].partition("</tr>")[0]
    assert "anna" in row
    assert "Created an API key" in row
    assert ">pbx</span>" in row
    assert "rp_key_" not in page


async def test_the_log_of_others_is_not_there(client_of: ClientOf, room: Room, other: TenantId) -> None:
    await log(room, other, Entry(1, "stranger-of-theirs", "change_settings", "settings"))
    await log(room, SYSTEM, Entry(1, "stranger-of-theirs", "change_settings", "settings"))
    client = await client_of(Role.TENANT_ADMIN)

    for path in ("/console/audit", "/console/audit.csv"):
        assert "stranger-of-theirs" not in (await client.get(path)).text


async def test_filters_leave_what_was_asked_for(client_of: ClientOf, room: Room, acme: TenantId, clock: Clock) -> None:
    await log(
        room,
        acme,
        Entry(clock.ms - 3 * DAY_MS, "zoe", "change_settings", "settings", ("port",)),
        Entry(clock.ms - DAY_MS, "zoe", "create_template", "QUEUE_SLA"),
        Entry(clock.ms - DAY_MS, "yann", "create_template", "USER_CREATION"),
    )
    client = await client_of(Role.TENANT_ADMIN)
    yesterday = datetime.fromtimestamp((clock.ms - DAY_MS) / 1000, UTC).date().isoformat()

    async def found(**query: str) -> list[str]:
        return [row[3] for row in rows_of((await client.get("/console/audit.csv", params=query)).text)[1:]]

    assert await found(actor="zoe") == ["QUEUE_SLA", "settings"]
    assert await found(actor="zoe", action="create_template") == ["QUEUE_SLA"]
    assert sorted(await found(since=yesterday, until=yesterday)) == ["QUEUE_SLA", "USER_CREATION"]
    assert await found(actor="zoe", since="no date") == ["QUEUE_SLA", "settings"]
    assert await found(actor="nobody") == []
    page = (await client.get("/console/audit", params={"actor": "nobody"})).text
    assert "Nothing was found" in page


async def test_pages_lead_on_and_back_and_keep_the_filters(
    client_of: ClientOf, room: Room, acme: TenantId, clock: Clock
) -> None:
    entries = [Entry(clock.ms + number, "zoe", "change_settings", f"s{number:03}") for number in range(101)]
    await log(room, acme, *entries, Entry(clock.ms + 999, "yann", "change_settings", "s999"))
    client = await client_of(Role.TENANT_ADMIN)

    first = (await client.get("/console/audit", params={"actor": "zoe"})).text
    second = (await client.get(_link(first, "next"))).text
    third = (await client.get(_link(second, "next"))).text

    assert ("s100" in first, "s051" in first, "s050" in first, "s999" in first) == (True, True, False, False)
    assert ("s050" in second, "s001" in second) == (True, True)
    assert ("s000" in third, 'rel="next"' in third) == (True, False)
    assert "s050" in (await client.get(_link(third, "prev"))).text
    back = (await client.get(_link(second, "prev"))).text
    assert ("s100" in back, 'rel="prev"' in back) == (True, False)
    everything = rows_of((await client.get("/console/audit.csv")).text)
    assert len(everything) == 1 + len(await room.database.read(audit.page, acme, Filter(), 1000))


async def test_a_spreadsheet_takes_nothing_for_a_formula(client_of: ClientOf, room: Room, acme: TenantId) -> None:
    await log(room, acme, Entry(5, "=HYPERLINK(1)", "invite_user", "@SUM(1+1)*cmd", ("a", "b")))
    client = await client_of(Role.TENANT_ADMIN)

    answer = await client.get("/console/audit.csv")

    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert "attachment" in answer.headers["content-disposition"]
    (row,) = [row for row in rows_of(answer.text) if row[0].startswith("1970")]
    assert row == ["1970-01-01T00:00:00.005Z", "'=HYPERLINK(1)", "invite_user", "'@SUM(1+1)*cmd", "", "a b"]


async def test_every_action_that_is_known_has_words_and_others_are_shown_as_they_are(
    visitor: Visitor, room: Room, acme: TenantId
) -> None:
    some = [
        Entry(number, "zoe <b>x</b>", action, "<u>it</u>", ("f",)) for number, action in enumerate([*ACTIONS, "new"])
    ]
    await log(room, acme, *some)
    await visitor.sign_in_as(Role.READ_ONLY)

    page = await visitor.open("/audit")

    text = await page.locator("table").inner_text()
    assert [words for words in ACTIONS.values() if words not in text] == []
    assert "new" in text
    assert await page.locator("table b, table u").count() == 0
    await assert_accessible(page)
    await assert_accessible(await visitor.open("/audit?actor=nobody"))


def _link(page: str, rel: str) -> str:
    return page.partition(f'rel="{rel}" href="')[2].partition('"')[0].replace("&amp;", "&")
