"""When an application's credential in Entra ID ends, as far as it says so: to warn before every room goes blind."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import pkcs12

from otd.calendars.access import EwsAccess, GraphAccess
from otd.calendars.graph_token import pem_parts
from otd.errors import BadSetting
from otd.ports import Secrets

WARN = timedelta(days=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class Expiry:
    """The end of a calendar's credential. `at` is None for a secret whose end nobody wrote down."""

    calendar: str
    what: str  # secret | certificate | PFX file
    at: datetime | None

    def left(self, now: datetime) -> timedelta | None:
        """How long it still holds; negative when it ended."""
        return None if self.at is None else self.at - now

    def is_near(self, now: datetime) -> bool:
        """Whether it is time to make a new one."""
        return self.at is not None and self.at - now <= WARN


def credential_expiry(name: str, access: GraphAccess | EwsAccess, secrets: Secrets) -> Expiry:
    """When the credential of this calendar ends. Raises BadSetting when it cannot be read.

    A client secret does not say when it ends, so its end is a setting (`secret_expires`).
    """
    if access.secret:
        ends = access.secret_expires
        at = None if ends is None else datetime.combine(ends, time(0), UTC)
        return Expiry(calendar=name, what="secret", at=at)
    password = secrets.get(access.passphrase) if access.passphrase else ""
    if access.certificate:
        _, pem = pem_parts(secrets.get(access.certificate), access.certificate, name)
        try:
            certificate = x509.load_pem_x509_certificate(pem.encode())
        except ValueError:
            raise BadSetting(
                name, f"the certificate in {access.certificate} cannot be read", "store it as PEM"
            ) from None
        return Expiry(calendar=name, what="certificate", at=certificate.not_valid_after_utc)
    return Expiry(calendar=name, what="PFX file", at=_of_pfx(Path(access.pfx), password, name))


def _of_pfx(path: Path, password: str, name: str) -> datetime:
    mend = "check the file and its passphrase; it must hold the private key and the certificate"
    try:
        _, certificate, _ = pkcs12.load_key_and_certificates(path.read_bytes(), password.encode() or None)
    except (OSError, ValueError) as error:
        raise BadSetting(name, f"the PFX file {path.name} cannot be used ({type(error).__name__})", mend) from None
    if certificate is None:
        raise BadSetting(name, f"the PFX file {path.name} holds no certificate", mend)
    return certificate.not_valid_after_utc
