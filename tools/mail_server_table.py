"""Write docs/mail-servers.md: send with every setting to every mail server, and write down what came of it.

Run: python tools/mail_server_table.py (make mail-servers)
"""

import asyncio
import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))  # the servers and the cells belong to the tests

from tests.mail_servers import table  # noqa: E402
from tests.mail_servers.cells import Cell, Result, matrix  # noqa: E402
from tests.mail_servers.certificates import issue  # noqa: E402
from tests.mail_servers.measuring import PRODUCTS, Product, cannot_run, measure  # noqa: E402
from tests.mail_servers.processes import folder, loopback_address  # noqa: E402

PAGE: Final = ROOT / "docs" / "mail-servers.md"


def main() -> int:
    """The exit code; nothing is written unless every cell was measured."""
    cells = list(matrix())
    reasons = [f"{product.name}: {reason}" for product in PRODUCTS.values() if (reason := product.missing())]
    reasons += sorted({reason for cell in cells if (reason := cannot_run(cell))})
    if reasons:
        sys.stderr.write(
            "The table would have gaps, so it is not written.\n" + "".join(f"- {one}\n" for one in reasons)
        )
        return 1
    versions: dict[str, str] = {}
    results: dict[str, dict[Cell, Result]] = {}
    for product in PRODUCTS.values():
        versions[product.name], results[product.name] = _run(product, cells)
    PAGE.write_text(table.page(versions, results), encoding="utf-8")
    sys.stdout.write(f"Wrote {PAGE.relative_to(ROOT)}: {len(cells)} settings, {len(PRODUCTS)} servers\n")
    return 0


def _run(product: Product, cells: list[Cell]) -> tuple[str, dict[Cell, Result]]:
    with folder() as place:
        address = loopback_address()
        certificates = issue(place, address)
        with product.running(place, address, certificates) as server:

            async def all_of_them() -> dict[Cell, Result]:
                return {cell: (await measure(cell, server, certificates.authority)).result for cell in cells}

            return server.version, asyncio.run(all_of_them())


if __name__ == "__main__":
    sys.exit(main())
