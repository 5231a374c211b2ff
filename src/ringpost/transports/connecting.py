"""Connecting to any server, over SMTP or HTTPS: TLS, its traps, and a machine that has no room or no way there.

No I/O but files.
"""

import errno
import ssl
from functools import lru_cache
from typing import Final

from ringpost.domain.deliveries import RETRY, Outcome, Party, Stage
from ringpost.domain.traps import Trap, encryption, reaching

_CERTIFICATE: Final = {
    # Numbers are X509_V_ERR_* of OpenSSL's x509_vfy.h.
    2: encryption.PRIVATE_CA,
    9: encryption.CLOCK_WRONG,
    10: encryption.CERTIFICATE_EXPIRED,
    18: encryption.SELF_SIGNED,
    19: encryption.PRIVATE_CA,
    20: encryption.PRIVATE_CA,
    21: encryption.PRIVATE_CA,
    62: encryption.WRONG_NAME,
    64: encryption.WRONG_NAME,
}
_NOT_TLS: Final = frozenset({"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "PACKET_LENGTH_TOO_LONG", "RECORD_LAYER_FAILURE"})
_TOO_OLD: Final = frozenset({"UNSUPPORTED_PROTOCOL", "TLSV1_ALERT_PROTOCOL_VERSION", "NO_PROTOCOLS_AVAILABLE"})
_NO_ROUTE: Final = frozenset({errno.ENETUNREACH, errno.EADDRNOTAVAIL, errno.EHOSTUNREACH, errno.EAFNOSUPPORT})
_NO_ROOM: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


@lru_cache(maxsize=8)
def tls_context(ca_file: str | None) -> ssl.SSLContext:
    """TLS 1.2 or newer with chain and name verified. Kept, because reading all authorities takes 20 ms."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if ca_file is not None:
        context.load_verify_locations(ca_file)
    return context


def lacks_room(error: BaseException) -> bool:
    """Whether it is this machine that cannot open another connection, whoever was to be connected to."""
    return isinstance(error, OSError) and not isinstance(error, ssl.SSLError) and error.errno in _NO_ROOM


def lacks_ipv6(ip: str, error: OSError) -> bool:
    """Whether this machine has no way into IPv6, so that an address that was not reached says nothing of its server."""
    return ":" in ip and error.errno in _NO_ROUTE


def trap_of_tls(error: Exception) -> Trap:
    """The trap of a TLS handshake that failed."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return _CERTIFICATE.get(error.verify_code, encryption.CERTIFICATE_NOT_TRUSTED)
    reason = _reason(error)
    if reason in _TOO_OLD or "HANDSHAKE_FAILURE" in reason:
        return encryption.TLS_TOO_OLD
    return reaching.TIMEOUT if isinstance(error, TimeoutError) else encryption.TLS_FAILED


def is_no_tls(error: BaseException) -> bool:
    """Whether what answered the handshake was clear text."""
    return _reason(error) in _NOT_TLS


def _reason(error: BaseException) -> str:
    return (error.reason or "") if isinstance(error, ssl.SSLError) else ""


def no_room(stage: Stage) -> Outcome:
    """The failure is this machine's own."""
    trap = reaching.NO_ROOM_TO_CONNECT
    return Outcome(RETRY, stage, Party.NETWORK, hint=trap.hint, trap=trap.code)
