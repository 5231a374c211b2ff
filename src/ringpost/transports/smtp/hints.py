"""Our words for what went wrong: what to change, for someone who is no mail expert. No I/O."""

import re
import ssl
from typing import Final

from ringpost.domain.deliveries import Stage
from ringpost.transports.smtp.replies import Reply

NOT_ALLOWED: Final = "This host is not allowed."
"""Nothing more: whoever names hosts to find out what is in our network learns nothing."""

NO_NAME: Final = "The name of the mail server is not known in the DNS. Check the server field for typing errors."
RESOLVE_TIMEOUT: Final = "The DNS did not answer in time. If it stays like this, check the name of the mail server."
REFUSED: Final = "The mail server refused the connection. Check the server and port; a firewall may also be in the way."
UNREACHABLE: Final = "The mail server cannot be reached from here. Check the server, the port and the network."
CONNECT_TIMEOUT: Final = (
    "The mail server did not answer the connection. Check the server and port. Many networks block port 25: try 587."
)
GREETING_TIMEOUT: Final = (
    "The mail server accepted the connection and said nothing. If the port expects TLS from the first byte "
    "(usually 465), turn enable_tls_ssl on and enable_starttls_auto off."
)
TIMEOUT: Final = "The mail server did not answer in time. It may be overloaded; the mail is tried again."
DROPPED: Final = "The mail server closed the connection early. The mail is tried again."
DROPPED_GREETING: Final = (
    "The mail server closed the connection before its greeting. It may not accept our address, or the port may expect "
    "TLS from the first byte (usually 465)."
)
AMBIGUOUS: Final = (
    "The connection was lost after the whole mail had been handed over, so the server may have it. It is sent again "
    "with the same Message-ID: better twice than never."
)
NO_STARTTLS: Final = (
    "Encryption is required, but the mail server does not offer STARTTLS on this port. Use port 465 with "
    "enable_tls_ssl, or ask the server's operator."
)
STARTTLS_INJECTION: Final = (
    "Something was sent between STARTTLS and encryption. Somebody may be altering the connection."
)
TLS_EXPIRED: Final = "The certificate of the mail server has expired. Its operator has to renew it."
TLS_NOT_YET: Final = "The certificate of the mail server is not valid yet. Check the clocks of both machines."
TLS_WRONG_NAME: Final = (
    "The certificate of the mail server is for another name. Enter the server's name as its certificate has it."
)
TLS_UNTRUSTED: Final = (
    "The certificate of the mail server is self-signed or from an authority that is not trusted here. Install a "
    "public certificate there, or let the system administrator add the private authority."
)
TLS_NOT_TLS: Final = (
    "The port does not speak TLS from the first byte. For STARTTLS turn enable_starttls_auto on (usually port 587)."
)
TLS_OLD: Final = "The mail server only offers old TLS versions or ciphers. TLS 1.2 or newer is needed."
TLS_FAILED: Final = (
    "The encrypted connection to the mail server could not be set up. The port may speak no TLS, or only versions "
    "older than TLS 1.2."
)
NO_CLEAR_LOGIN: Final = (
    "The connection is not encrypted, so the password is not sent. Turn TLS on, or set auth to DISABLE if the server "
    "needs no login."
)
NO_AUTH: Final = (
    "The mail server offers no login that we may use. Set auth to DISABLE if it needs none, or try "
    "another port such as 587."
)
NO_PASSWORD: Final = "A login is configured but no user name or password is stored. Enter them, or set auth to DISABLE."  # noqa: S105
BAD_LOGIN: Final = "User name or password have a character that cannot be sent. Enter them again."
NO_SMTPUTF8: Final = (
    "The address has letters beyond ASCII before the @, and the mail server cannot take such addresses (SMTPUTF8). "
    "Use an address with plain letters."
)
BAD_MESSAGE: Final = "The mail cannot be written in SMTP: a bare line break or an address with forbidden characters."


def too_large(size: int, limit: int) -> str:
    """Hint for a mail of `size` octets at a server that takes `limit` octets."""
    return f"The mail is larger ({size} bytes) than the mail server accepts ({limit} bytes). Leave attachments out."


def for_tls(error: Exception) -> str:
    """Hint for a TLS handshake that failed."""
    if isinstance(error, ssl.SSLCertVerificationError):
        # Numbers are X509_V_ERR_* of OpenSSL's x509_vfy.h.
        known = {9: TLS_NOT_YET, 10: TLS_EXPIRED, 62: TLS_WRONG_NAME, 64: TLS_WRONG_NAME}
        return known.get(error.verify_code, TLS_UNTRUSTED)
    reason = (getattr(error, "reason", None) or "") if isinstance(error, ssl.SSLError) else ""
    if reason in {"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "PACKET_LENGTH_TOO_LONG", "RECORD_LAYER_FAILURE"}:
        return TLS_NOT_TLS
    if (
        reason in {"UNSUPPORTED_PROTOCOL", "TLSV1_ALERT_PROTOCOL_VERSION", "NO_PROTOCOLS_AVAILABLE"}
        or "HANDSHAKE_FAILURE" in reason
    ):
        return TLS_OLD
    return TIMEOUT if isinstance(error, TimeoutError) else TLS_FAILED


_AT_AUTH: Final = {
    454: "The mail server cannot check logins just now. The mail is tried again.",
    530: "The mail server wants encryption before the login. Turn TLS on.",
    534: "The mail server does not take this kind of login. It may want an app password or another auth setting.",
    535: (
        "The mail server refused the login. Check user name and password; accounts with two-factor login need an app "
        "password, and some providers have to permit SMTP login first."
    ),
    538: "The mail server wants encryption for this kind of login. Turn TLS on.",
}
_ANYWHERE: Final = {
    421: "The mail server is closing or overloaded, or it limits how often we may connect. The mail is tried again.",
    450: (
        "The mailbox is busy or the server puts unknown senders off for a while (greylisting). The mail is tried again."
    ),
    451: "The mail server had a problem of its own. The mail is tried again.",
    452: "The mail server or the mailbox is out of room, or too many recipients at once. The mail is tried again.",
    454: "The mail server is not ready for this just now. The mail is tried again.",
    530: "The mail server wants a login or encryption first. Set auth and TLS.",
    534: _AT_AUTH[534],
    535: _AT_AUTH[535],
    538: _AT_AUTH[538],
    552: "The mail is larger than the mail server or the mailbox accepts. Leave attachments out.",
    554: "The mail server refused the mail for good. Its own words say more.",
}
_WORDS: Final = (
    (
        re.compile(r"relay", re.IGNORECASE),
        (
            "The mail server does not send to other domains for us. Set auth, user name and password, or let its "
            "operator permit us."
        ),
    ),
    (
        re.compile(
            r"not owned|send ?as|sender address rejected|not allowed to send|not permitted to send", re.IGNORECASE
        ),
        "The login may not send from this address. Use the login's own address as sender (user name or reply_to).",
    ),
    (
        re.compile(r"spf|dkim|dmarc", re.IGNORECASE),
        "The domain of the sender does not permit this server to send for it (SPF, DKIM or DMARC records in its DNS).",
    ),
    (
        re.compile(r"spam|blocked|black ?list|block ?list|\blisted\b|reputation", re.IGNORECASE),
        "The mail server takes us or the mail for spam. Its words say which list or rule.",
    ),
)
_ENHANCED: Final = {
    "1.1": "There is no such mailbox. Check the address of the recipient.",
    "1.2": "The domain of the recipient takes no mail. Check the address.",
    "1.3": "The mail server finds fault with how the recipient's address is written.",
    "1.8": "The mail server cannot find the sender's domain. Check the sender's address.",
    "1.10": "The domain of the recipient says that it takes no mail.",
    "2.1": "The mailbox is disabled.",
    "2.2": "The mailbox is full.",
    "3.4": _ANYWHERE[552],
    "7.0": "The mail server refused for reasons of policy. Its own words say more.",
    "7.1": (
        "The mail server refused for reasons of policy: sender, recipient or login may not do this. Its own "
        "words say more."
    ),
    "7.8": _AT_AUTH[535],
    "7.9": _AT_AUTH[534],
    "7.57": (
        "The mail server wants a login first, or SMTP login is switched off for this mailbox. Set auth, user "
        "name and password."
    ),
}
_AT_STAGE: Final = {
    Stage.GREETING: (
        "The mail server does not want to talk to us now. It may be closed, or it may not accept our address."
    ),
    Stage.EHLO: "The mail server does not accept our name (EHLO). The system administrator can set a real host name.",
    Stage.TLS: "The mail server offers STARTTLS but could not begin it. The mail is tried again.",
    Stage.AUTH: "The mail server refused the login. Check auth, user name and password.",
    Stage.MAIL_FROM: "The mail server refused the sender. Check that the login may send from this address.",
    Stage.RCPT_TO: "The mail server refused the recipient. Check the address.",
    Stage.DATA: "The mail server refused the content of the mail. Its own words say more.",
}


def for_reply(stage: Stage, reply: Reply) -> str:
    """Hint for a reply that is a refusal."""
    if stage is Stage.AUTH and reply.code in _AT_AUTH:
        return _AT_AUTH[reply.code]
    enhanced = (reply.enhanced_code or "").partition(".")[2]
    if stage in {Stage.MAIL_FROM, Stage.RCPT_TO, Stage.DATA} and reply.code not in {421, 530, 534, 535, 538}:
        for pattern, hint in _WORDS:
            if pattern.search(reply.text):
                return hint
        if enhanced in _ENHANCED:
            return _ENHANCED[enhanced]
    return _ANYWHERE.get(reply.code) or _AT_STAGE.get(stage, TIMEOUT)
