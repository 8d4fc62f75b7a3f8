"""A server's certificate: PEM or PFX from files, read again when they change, so that a renewal needs no restart."""

from __future__ import annotations

import os
import ssl
import tempfile
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import structlog
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.serialization import pkcs12

from otd.errors import BadSetting

MINIMUMS = ("1.0", "1.2", "1.3")
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateFiles:
    """Where the certificate is. `certificate` is a PEM file with the chain, the key in it or in `key`; or a PFX file
    (.pfx, .p12). `minimum` is the lowest TLS version that is spoken: "1.0" is for endpoints that know no other, and
    takes the old ciphers along."""

    certificate: Path
    key: Path | None = None
    password: str = field(default="", repr=False)
    minimum: str = "1.2"

    def __post_init__(self) -> None:
        if self.minimum not in MINIMUMS:
            raise BadSetting("the lowest TLS version", f"{self.minimum} is not one of {', '.join(MINIMUMS)}", "use 1.2")


class Certificate:
    """The TLS context that shows the certificate as it is in its files now, what it is, and when it runs out."""

    def __init__(self, files: CertificateFiles) -> None:
        """Raises BadSetting when it cannot be read."""
        self.files = files
        self._stamp = _stamp(files)
        self.context, self.leaf = _load(files)

    @property
    def expires(self) -> datetime:
        return self.leaf.not_valid_after_utc

    @property
    def fingerprint(self) -> str:
        """ "sha256:HEX" of the certificate (DER)."""
        return f"sha256:{self.leaf.fingerprint(hashes.SHA256()).hex()}"

    def refresh(self) -> bool:
        """Read the files again if they changed; whether a new certificate is shown. One that cannot be read (half
        written, say) is left alone, and the former one stays, until the files change again."""
        stamp = _stamp(self.files)
        if stamp == self._stamp:
            return False
        self._stamp = stamp
        try:
            self.context, self.leaf = _load(self.files)
        except BadSetting as error:
            log.error("new certificate cannot be used", where=error.where, why=error.why)
            return False
        log.info("certificate read again", expires=self.expires.isoformat())
        return True


def _stamp(files: CertificateFiles) -> tuple[tuple[int, int, int], ...]:
    """Changes when a file is written or replaced."""
    found = []
    for path in (files.certificate, files.key):
        try:
            status = path.stat() if path is not None else None
        except OSError:
            status = None
        found.append((status.st_mtime_ns, status.st_size, status.st_ino) if status else (0, 0, 0))
    return tuple(found)


def _load(files: CertificateFiles) -> tuple[ssl.SSLContext, x509.Certificate]:
    where = str(files.certificate)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if files.minimum == "1.0":
        context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
        context.set_ciphers("DEFAULT:@SECLEVEL=0")
    else:
        context.minimum_version = ssl.TLSVersion.TLSv1_3 if files.minimum == "1.3" else ssl.TLSVersion.TLSv1_2
    try:
        data = files.certificate.read_bytes()
        if files.certificate.suffix.casefold() in (".pfx", ".p12"):
            return context, _load_pfx(context, data, files.password)
        context.load_cert_chain(files.certificate, files.key, lambda: files.password)
        return context, x509.load_pem_x509_certificates(data)[0]
    except FileNotFoundError as error:
        raise BadSetting(str(error.filename or where), "there is no such file", "set the certificate's path") from None
    except (OSError, ValueError, IndexError) as error:  # ssl.SSLError is an OSError
        raise BadSetting(
            where, f"the certificate cannot be read: {_reason(error)}", "check file, key, password"
        ) from None


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLError):
        return error.reason or "not a certificate with its key"
    return error.strerror or "" if isinstance(error, OSError) else "not a certificate with its key"


def _load_pfx(context: ssl.SSLContext, data: bytes, password: str) -> x509.Certificate:
    key, certificate, chain = pkcs12.load_key_and_certificates(data, password.encode() or None)
    if key is None or certificate is None:
        raise ValueError
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ) + b"".join(one.public_bytes(serialization.Encoding.PEM) for one in (certificate, *chain))
    # The ssl module loads from files only; this one is there for as long as that takes, readable by us alone.
    handle, path = tempfile.mkstemp(suffix=".pem")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(pem)
        context.load_cert_chain(path)
    finally:
        os.unlink(path)
    return certificate
