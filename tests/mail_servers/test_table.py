"""docs/mail-servers.md shows what the tests of the matrix hold."""

from pathlib import Path

from tests.mail_servers.cells import expected, matrix
from tests.mail_servers.measuring import PRODUCTS
from tests.mail_servers.table import page, versions_on

PAGE = Path(__file__).parents[2] / "docs" / "mail-servers.md"


def test_the_table_of_mail_servers_has_every_cell_and_what_comes_of_it() -> None:
    text = PAGE.read_text(encoding="utf-8")
    results = {name: {cell: expected(cell, product.manners) for cell in matrix()} for name, product in PRODUCTS.items()}

    # Versions are those of the machine that made the page; all else follows from what test_matrix.py asserts.
    assert text == page(versions_on(text, PRODUCTS), results), "Run: make mail-servers"
