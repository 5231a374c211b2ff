"""Credentials for tests; the keys are made once."""

import base64
import json
from datetime import UTC, datetime, timedelta
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from tests.transports.provider_stand_in import DIRECTORY

from ringpost.domain.credentials import GoogleServiceAccount, GoogleUser, MicrosoftApp
from ringpost.domain.endpoints import GmailEndpoint, GraphEndpoint
from ringpost.domain.secrets import Secret

MAILBOX = "pbx@sender.example"
CLIENT = "1f2d7c1a-6a2b-4d0e-8c3e-0a1b2c3d4e5f"
SECRET = "canary-client-secret~8Q"
REFRESH = "1//canary-refresh-token"
APP = MicrosoftApp(DIRECTORY, CLIENT, client_secret=Secret(SECRET))
GRAPH = GraphEndpoint(MAILBOX, APP)
USER = GmailEndpoint(MAILBOX, GoogleUser("client.apps.example", Secret(SECRET), Secret(REFRESH)))


@cache
def private_key() -> rsa.RSAPrivateKey:
    """An RSA key."""
    return rsa.generate_private_key(65537, 2048)


@cache
def key_pem() -> str:
    """It in PEM."""
    return private_key().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def made_up_key_pem(modulus: int, prime: int) -> str:
    """A key with a modulus and a prime that somebody has chosen (RFC 8017 A.1.2)."""
    real = private_key().private_numbers()
    rest = (real.q, real.dmp1, real.dmq1, real.iqmp)
    body = b"".join(map(_der_integer, (0, modulus, 65537, real.d, prime, *rest)))
    der = base64.encodebytes(b"\x30" + _der_length(len(body)) + body).decode()
    return f"-----BEGIN RSA PRIVATE KEY-----\n{der}-----END RSA PRIVATE KEY-----\n"


def _der_integer(value: int) -> bytes:
    octets = value.to_bytes(value.bit_length() // 8 + 1)
    return b"\x02" + _der_length(len(octets)) + octets


def _der_length(length: int) -> bytes:
    octets = length.to_bytes((length.bit_length() + 7) // 8)
    return octets if length < 0x80 else bytes([0x80 | len(octets)]) + octets


def certificate_pem(days: int = 365) -> str:
    """A self-signed certificate of the key, and the key; it ends after so many days."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "ringpost")])
    end = datetime.now(UTC) + timedelta(days=days)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private_key().public_key())
        .serial_number(1)
        .not_valid_before(end - timedelta(days=400))
        .not_valid_after(end)
        .sign(private_key(), SHA256())
    )
    return key_pem() + certificate.public_bytes(Encoding.PEM).decode()


def key_file(private_key_pem: str | None = None) -> str:
    """A key file as Google gives it; its token_uri must not matter."""
    return json.dumps(
        {
            "type": "service_account",
            "project_id": "x",
            "private_key_id": "k1",
            "private_key": private_key_pem or key_pem(),
            "client_email": "ringpost@x.iam.example",
            "token_uri": "https://evil.example/token",
        }
    )


def service_account() -> GmailEndpoint:
    """A mailbox that a service account sends for."""
    return GmailEndpoint(MAILBOX, GoogleServiceAccount("ringpost@x.iam.example", "k1", Secret(key_pem())))
