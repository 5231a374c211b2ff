"""The catalogue of traps: every way in which sending through a mail server goes wrong that we know by name.

The one source of the words that tell people what to change: hints of attempts and test mails, and findings of the
doctor, come from here. `transports/smtp/hints.py` and `transports/oauth/hints.py` recognise them in what is answered.
"""

from typing import Final

from ringpost.domain.traps import encryption, login, mail, provider_apis, reaching, sender_domain, tokens
from ringpost.domain.traps.trap import Trap

__all__ = ["TRAPS", "Trap", "encryption", "login", "mail", "provider_apis", "reaching", "sender_domain", "tokens"]

TRAPS: Final[dict[str, Trap]] = {
    value.code: value
    for part in (reaching, encryption, login, tokens, mail, provider_apis, sender_domain)
    for value in vars(part).values()
    if isinstance(value, Trap)
}
"""Code -> trap, in the order in which a connection meets them."""
