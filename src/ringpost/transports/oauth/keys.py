"""Reading certificates and key files when they are entered, so that mistakes show at once and not at the first mail."""

import json
from datetime import UTC, datetime
from typing import Any, cast

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from ringpost.domain.oauth import KeyFacts

SMALLEST_KEY = 2048
"""Bits of an RSA key; what Microsoft and Google take."""
LARGEST_KEY = 4096
"""To check one takes a third of a second; of three times the bits, a minute."""

_DAMAGED = "There is no private key in it, or it is damaged."


class Keys:
    """Implements `domain.oauth.KeyReader`."""

    def certificate(self, pem: str) -> KeyFacts:
        """A certificate with its private key; the key must be the certificate's."""
        data = pem.encode()
        try:
            certificate = x509.load_pem_x509_certificate(data)
        except ValueError:
            raise ValueError("There is no certificate in it. Paste the private key and the certificate.") from None
        key = _private_key(data)
        if _public(key) != certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo):
            raise ValueError("The private key does not belong to the certificate.")
        if certificate.not_valid_after_utc <= datetime.now(UTC):
            raise ValueError("The certificate has expired.")
        return KeyFacts(expires_at=round(certificate.not_valid_after_utc.timestamp() * 1000))

    def service_account(self, text: str) -> KeyFacts:
        """A key file of Google, of type service_account."""
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            value = None
        file = cast("dict[str, Any]", value) if isinstance(value, dict) else {}
        if file.get("type") != "service_account":
            raise ValueError("This is not the key file of a service account. Paste the whole JSON file.")
        email, key = file.get("client_email"), file.get("private_key")
        if not isinstance(email, str) or not 3 <= len(email) <= 320 or "@" not in email or not email.isprintable():
            raise ValueError("The key file has no client_email. Paste the whole JSON file.")
        if not isinstance(key, str) or not isinstance(file.get("private_key_id", ""), str):
            raise ValueError("The key file has no private_key. Paste the whole JSON file.")
        _private_key(key.encode())
        return KeyFacts(account=email)


def _private_key(data: bytes) -> RSAPrivateKey:
    """Read before it is checked: whether large numbers are primes takes minutes, and the loop waits for it."""
    key = _load(data, checked=False)
    if not isinstance(key, RSAPrivateKey) or key.key_size < SMALLEST_KEY:
        raise ValueError(f"The private key must be an RSA key of at least {SMALLEST_KEY} bits.")
    if key.key_size > LARGEST_KEY:
        raise ValueError(f"The private key must be an RSA key of at most {LARGEST_KEY} bits.")
    if any(number.bit_length() > key.key_size for number in _numbers(key)):
        raise ValueError(_DAMAGED)
    _load(data, checked=True)
    return key


def _load(data: bytes, *, checked: bool) -> object:
    try:
        return load_pem_private_key(data, password=None, unsafe_skip_rsa_key_validation=not checked)
    except TypeError:
        raise ValueError("The private key is protected by a password. Paste it without one.") from None
    except (ValueError, UnsupportedAlgorithm):
        raise ValueError(_DAMAGED) from None


def _numbers(key: RSAPrivateKey) -> tuple[int, ...]:
    """All that it is made of; each is smaller than its modulus (RFC 8017 3.2)."""
    secret = key.private_numbers()
    return secret.p, secret.q, secret.d, secret.dmp1, secret.dmq1, secret.iqmp, secret.public_numbers.e


def _public(key: RSAPrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
