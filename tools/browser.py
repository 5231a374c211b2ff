"""Find the Chromium that the tests of the console drive; install Debian's when there is none.

Run: python -m tools.browser

Looked for are `chromium`, `chromium-browser` and `google-chrome`, and whatever RINGPOST_TEST_BROWSER names. Without a
browser its tests are left out and named; that is never an error.
"""

import os
import shutil
import sys
from typing import Final

from tools import outside

NAMES: Final = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "microsoft-edge")
CHOICE: Final = "RINGPOST_TEST_BROWSER"


def find_browser() -> str | None:
    """The path of a Chromium; None when there is none."""
    chosen = os.environ.get(CHOICE)
    names = (chosen,) if chosen else NAMES
    return next((found for name in names if (found := shutil.which(name))), None)


def main() -> int:
    """The exit code, which is 0: tests that cannot run here say so themselves."""
    outside.install(
        [("Chromium", lambda: find_browser() is not None, lambda: outside.install_packages("chromium"))],
        use="the tests",
        without=f"the tests of the console in it are left out ({CHOICE} names one that is elsewhere)",
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
