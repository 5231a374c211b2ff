"""What a server's certificate says of itself, to be shown; whether it is good is for TLS to judge."""

from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.x509.oid import NameOID

from ringpost.transports.words import clean


@dataclass(frozen=True, slots=True)
class Certificate:
    """The parts that tell people something."""

    names: tuple[str, ...]
    """Host names and IP addresses that it is for."""
    issuer: str
    begins: datetime
    ends: datetime


def read_certificate(binary: bytes) -> Certificate | None:
    """A certificate in DER; None when it cannot be read."""
    try:
        certificate = x509.load_der_x509_certificate(binary)
        return Certificate(
            _names(certificate),
            _text(certificate.issuer),
            certificate.not_valid_before_utc,
            certificate.not_valid_after_utc,
        )
    except ValueError:
        return None


def _names(certificate: x509.Certificate) -> tuple[str, ...]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    found = [*names.get_values_for_type(x509.DNSName), *map(str, names.get_values_for_type(x509.IPAddress))]
    return tuple(clean(name.encode()) for name in found[:10])


def _text(name: x509.Name) -> str:
    for wanted in (NameOID.ORGANIZATION_NAME, NameOID.COMMON_NAME):
        for attribute in name.get_attributes_for_oid(wanted):
            return clean(str(attribute.value).encode())
    return ""
