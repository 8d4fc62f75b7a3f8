"""Self-signed certificates for the lab's servers: ECDSA P-256, for localhost and 127.0.0.1."""

from __future__ import annotations

import hashlib
import ipaddress
import os
import ssl
import tempfile
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """A certificate with its key, and what a client would pin: the SHA-256 of its DER form."""

    pem: str
    key: str = field(repr=False)
    fingerprint: str  # "sha256:HEX", lower case

    def context(self) -> ssl.SSLContext:
        """A server's TLS context that shows this certificate."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        # The ssl module loads from files only; the file is there for as long as that takes, readable by us alone.
        handle, path = tempfile.mkstemp(suffix=".pem")
        try:
            with os.fdopen(handle, "w", encoding="ascii") as file:
                file.write(self.key + self.pem)
            context.load_cert_chain(path)
        finally:
            os.unlink(path)
        return context


def self_signed(common_name: str, *, lasting: bool = False) -> Certificate:
    """A new one that is also its own CA, so that a client may trust it through a CA file as well as by its pin.

    A `lasting` one is the same for the same name every time and everywhere, so that what was pinned stays right when a
    lab is started again. Its key is therefore no secret.
    """
    key, serial = ec.generate_private_key(ec.SECP256R1()), x509.random_serial_number()
    if lasting:
        serial = int.from_bytes(hashlib.sha256(common_name.encode()).digest()[:16], "big")
        key = ec.derive_private_key(serial, ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    now = datetime(2026, 1, 2, tzinfo=UTC) if lasting else datetime.now(UTC)
    usage = x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=True,
        crl_sign=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(serial)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=3650))
        .add_extension(
            x509.SubjectAlternativeName(
                [x509.DNSName("localhost"), x509.IPAddress(ipaddress.IPv4Address("127.0.0.1"))]
            ),
            critical=False,
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256(), ecdsa_deterministic=lasting or None)
    )
    der = certificate.public_bytes(serialization.Encoding.DER)
    return Certificate(
        pem=certificate.public_bytes(serialization.Encoding.PEM).decode(),
        key=key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode(),
        fingerprint=f"sha256:{hashlib.sha256(der).hexdigest()}",
    )
