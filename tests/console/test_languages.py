"""Every text can be had in German, and everybody gets the language that they want."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from babel.messages.pofile import read_po
from tests.console.conftest import ClientOf, csrf_of

from ringpost.console.languages import FOLDER, choose_language
from ringpost.domain.access import Role
from ringpost.domain.tenants import TenantDraft, TenantId
from ringpost.usecases.change_tenant import change_tenant
from ringpost.usecases.room import Room

ROOT = Path(__file__).parents[2]
RUN = "Run `make messages`, then translate what is empty in"


def test_every_text_is_extracted() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "tools" / "messages.py", "--check"], capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, f"{done.stderr}{RUN} {FOLDER}"


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*/LC_MESSAGES/*.po")), ids=lambda path: path.parts[-3])
def test_every_text_is_translated(path: Path) -> None:
    with path.open("rb") as file:
        catalogue = read_po(file, path.parts[-3])

    open_ones = [text.id for text in catalogue if text.id and (text.fuzzy or not _said(text.string))]
    assert open_ones == [], f"{RUN} {path}"
    assert [str(fault) for text in catalogue for fault in text.check(catalogue)] == []


@pytest.mark.parametrize(
    ("wanted", "accepted", "tag"),
    [
        (("de", "en"), "en", "de"),
        ((None, "de-CH"), "en", "de"),
        ((None, None), "fr, de-AT;q=0.8, en;q=0.5", "de"),
        ((None, None), "de;q=0, fr", "en"),
        (("xx", "../../etc"), ";;q=x,,", "en"),
    ],
)
def test_the_language_is_the_chosen_one_else_the_tenants_else_the_browsers(
    wanted: tuple[str | None, ...], accepted: str, tag: str
) -> None:
    assert choose_language(wanted, accepted).tag == tag


async def test_pages_speak_the_tenants_language_until_another_is_chosen(
    client_of: ClientOf, room: Room, acme: TenantId
) -> None:
    await change_tenant(room, acme, TenantDraft("Acme", "acme.example", timezone="Europe/Berlin", locale="de"))
    client = await client_of(Role.TENANT_ADMIN)
    german = (await client.get("/console/account")).text
    assert "Kennwort ändern" in german
    assert '<html lang="de"' in german
    form = {"csrf": await csrf_of(client), "language": "en", "next": "/console/account"}

    await client.post("/console/preferences", data=form)

    assert "Change the password" in (await client.get("/console/account")).text


async def test_times_are_in_the_tenants_zone(client_of: ClientOf, room: Room, acme: TenantId) -> None:
    await change_tenant(room, acme, TenantDraft("Acme", "acme.example", timezone="Asia/Kolkata"))

    page = (await (await client_of(Role.TENANT_ADMIN)).get("/console/account")).text

    # The clock of these tests stands at 2027-01-15T08:00:00Z.
    assert '<time datetime="2027-01-15T08:00:00Z"' in page
    assert "15 Jan 2027, 13:30" in page


def _said(string: Any) -> bool:
    parts: list[str] = [string] if isinstance(string, str) else list(string)
    return all(parts)
