"""Traps of TLS: the wrong kind for the port, and certificates that must not be trusted."""

from typing import Final

from ringpost.domain.traps.trap import Trap

IMPLICIT_TLS_ON_STARTTLS_PORT: Final = Trap(
    "IMPLICIT_TLS_ON_STARTTLS_PORT",
    "The port begins in clear text, the settings begin with TLS",
    "The TLS handshake gets an answer that is no TLS, or the server greets in clear text.",
    "The port does not speak TLS from the first byte.",
    "For STARTTLS turn enable_starttls_auto on (usually port 587).",
)
STARTTLS_ON_IMPLICIT_TLS_PORT: Final = Trap(
    "STARTTLS_ON_IMPLICIT_TLS_PORT",
    "The port begins with TLS, the settings begin in clear text",
    "No greeting for 2.5 s; a second connection that begins with TLS is answered in TLS.",
    "The port speaks TLS from the first byte (usually 465), so both sides waited for each other.",
    "Turn enable_tls_ssl on and enable_starttls_auto off, with port 465.",
)
STARTTLS_NOT_OFFERED: Final = Trap(
    "STARTTLS_NOT_OFFERED",
    "The mail server offers no encryption here",
    "EHLO does not list STARTTLS although the settings require TLS.",
    "Encryption is required, but the mail server does not offer STARTTLS on this port.",
    "Use port 465 with enable_tls_ssl, or ask the server's operator. If it worked before, somebody on the way may be "
    "taking the offer out.",
)
STARTTLS_REFUSED: Final = Trap(
    "STARTTLS_REFUSED",
    "STARTTLS is offered and then refused",
    "STARTTLS is answered by a refusal.",
    "The mail server offers STARTTLS but could not begin it. A delivery is tried again by itself.",
    "If it stays so, its operator has to mend its certificate.",
)
STARTTLS_INJECTION: Final = Trap(
    "STARTTLS_INJECTION",
    "Something came between STARTTLS and encryption",
    "Bytes arrive in clear text after the answer to STARTTLS.",
    "Something was sent between STARTTLS and encryption. Somebody may be altering the connection.",
    "Tell who runs the network and the mail server. Port 465 leaves no room for this.",
)
CERTIFICATE_EXPIRED: Final = Trap(
    "CERTIFICATE_EXPIRED",
    "The certificate has expired",
    "The certificate's last day is over (X509_V_ERR_CERT_HAS_EXPIRED).",
    "The certificate of the mail server has expired.",
    "Its operator has to renew it. If it is good everywhere else, check the clock of this machine.",
)
CERTIFICATE_EXPIRES_SOON: Final = Trap(
    "CERTIFICATE_EXPIRES_SOON",
    "The certificate is about to expire",
    "The certificate is good for less than 14 days.",
    "The certificate of the mail server expires within days. From then on no mail goes out.",
    "Its operator has to renew it in time.",
)
CLOCK_WRONG: Final = Trap(
    "CLOCK_WRONG",
    "The certificate is not valid yet: a clock is wrong",
    "The certificate's first day is still to come (X509_V_ERR_CERT_NOT_YET_VALID).",
    "The certificate of the mail server is not valid yet.",
    "Check the clocks of both machines.",
)
WRONG_NAME: Final = Trap(
    "WRONG_NAME",
    "The certificate is for another name",
    "The name in the settings is not in the certificate (X509_V_ERR_HOSTNAME_MISMATCH, IP_ADDRESS_MISMATCH).",
    "The certificate of the mail server is for another name.",
    "Enter the server's name as its certificate has it.",
)
SELF_SIGNED: Final = Trap(
    "SELF_SIGNED",
    "The certificate is self-signed",
    "The certificate is signed by itself (X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT).",
    "The certificate of the mail server is self-signed: nobody vouches for it.",
    "Install a public certificate there, or let the system administrator trust this one (RINGPOST_MAIL_CA_FILE).",
)
PRIVATE_CA: Final = Trap(
    "PRIVATE_CA",
    "The certificate is from an authority that is not trusted here",
    "The chain ends in an authority that this machine does not know, or an intermediate certificate is missing.",
    "The certificate of the mail server is from a private (self-signed) authority that is not trusted here, or the "
    "server does not send its intermediate certificate.",
    "Install a public certificate with its whole chain there, or let the system administrator add the private "
    "authority (RINGPOST_MAIL_CA_FILE).",
)
CERTIFICATE_NOT_TRUSTED: Final = Trap(
    "CERTIFICATE_NOT_TRUSTED",
    "The certificate cannot be trusted",
    "Any other fault of the chain: revoked, too weak, not for servers.",
    "The certificate of the mail server cannot be trusted.",
    "Its operator has to install a good one.",
)
TLS_TOO_OLD: Final = Trap(
    "TLS_TOO_OLD",
    "Only old TLS",
    "The handshake ends for want of a common version or cipher.",
    "The mail server only offers old TLS versions or ciphers. TLS 1.2 or newer is needed.",
    "Its operator has to update it. Nobody should send a password over less.",
)
TLS_FAILED: Final = Trap(
    "TLS_FAILED",
    "The encrypted connection could not be set up",
    "Any other end of the handshake, such as a closed connection.",
    "The encrypted connection to the mail server could not be set up.",
    "The port may speak no TLS, or only versions older than TLS 1.2.",
)
NOT_ENCRYPTED: Final = Trap(
    "NOT_ENCRYPTED",
    "Mail travels in clear text",
    "The connection takes mail and is not encrypted.",
    "The connection to the mail server is not encrypted: who is on the way can read every mail.",
    "Turn enable_tls_ssl on if the server can do it.",
)
