"""The first start of the service: a printed one-time link makes whoever reads it the administrator."""

import asyncio
import re
import signal
import sqlite3
from contextlib import closing
from pathlib import Path

import httpx
from chaos.locks import writing_is_held_up
from tests.console.conftest import PASSWORD
from tests.journeys.running import Service, service
from tests.patience import patience

LINK = re.compile(r"http://\S+/console/welcome/rp_welcome_[\w-]+")


def links_of(running: Service) -> list[str]:
    """All that were printed by now, in every start."""
    return LINK.findall(running.log.read_text())


async def set_password(client: httpx.AsyncClient, link: str) -> httpx.Response:
    """What a browser does with the link. Its Secure cookies are carried by hand, because this is http on loopback."""
    form = await client.get(link)
    visit = form.headers["set-cookie"].partition(";")[0]
    token = form.text.partition('name="csrf" value="')[2].partition('"')[0]
    data = {"csrf": token, "password": PASSWORD, "again": PASSWORD}
    return await client.post(link, data=data, headers={"Cookie": visit})


async def test_the_first_start_prints_a_link_that_makes_an_administrator_once(tmp_path: Path) -> None:
    async with service(tmp_path / "data") as running, httpx.AsyncClient(timeout=30, trust_env=False) as client:
        (link,) = links_of(running)
        assert link.startswith(f"{running.url}/console/welcome/")

        done = await set_password(client, link)

        assert done.headers["location"] == "/console/?done=welcome"
        session = next(one for one in done.headers.get_list("set-cookie") if one.startswith("ringpost_session="))
        page = await client.get(f"{running.url}/console/", headers={"Cookie": session.partition(";")[0]})
        assert "System level" in page.text
        assert (await client.get(link)).status_code == 404
        await running.stop(signal.SIGTERM)
        await running.start()
        assert links_of(running) == [link]


async def test_a_link_that_nobody_used_is_replaced_at_the_next_start(tmp_path: Path) -> None:
    async with service(tmp_path / "data") as running, httpx.AsyncClient(timeout=30, trust_env=False) as client:
        await running.stop(signal.SIGTERM)
        await running.start()

        old, new = links_of(running)

        answer = await client.get(old)
        assert answer.status_code == 404
        assert "a newer one has taken its place" in answer.text
        assert (await client.get(new)).status_code == 200


async def test_of_two_first_starts_at_once_one_prints_a_link_and_it_works(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir(mode=0o700)
    database = tmp_path / "data" / "ringpost.db"
    with closing(sqlite3.connect(database)) as empty:
        empty.execute("PRAGMA journal_mode = WAL")
    both = [Service(tmp_path / "data"), Service(tmp_path / "data")]
    both[1].log = tmp_path / "other.log"
    try:
        with writing_is_held_up(f"sqlite:///{database}"):  # neither is through before the other has begun
            for one in both:
                await one.launch("serve", "--port", str(one.port))
            for one in both:
                await until_it_listens(one)
        async with httpx.AsyncClient(timeout=30, trust_env=False) as client:
            for one in both:
                async with patience(60):
                    while "administrator's password" not in one.log.read_text():
                        await asyncio.sleep(0.05)
            (link,) = [link for one in both for link in links_of(one)]

            done = await set_password(client, link)
    finally:
        for one in both:
            await one.stop(signal.SIGKILL)

    assert done.headers["location"] == "/console/?done=welcome"
    assert sum("is told by another process" in one.log.read_text() for one in both) == 1


async def until_it_listens(running: Service) -> None:
    async with patience(60):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", running.port)
            except ConnectionError:
                await asyncio.sleep(0.05)
            else:
                writer.close()
                return
