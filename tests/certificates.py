"""A certificate authority of a test, and what it signs."""

import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID


@dataclass(frozen=True)
class Pair:
    """A certificate and its key, each a PEM file."""

    cert: Path
    key: Path


class Authority:
    """Signs certificates into a folder; `ca` is its own."""

    def __init__(self, folder: Path, name: str) -> None:
        folder.mkdir()
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        authority = x509.BasicConstraints(ca=True, path_length=0)
        signed = self._certificate(self._name, self._key, [(authority, True)])
        self.ca = self._write("ca.pem", signed.public_bytes(Encoding.PEM))

    def signed(self, name: str, *addresses: str) -> Pair:
        """A certificate for the names and addresses; its common name is `name`."""
        key = ec.generate_private_key(ec.SECP256R1())
        others = [x509.IPAddress(ipaddress.ip_address(address)) for address in addresses]
        names = x509.SubjectAlternativeName([x509.DNSName(name), *others])
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        certificate = self._certificate(subject, key, [(names, False)])
        plain = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        cert = self._write(f"{name}.pem", certificate.public_bytes(Encoding.PEM))
        return Pair(cert, self._write(f"{name}.key", plain))

    def _certificate(
        self,
        subject: x509.Name,
        key: ec.EllipticCurvePrivateKey,
        extensions: list[tuple[x509.ExtensionType, bool]],
    ) -> x509.Certificate:
        today = datetime.now(UTC)
        own, issuer = x509.SubjectKeyIdentifier, x509.AuthorityKeyIdentifier
        extensions = [
            *extensions,
            (own.from_public_key(key.public_key()), False),
            (issuer.from_issuer_public_key(self._key.public_key()), False),
        ]
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(today - timedelta(days=1))
            .not_valid_after(today + timedelta(days=2))
        )
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical=critical)
        return builder.sign(self._key, SHA256())

    def _write(self, name: str, content: bytes) -> Path:
        file = self._folder / name
        file.write_bytes(content)
        file.chmod(0o600)
        return file
