"""Traps of the mail itself: its sender, its recipient, its content."""

from typing import Final

from ringpost.domain.traps.trap import Trap

NO_SENDER: Final = Trap(
    "NO_SENDER",
    "There is no address to send from",
    "user name is no mail address, and reply_to is empty.",
    "There is no address to send from.",
    "Make the username a mail address, or fill in reply_to.",
)
RELAYING_DENIED: Final = Trap(
    "RELAYING_DENIED",
    "Relaying denied",
    "A refusal with the word relay, or rcpthosts.",
    "The mail server does not send to other domains for us.",
    "Set auth, user name and password, or let its operator permit us.",
)
SENDER_NOT_OWNED: Final = Trap(
    "SENDER_NOT_OWNED",
    "The login may not send from this address",
    "A refusal with words such as `not owned by user`, `send as`, `sender address rejected`, `not verified`.",
    "The login may not send from this address.",
    "Use the login's own address as sender (user name or reply_to), or have this one allowed at the provider.",
)
SENDER_DOMAIN_POLICY: Final = Trap(
    "SENDER_DOMAIN_POLICY",
    "The sender's domain does not permit this server",
    "A refusal with the word SPF, DKIM or DMARC, or 5.7.26, or Microsoft's 5.7.515.",
    "The domain of the sender does not permit this server to send for it (SPF, DKIM or DMARC records in its DNS).",
    "Who runs the domain has to add the mail server there.",
)
TAKEN_FOR_SPAM: Final = Trap(
    "TAKEN_FOR_SPAM",
    "Taken for spam",
    "A refusal that speaks of spam, a block list or reputation.",
    "The mail server takes us or the mail for spam. Its words say which list or rule.",
    "Ask to be taken off that list, or send through the mail server of a provider.",
)
SMTPUTF8_MISSING: Final = Trap(
    "SMTPUTF8_MISSING",
    "An address with special letters",
    "An address is not ASCII before the @, and EHLO does not list SMTPUTF8.",
    "An address (sender, recipient or Reply-To) has letters beyond ASCII before the @, and the mail server cannot take "
    "such addresses (SMTPUTF8).",
    "Use an address with plain letters.",
)
MAIL_TOO_LARGE: Final = Trap(
    "MAIL_TOO_LARGE",
    "The mail is too large",
    "552, 5.3.4, or more than the SIZE of EHLO.",
    "The mail is larger than the mail server or the mailbox accepts.",
    "Leave attachments out.",
)
UNWRITABLE: Final = Trap(
    "UNWRITABLE",
    "The mail cannot be written in SMTP",
    "A bare line break in the mail, or a forbidden character in an address.",
    "The mail cannot be written in SMTP: a bare line break or an address with forbidden characters.",
)
LOST_AFTER_DOT: Final = Trap(
    "LOST_AFTER_DOT",
    "Nobody knows whether it was taken",
    "The connection is lost after the final dot.",
    "The connection was lost after the whole mail had been handed over, so the server may have it.",
    "A delivery is sent again with the same Message-ID: better twice than never.",
)
NO_SUCH_MAILBOX: Final = Trap(
    "NO_SUCH_MAILBOX",
    "There is no such mailbox",
    "5.1.1, or 5.1.10 with Microsoft's words `recipient not found`.",
    "There is no such mailbox.",
    "Check the address of the recipient.",
)
RECIPIENT_DOMAIN_UNKNOWN: Final = Trap(
    "RECIPIENT_DOMAIN_UNKNOWN",
    "The recipient's domain takes no mail",
    "5.1.2, or 5.1.10 without those words.",
    "The domain of the recipient takes no mail.",
    "Check the address.",
)
RECIPIENT_RESTRICTED: Final = Trap(
    "RECIPIENT_RESTRICTED",
    "The recipient does not take mail from everybody",
    "Microsoft's 5.7.124, 5.7.129, 5.7.133, 5.7.134 or 5.7.136, or the word `RESOLVER.RST`.",
    "The recipient, such as a group, takes mail only from some senders, and not from this one.",
    "Who administers the recipient can permit the sender's address, or everybody outside of the organisation; or "
    "enter another recipient.",
)
RECIPIENT_MISSPELT: Final = Trap(
    "RECIPIENT_MISSPELT",
    "The recipient's address is written wrongly",
    "5.1.3.",
    "The mail server finds fault with how the recipient's address is written.",
    "Check the address of the recipient.",
)
SENDER_DOMAIN_UNKNOWN: Final = Trap(
    "SENDER_DOMAIN_UNKNOWN",
    "The sender's domain is not known",
    "5.1.8.",
    "The mail server cannot find the sender's domain.",
    "Check the sender's address.",
)
MAILBOX_DISABLED: Final = Trap("MAILBOX_DISABLED", "The mailbox is disabled", "5.2.1.", "The mailbox is disabled.")
MAILBOX_NOT_NOW: Final = Trap(
    "MAILBOX_NOT_NOW",
    "The mailbox takes no mail just now",
    "4.2.1.",
    "The mailbox takes no mail just now: it gets more than its provider permits, or it is disabled.",
    "A delivery is tried again by itself. If it stays so, have fewer mails sent to this address, or ask its owner.",
)
MAILBOX_FULL: Final = Trap(
    "MAILBOX_FULL", "The mailbox is full", "5.2.2, or words such as `over quota`.", "The mailbox is full."
)
SENDING_LIMIT: Final = Trap(
    "SENDING_LIMIT",
    "A limit on sending is used up",
    "A refusal that speaks of a rate, of how much may be sent in an hour or a day, or of credits.",
    "The mail server takes no more mail from us for now: a limit on how much may be sent through it is used up.",
    "Ask its operator to raise the limit, or send less through it; the system administrator can set how many mails a "
    "minute it is given (RINGPOST_MAIL_SERVER_PACE).",
)
MICROSOFT_SENDER_BLOCKED: Final = Trap(
    "MICROSOFT_SENDER_BLOCKED",
    "Microsoft: the mailbox may send no more",
    "5.1.8 with `bad outbound sender`.",
    "Microsoft has blocked this mailbox from sending, because what it sent was taken for spam.",
    "An administrator of the organisation sees why, and can unblock it, in the Microsoft Defender portal under "
    "Restricted entities. First make sure that nobody else knows its password.",
)
POLICY: Final = Trap(
    "POLICY",
    "Refused for reasons of policy",
    "5.7.0, 5.7.1 or another 5.7 code, without words that say more.",
    "The mail server refused for reasons of policy: sender, recipient or login may not do this.",
    "Its own words say more.",
)
GREYLISTED: Final = Trap(
    "GREYLISTED",
    "Put off for a while",
    "450, or a reply that speaks of greylisting.",
    "The mailbox is busy or the server puts unknown senders off for a while (greylisting).",
    "A delivery is tried again by itself.",
)
SERVER_TROUBLE: Final = Trap(
    "SERVER_TROUBLE",
    "The mail server had a problem of its own",
    "451.",
    "The mail server had a problem of its own.",
    "A delivery is tried again by itself.",
)
OUT_OF_ROOM: Final = Trap(
    "OUT_OF_ROOM",
    "The mail server is out of room",
    "452.",
    "The mail server or the mailbox is out of room, or too many recipients at once.",
    "A delivery is tried again by itself.",
)
NOT_READY: Final = Trap(
    "NOT_READY",
    "The mail server is not ready",
    "454 after the login, or a recipient who is still being verified.",
    "The mail server is not ready for this just now.",
    "A delivery is tried again by itself.",
)
REFUSED_FOR_GOOD: Final = Trap(
    "REFUSED_FOR_GOOD",
    "Refused for good",
    "554 without words that say more.",
    "The mail server refused the mail for good.",
    "Its own words say more.",
)
SENDER_REFUSED: Final = Trap(
    "SENDER_REFUSED",
    "The sender is refused",
    "Any other refusal of MAIL, or a later one that speaks of verifying the sender.",
    "The mail server refused the sender.",
    "Check that this address exists, and that the login may send from it.",
)
RECIPIENT_REFUSED: Final = Trap(
    "RECIPIENT_REFUSED",
    "The recipient is refused",
    "Any other refusal of RCPT.",
    "The mail server refused the recipient.",
    "Check the address.",
)
CONTENT_REFUSED: Final = Trap(
    "CONTENT_REFUSED",
    "The content is refused",
    "Any other refusal of DATA or of the mail.",
    "The mail server refused the content of the mail.",
    "Its own words say more.",
)
UNKNOWN: Final = Trap(
    "UNKNOWN",
    "Something else went wrong",
    "None of the others.",
    "Something went wrong that has no name here.",
    "The mail server's own words say more.",
)
