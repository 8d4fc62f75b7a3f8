"""When an application's credential ends: said by certificates, written down for secrets, shown 30 days ahead."""

from __future__ import annotations

import base64
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from otd.calendars.access import GraphAccess
from otd.calendars.expiry import credential_expiry
from otd.errors import BadSetting
from otd.store.sql import SqlStore
from tests.adapters.cli import KEY, Otd, an_installation, otd
from tests.adapters.mailboxes import SecretsOf

__all__ = ["otd"]
NOW = datetime.now(UTC).replace(microsecond=0)
DAY = timedelta(days=1)
ACCESS = GraphAccess(tenant="example.com", client_id="app")


def a_certificate(until: datetime) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "otd")])
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    made = made.serial_number(1).not_valid_before(until - 365 * DAY).not_valid_after(until)
    return key, made.sign(key, hashes.SHA256())


def as_pem(until: datetime) -> str:
    key, certificate = a_certificate(until)
    plain = serialization.NoEncryption()
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    return (private + certificate.public_bytes(serialization.Encoding.PEM)).decode()


def as_pfx(path: Path, until: datetime, password: bytes) -> str:
    key, certificate = a_certificate(until)
    locked = serialization.BestAvailableEncryption(password)
    path.write_bytes(serialization.pkcs12.serialize_key_and_certificates(b"otd", key, certificate, None, locked))
    return str(path)


def ends(access: GraphAccess, **secrets: str) -> datetime | None:
    return credential_expiry("office", access, SecretsOf(secrets)).at


def of(**credential: object) -> GraphAccess:
    return GraphAccess(tenant="example.com", client_id="app", **credential)  # type: ignore[arg-type]


def test_a_certificate_says_when_it_ends_as_pem_and_as_pfx(tmp_path: Path) -> None:
    until = NOW + 90 * DAY
    assert ends(of(certificate="pem"), pem=as_pem(until)) == until
    pfx = as_pfx(tmp_path / "otd.pfx", until, b"sesame")
    assert ends(of(pfx=pfx, passphrase="phrase"), phrase="sesame") == until


def test_a_secret_ends_when_the_settings_say_so() -> None:
    assert ends(of(secret="s", secret_expires=date(2027, 3, 31)), s="x") == datetime(2027, 3, 31, tzinfo=UTC)
    assert ends(of(secret="s"), s="x") is None


@pytest.mark.parametrize(("left", "near"), [(31 * DAY, False), (29 * DAY, True), (-DAY, True)])
def test_the_warning_begins_30_days_ahead(left: timedelta, near: bool) -> None:
    expiry = credential_expiry("office", of(certificate="pem"), SecretsOf({"pem": as_pem(NOW + left)}))
    assert expiry.is_near(NOW) is near


def test_what_cannot_be_read_is_named_and_its_secret_is_not_told(tmp_path: Path) -> None:
    pfx = as_pfx(tmp_path / "otd.pfx", NOW + DAY, b"sesame")
    for access, secrets in (
        (of(certificate="pem"), {"pem": "not a PEM text"}),
        (of(pfx=pfx, passphrase="phrase"), {"phrase": "wrong"}),
        (of(pfx=str(tmp_path / "missing.pfx")), {}),
    ):
        with pytest.raises(BadSetting) as failed:
            credential_expiry("office", access, SecretsOf(secrets))
        assert "sesame" not in str(failed.value)
        assert failed.value.mend


SETTINGS = """\
[calendars.office]
kind = "graph"
tenant = "example.com"
client_id = "app"
{credential}
authority = "https://127.0.0.1:1"
root = "https://127.0.0.1:1"

[pools.hq]
[relays.hq-1]
pool = "hq"
[rooms.board]
calendar = "office"
mailbox = "board@example.com"
[endpoints.board-codec]
kind = "memory"
address = "192.0.2.1"
pool = "hq"
rooms = ["board"]
"""


def test_check_and_status_say_when_a_secret_ends(otd: Otd, tmp_path: Path) -> None:
    soon = f"{NOW + 10 * DAY:%Y-%m-%d}"
    an_installation(tmp_path, SETTINGS.format(credential=f'secret = "graph"\nsecret_expires = {soon}'))
    said = otd("check")
    assert f"the secret ends on {soon}" in " ".join(said.out.split())
    assert f"in {(datetime.combine(NOW.date() + 10 * DAY, time(0), UTC) - NOW).days} days" in said.out
    SqlStore(f"sqlite:///{tmp_path / 'otd.db'}", base64.urlsafe_b64decode(KEY)).close()
    shown = otd("status")
    assert "The secret of office ends in" in shown.out
    assert soon in shown.out
