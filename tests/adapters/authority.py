"""A certificate authority of a test's own, which vouches for any name; certificates as PEM."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

DAY = timedelta(days=1)


def key_pem(key: ec.EllipticCurvePrivateKey) -> str:
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()


def pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


class Authority:
    """`certificate` is its own; with `parent` it is an intermediate one."""

    def __init__(self, name: str, parent: Authority | None = None) -> None:
        self.name, self.key = name, ec.generate_private_key(ec.SECP256R1())
        signer = parent or self
        self.certificate = (
            _builder(name, signer.name, self.key.public_key(), 3650 * DAY)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(_USAGE, critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self.key.public_key()), critical=False)
            .sign(signer.key, hashes.SHA256())
        )

    @property
    def pem(self) -> str:
        return pem(self.certificate)

    def issue(self, *names: str, lives: timedelta = 365 * DAY) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
        """A server's certificate for these names."""
        key = ec.generate_private_key(ec.SECP256R1())
        alternative = x509.SubjectAlternativeName([x509.DNSName(name) for name in names])
        builder = _builder(names[0], self.name, key.public_key(), lives).add_extension(alternative, critical=False)
        identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key())
        usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
        signed = builder.add_extension(identifier, critical=False).add_extension(usage, critical=False)
        return signed.sign(self.key, hashes.SHA256()), key

    def server(self, *names: str) -> str:
        """The same with its key, in one PEM text."""
        certificate, key = self.issue(*names)
        return key_pem(key) + pem(certificate)


_USAGE = x509.KeyUsage(
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


def _builder(subject: str, issuer: str, key: ec.EllipticCurvePublicKey, lives: timedelta) -> x509.CertificateBuilder:
    def named(name: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])

    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(named(subject))
        .issuer_name(named(issuer))
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - min(DAY, lives + DAY))
        .not_valid_after(now + lives)
    )
