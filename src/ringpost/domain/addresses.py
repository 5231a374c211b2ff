"""Mail addresses, parsed once at the edge and passed on as values."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Address:
    """One mailbox (RFC 5322 3.4), already checked."""

    local: str
    domain: str
    """As typed, may be an internationalised name (U-labels)."""
    ascii_domain: str
    """The same in A-labels, lower case (RFC 5891); what goes on the wire."""
    display_name: str = ""
