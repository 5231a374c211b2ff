"""Every setting against every mail server: what has to come of it, does."""

import pytest
from tests.left_out import left_out
from tests.mail_servers.cells import Cell, expected, matrix
from tests.mail_servers.conftest import Sites
from tests.mail_servers.measuring import PRODUCTS, cannot_run, measure

CELLS = list(matrix())


@pytest.mark.parametrize("name", PRODUCTS)
@pytest.mark.parametrize("cell", CELLS, ids=str)
async def test_what_has_to_come_of_a_setting_does(cell: Cell, name: str, sites: Sites) -> None:
    if reason := cannot_run(cell):
        left_out(f"some ports: {reason}")
    site = sites(name)

    measured = await measure(cell, site.server, site.authority)

    assert measured.result == expected(cell, PRODUCTS[name].manners), measured.outcome
    assert (measured.result.verdict == "sent") == (measured.arrived is not None)
    if measured.arrived is not None:
        assert measured.arrived.replace(b"\r\n", b"\n").endswith(b"\n\n" + measured.wanted.replace(b"\r\n", b"\n"))
        assert measured.heard.heard_mail == ("S" not in measured.result.received_with.removeprefix("ESMTP"))
    if measured.outcome is not None and measured.result.verdict != "sent":
        assert measured.outcome.hint
