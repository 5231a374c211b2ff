"""The mail that everybody sends: the same facts in HTML and text, and so long that 6 KB reach the mail server."""

from dataclasses import dataclass
from typing import Final

WIRE_BYTES: Final = 6144
"""What DATA brings the mail server, headers and all, without the final dot."""
TOLERANCE: Final = 0.01
SENDER: Final = "bench@example.com"
RECIPIENT: Final = "manager@example.com"
SUBJECT: Final = "Waiting in %%QUEUE_NAME%%"
NAMES: Final = (
    "QUEUE_NAME",
    "QUEUE_NUMBER",
    "CALLER_NAME",
    "CALLER_NUMBER",
    "SLA_TIME",
    "BREACHSLANO",
    "WAITSESSIONNO",
)
_SENTENCE: Final = "The waiting time has passed what the service level of this queue allows for its callers. "


@dataclass(frozen=True, slots=True)
class Bodies:
    """The two alternatives, with variables as %%NAME%%."""

    html: str
    text: str


def bodies(filler: int) -> Bodies:
    """HTML with this many characters of prose, and a short text."""
    prose = (_SENTENCE * (filler // len(_SENTENCE) + 1))[:filler]
    facts = "\n".join(f"<tr><th>{name.title()}</th><td>%%{name}%%</td></tr>" for name in NAMES)
    html = f"<!DOCTYPE html><html><body><table>\n{facts}\n</table>\n<p>{prose}</p></body></html>\n"
    return Bodies(html, "\n".join(f"{name.title()}: %%{name}%%" for name in NAMES) + "\n")


def values(number: int) -> dict[str, str]:
    """The variables of the mail with this number; no two mails have the same."""
    return {
        "QUEUE_NAME": f"Sales {number % 1000:03}",
        "QUEUE_NUMBER": f"{8000 + number % 1000}",
        "CALLER_NAME": f"Zoë Rivera {number:08}",
        "CALLER_NUMBER": f"+1555{number % 10_000_000:07}",
        "SLA_TIME": f"{10 + number % 90}",
        "BREACHSLANO": f"{number % 10}",
        "WAITSESSIONNO": f"{number % 7}",
    }
