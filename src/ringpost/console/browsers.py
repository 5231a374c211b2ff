"""Browsers as people call them, from what they call themselves."""

import re
from typing import Final

_BROWSERS: Final = (
    ("Edge", re.compile(r"\bEdg(?:e|A|iOS)?/")),
    ("Opera", re.compile(r"\bOPR/")),
    ("Samsung Internet", re.compile(r"\bSamsungBrowser/")),
    ("Firefox", re.compile(r"\b(?:Firefox|FxiOS)/")),
    ("Chrome", re.compile(r"\b(?:Chrome|Chromium|CriOS|HeadlessChrome)/")),
    ("Safari", re.compile(r"\bVersion/\S+.*\bSafari/")),
)
"""Looked for in this order, because each names those below it too."""
_SYSTEMS: Final = (
    ("iPhone", re.compile(r"\biPhone\b")),
    ("iPad", re.compile(r"\biPad\b")),
    ("Android", re.compile(r"\bAndroid\b")),
    ("Windows", re.compile(r"\bWindows\b")),
    ("macOS", re.compile(r"\bMac OS X\b")),
    ("ChromeOS", re.compile(r"\bCrOS\b")),
    ("Linux", re.compile(r"\bLinux\b")),
)


def browser_name(agent: str) -> str:
    """Such as `Firefox, Windows`; what is no known browser stays as it calls itself."""
    names = [next((name for name, sign in signs if sign.search(agent)), "") for signs in (_BROWSERS, _SYSTEMS)]
    return ", ".join(filter(None, names)) if names[0] else agent
