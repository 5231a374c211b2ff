"""Install curl, with which the tests run the lines for the shell that the demo prints.

Run: python -m tools.curl

Without it their test is left out and named; that is never an error.
"""

import shutil
import sys

from tools import outside


def main() -> int:
    """The exit code, which is 0: tests that cannot run here say so themselves."""
    outside.install(
        [("curl", lambda: shutil.which("curl") is not None, lambda: outside.install_packages("curl"))],
        use="the tests",
        without="what the demo prints for the shell is not tried",
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
