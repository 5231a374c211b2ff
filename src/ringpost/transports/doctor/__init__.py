"""The mail doctor: walks the way that a mail would go, and says of each step how it went.

It is the sending path itself: the same dial, watched (`recorder`), then MAIL and RCPT without a mail (`examination`).
Where that fails, further connections find out why (`probes`); no login is ever tried there. Beside it, the DNS is asked
about the sender's domain (`sender_domain`).
"""

from ringpost.transports.doctor.doctor import Doctor
from ringpost.transports.doctor.sender_domain import DnsServers

__all__ = ["DnsServers", "Doctor"]
