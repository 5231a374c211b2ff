"""How many mails a minute a mail server is given, where the operator has set that."""

from dataclasses import dataclass
from typing import Final

from ringpost.domain.hosts import parse_host

MOST_PER_MINUTE: Final = 100_000


@dataclass(frozen=True, slots=True)
class PaceRule:
    """A pace for one host, or for all hosts below a domain."""

    host: str
    """As `parse_host` gives it."""
    below: bool
    """True for all hosts below `host`, without itself."""
    per_minute: int

    def is_about(self, host: str) -> bool:
        """Whether it sets the pace of this host."""
        return host.endswith(f".{self.host}") if self.below else host == self.host


def parse_paces(text: str) -> tuple[PaceRule, ...]:
    """Rules from text such as `smtp.example.com=30, *.example.net=600`. ValueError, in words for people, when wrong."""
    return tuple(_rule(part.strip()) for part in text.split(",") if part.strip())


def per_minute(rules: tuple[PaceRule, ...], host: str) -> int | None:
    """The pace of a host: of the rule that names it, else of the closest domain above it; None when there is none."""
    about = [rule for rule in rules if rule.is_about(host)]
    return max(about, key=lambda rule: (not rule.below, len(rule.host))).per_minute if about else None


def _rule(text: str) -> PaceRule:
    name, equals, number = (part.strip() for part in text.partition("="))
    if not equals or not number.isdecimal() or not 1 <= int(number) <= MOST_PER_MINUTE:
        raise ValueError(
            f"{text} is not a host, `=` and mails a minute from 1 to {MOST_PER_MINUTE}, such as smtp.example.com=30"
        )
    below = name.startswith("*.")
    try:
        return PaceRule(parse_host(name.removeprefix("*."), single_label=True), below, int(number))
    except ValueError:
        raise ValueError(f"{name} is not the name of a host, or of a domain such as *.example.net") from None
