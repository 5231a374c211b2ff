"""Sending by SMTP: our own client, in layers that can be read apart.

Without I/O: `replies`, `capabilities`, `commands`, `login`, `hints`, `classify`, `opening` (greeting to ready),
`transactions` (mails on a ready connection). Over the network: `wire`, `dialing`, `connection`, `pool`.
"""

from ringpost.transports.smtp.options import Deadlines, SmtpOptions
from ringpost.transports.smtp.pool import SmtpTransport

__all__ = ["Deadlines", "SmtpOptions", "SmtpTransport"]
