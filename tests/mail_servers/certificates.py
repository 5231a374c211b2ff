"""The certificates of the servers, as files."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from tests.mail_servers.cells import HOST


@dataclass(frozen=True, slots=True)
class Certificates:
    """Paths of PEM files."""

    authority: Path
    """To be trusted."""
    good: Path
    """Chain and key of a certificate for HOST."""
    self_signed: Path
    """The same names, vouched for by nobody but itself."""


def issue(folder: Path, address: str) -> Certificates:
    """For a server with this address, by an authority of its own."""
    authority = trustme.CA()
    made = Certificates(folder / "authority.pem", folder / "good.pem", folder / "self-signed.pem")
    authority.cert_pem.write_to_path(str(made.authority))
    authority.issue_cert(HOST, address).private_key_and_cert_chain_pem.write_to_path(str(made.good))
    made.self_signed.write_bytes(_self_signed(address))
    for path in (made.good, made.self_signed):
        path.chmod(0o644)  # servers with a user of their own have to read it
    return made


def _self_signed(address: str) -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, HOST)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, now + timedelta(days=9))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(HOST), x509.IPAddress(ip_address(address))]), False)
        .sign(key, hashes.SHA256())
    )
    encoding, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    key_pem = key.private_bytes(encoding, serialization.PrivateFormat.TraditionalOpenSSL, plain)
    return key_pem + certificate.public_bytes(encoding)
