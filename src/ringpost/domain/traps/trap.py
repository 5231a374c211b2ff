"""What a trap is."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Trap:
    """One way in which sending goes wrong, with its name and our words for it, for someone who is no mail expert."""

    code: str
    """Its name in the API; never changed."""
    title: str
    sign: str
    """How it is recognised."""
    explanation: str
    what_to_do: str = ""
    """True of test mails and in the doctor too, so it promises a next try to deliveries only."""

    @property
    def hint(self) -> str:
        """Explanation and advice in one text."""
        return f"{self.explanation} {self.what_to_do}".rstrip()
