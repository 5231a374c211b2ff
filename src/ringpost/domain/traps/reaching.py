"""Traps on the way to the mail server: its name, its address, its port, and its first words."""

from typing import Final

from ringpost.domain.traps.trap import Trap

NAME_NOT_FOUND: Final = Trap(
    "NAME_NOT_FOUND",
    "The name of the mail server does not exist",
    "The DNS has no address for the name.",
    "The name of the mail server is not known in the DNS.",
    "Check the server field for typing errors.",
)
DNS_TIMEOUT: Final = Trap(
    "DNS_TIMEOUT",
    "The DNS did not answer",
    "No answer to the look-up of the name within 5 s.",
    "The DNS did not answer in time.",
    "If it stays like this, check the name of the mail server.",
)
NOT_ALLOWED: Final = Trap(
    "NOT_ALLOWED",
    "This host is not allowed",
    "The name, one of its addresses or the port is not one that a tenant's mail server may have.",
    # Nothing more: whoever names hosts to find out what is in our network learns nothing.
    "This host is not allowed.",
)
CONNECTION_REFUSED: Final = Trap(
    "CONNECTION_REFUSED",
    "Nothing answers at this port",
    "The connection is refused (ECONNREFUSED).",
    "The mail server refused the connection.",
    "Check the server and port; a firewall may also be in the way.",
)
HOST_UNREACHABLE: Final = Trap(
    "HOST_UNREACHABLE",
    "The mail server cannot be reached",
    "The network says that there is no way there (EHOSTUNREACH, ENETUNREACH).",
    "The mail server cannot be reached from here.",
    "Check the server, the port and the network.",
)
IPV6_WITHOUT_ROUTE: Final = Trap(
    "IPV6_WITHOUT_ROUTE",
    "This machine has no way into IPv6",
    "An IPv6 address of the server fails for want of a route (ENETUNREACH, EADDRNOTAVAIL, EHOSTUNREACH, EAFNOSUPPORT).",
    "The mail server has an IPv6 address, but this machine has no IPv6 connection to the Internet.",
    "Mail goes over IPv4 where the server has such an address too. Else connect this machine by IPv6, or name a server "
    "that has an IPv4 address.",
)
NO_ROOM_TO_CONNECT: Final = Trap(
    "NO_ROOM_TO_CONNECT",
    "Ringpost's machine has no room for another connection",
    "The system gives no file descriptor or memory for one (EMFILE, ENFILE, ENOBUFS, ENOMEM).",
    "Ringpost's own machine could not open another connection; nothing is known to be wrong with the mail server.",
    "The system administrator can raise the limit of file descriptors (LimitNOFILE), or see who takes them all.",
)
CONNECT_TIMEOUT: Final = Trap(
    "CONNECT_TIMEOUT",
    "The mail server does not answer the connection",
    "No answer to the TCP connection in time, at another port than 25.",
    "The mail server did not answer the connection.",
    "Check the server and port. A firewall may swallow the connection; ask who runs the network.",
)
PORT_25_BLOCKED: Final = Trap(
    "PORT_25_BLOCKED",
    "Port 25 is blocked",
    "No answer, or no way, to port 25 although the name exists.",
    "The mail server did not answer the connection. Many networks and nearly all clouds block port 25.",
    "Port 25 is for mail between servers. Use port 587 with STARTTLS, or 465 with TLS, and a login.",
)
GREETING_TIMEOUT: Final = Trap(
    "GREETING_TIMEOUT",
    "The mail server says nothing",
    "Connected, but no greeting in time, and no TLS either.",
    "The mail server accepted the connection and said nothing.",
    "If the port expects TLS from the first byte (usually 465), turn enable_tls_ssl on and enable_starttls_auto off. "
    "Else something that is no mail server listens there: check the port.",
)
REPLY_UNFINISHED: Final = Trap(
    "REPLY_UNFINISHED",
    "An answer that does not come to its end",
    "A greeting or an answer has begun (such as with a line of 220-), and its last line does not come in time.",
    "The mail server began to answer and did not come to the end in time.",
    "Some servers hold up senders like this on purpose, or are overloaded. Check the server and port; if they are "
    "right, its operator can say more.",
)
CLOSED_BEFORE_GREETING: Final = Trap(
    "CLOSED_BEFORE_GREETING",
    "The mail server hangs up at once",
    "The connection is closed before a greeting.",
    "The mail server closed the connection before its greeting.",
    "It may not accept our address, or the port may expect TLS from the first byte (usually 465).",
)
GREETING_REFUSED: Final = Trap(
    "GREETING_REFUSED",
    "The mail server does not want to talk to us",
    "The greeting is a refusal (554, 521 and the like).",
    "The mail server does not want to talk to us now. It may be closed, or it may not accept our address.",
    "Its own words say more. Mail servers for other servers refuse home and cloud addresses: use the one for "
    "customers, with a login, usually on port 587 or 465.",
)
TOO_MANY_CONNECTIONS: Final = Trap(
    "TOO_MANY_CONNECTIONS",
    "Too many connections at once",
    "421, or another temporary refusal, that speaks of too many connections or of a rate.",
    "The mail server is closing or overloaded, or it limits how often we may connect. A delivery is tried again by "
    "itself.",
    "If it stays so, have the operator lower the number of connections (RINGPOST_CONNECTIONS_PER_SERVER).",
)
SERVER_BUSY: Final = Trap(
    "SERVER_BUSY",
    "The mail server is closing or overloaded",
    "421 without words that say more.",
    "The mail server is closing or overloaded, or it limits how often we may connect. A delivery is tried again by "
    "itself.",
)
NOT_SMTP: Final = Trap(
    "NOT_SMTP",
    "What answers is no mail server",
    "What came is no SMTP reply.",
    "What answered does not speak SMTP.",
    "Check the server and port.",
)
REPLY_TOO_LONG: Final = Trap(
    "REPLY_TOO_LONG",
    "An answer without end",
    "A reply of more than 64 KiB, or a line of more than 2 KiB.",
    "The mail server answered with more text than any reply needs.",
    "Check the server and port.",
)
UNASKED_REPLY: Final = Trap(
    "UNASKED_REPLY",
    "An answer that nobody asked for",
    "A reply arrives before its command was said.",
    "The mail server answered without being asked, so nothing it says can be trusted.",
    "Tell its operator.",
)
TIMEOUT: Final = Trap(
    "TIMEOUT",
    "The mail server takes too long",
    "No answer to a command in time.",
    "The mail server did not answer in time.",
    "It may be overloaded; a delivery is tried again by itself.",
)
CLOSED_EARLY: Final = Trap(
    "CLOSED_EARLY",
    "The mail server hung up",
    "The connection ends in the middle of the conversation.",
    "The mail server closed the connection early. A delivery is tried again by itself.",
)
EHLO_REFUSED: Final = Trap(
    "EHLO_REFUSED",
    "The mail server does not accept our name",
    "A refusal of EHLO and HELO, or a later one that speaks of them.",
    "The mail server does not accept our name (EHLO).",
    "The system administrator can set a real host name (RINGPOST_EHLO_NAME).",
)
