"""The catalogue of traps: every way in which sending through a mail server goes wrong that we know by name.

The one source of the words that tell people what to change: hints of attempts and test mails, and findings of the
doctor, come from here. `transports/smtp/hints.py` recognises them in what a server says.
"""

from typing import Final

from ringpost.domain.traps import encryption, login, mail, reaching, sender_domain
from ringpost.domain.traps.trap import Trap

__all__ = ["TRAPS", "Trap", "encryption", "login", "mail", "reaching", "sender_domain"]

TRAPS: Final[dict[str, Trap]] = {
    value.code: value
    for part in (reaching, encryption, login, mail, sender_domain)
    for value in vars(part).values()
    if isinstance(value, Trap)
}
"""By code, in the order in which a connection meets them."""
