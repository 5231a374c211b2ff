"""Advice: what the DNS says of the sender's domain, and what a provider wants. None of it stops a mail from here."""

from typing import Final

from ringpost.domain.traps.trap import Trap

SENDER_DOMAIN_NOT_FOUND: Final = Trap(
    "SENDER_DOMAIN_NOT_FOUND",
    "The sender's domain does not exist",
    "The DNS does not know the part of the sender's address behind the @ (NXDOMAIN).",
    "The sender's domain does not exist, so most mail servers refuse the mail.",
    "Check the sender's address (user name or reply_to) for typing errors.",
)
NO_MX: Final = Trap(
    "NO_MX",
    "The sender's domain takes no mail",
    "It has neither an MX record nor an address, or its MX record says that it takes no mail (RFC 7505).",
    "The sender's domain takes no mail: answers and failure notices get lost, and some servers refuse such senders.",
    "Send from an address that can receive mail, or add an MX record.",
)
SPF_MISSING: Final = Trap(
    "SPF_MISSING",
    "The sender's domain has no SPF record",
    "No TXT record that begins with v=spf1.",
    "The sender's domain does not say which servers may send for it (SPF), so mail may be taken for spam.",
    "Who runs the domain should add a TXT record as the mail provider describes it.",
)
SPF_TWICE: Final = Trap(
    "SPF_TWICE",
    "The sender's domain has two SPF records",
    "More than one TXT record that begins with v=spf1 (RFC 7208 4.5).",
    "The sender's domain has more than one SPF record. Then none counts.",
    "Who runs the domain should join them into one.",
)
SPF_LACKS_PROVIDER: Final = Trap(
    "SPF_LACKS_PROVIDER",
    "The SPF record does not name the mail provider",
    "The SPF record has neither the include of the recognised provider nor a redirect.",
    "The SPF record of the sender's domain does not seem to name this mail provider, so mail may be taken for spam.",
    "Who runs the domain should add the provider's include to the record.",
)
DMARC_MISSING: Final = Trap(
    "DMARC_MISSING",
    "The sender's domain has no DMARC record",
    "No TXT record v=DMARC1 at _dmarc of the domain or of one above it.",
    "The sender's domain has no DMARC record. Large mailbox providers expect one from who sends much.",
    "Who runs the domain should add a TXT record at _dmarc, to begin with `v=DMARC1; p=none`.",
)
DOMAIN_NOT_ASKED: Final = Trap(
    "DOMAIN_NOT_ASKED",
    "The DNS did not answer for the sender's domain",
    "No answer within 3 s, or a failure of the DNS server.",
    "The DNS did not answer for the sender's domain, so its records could not be checked.",
    "Try again later; if it stays so, who runs the domain should look after its DNS.",
)
PROVIDER_SETTINGS_DIFFER: Final = Trap(
    "PROVIDER_SETTINGS_DIFFER",
    "The provider wants other settings",
    "The provider is recognised by the server's name, and it describes another server, port or kind of TLS.",
    "This provider describes other settings for sending mail.",
    "Take over the suggested ones.",
)
