"""`otd relay cert check`: what a certificate for the face lacks."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import pkcs12

from tests.adapters.authority import Authority, key_pem, pem
from tests.adapters.cli import Otd, otd

__all__ = ["otd"]
ROOT = Authority("Example Root CA")
MIDDLE = Authority("Example Issuing CA", ROOT)
LEAF, KEY = MIDDLE.issue("otd.example.com", "relay1.example.com")


def results(otd: Otd, *arguments: object) -> dict[str, str]:
    return {one["what"]: one["result"] for one in json.loads(otd("relay", "cert", "check", *arguments, "--json").out)}


def pfx(path: Path, password: str, chain: list[x509.Certificate], key: ec.EllipticCurvePrivateKey | None = KEY) -> Path:
    locked: serialization.KeySerializationEncryption = serialization.BestAvailableEncryption(password.encode())
    path.write_bytes(pkcs12.serialize_key_and_certificates(b"face", key, LEAF if key else None, chain, locked))
    return path


def test_a_whole_pfx_is_good(tmp_path: Path, otd: Otd) -> None:
    path = pfx(tmp_path / "face.pfx", "open", [MIDDLE.certificate, ROOT.certificate])
    (tmp_path / "secrets.toml").write_text('face-passphrase = "open"\n')
    (tmp_path / "secrets.toml").chmod(0o600)
    arguments = (path, "--passphrase", "face-passphrase", "--host", "otd.example.com")
    assert set(results(otd, *arguments).values()) == {"ok"}
    said = otd("relay", "cert", "check", *arguments)
    assert said.code == 0
    assert "otd.example.com <- Example Issuing CA <- Example Root CA" in said.out


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (pem(LEAF) + MIDDLE.pem, "key"),
        (key_pem(KEY), "leaf"),
        (key_pem(KEY) + MIDDLE.pem + pem(LEAF), "order"),
        (key_pem(ec.generate_private_key(ec.SECP256R1())) + pem(LEAF) + MIDDLE.pem, "key"),
        (MIDDLE.pem + ROOT.pem, "leaf"),
    ],
)
def test_what_is_missing_from_a_pem_is_named(tmp_path: Path, otd: Otd, text: str, what: str) -> None:
    path = tmp_path / "face.pem"
    path.write_text(text)
    assert results(otd, path)[what] == "FAIL"
    assert otd("relay", "cert", "check", path).code == 1


def test_a_missing_issuer_is_named(tmp_path: Path, otd: Otd) -> None:
    path = tmp_path / "face.pem"
    path.write_text(key_pem(KEY) + pem(LEAF))
    said = otd("relay", "cert", "check", path)
    assert said.code == 0
    assert "add the certificate of Example Issuing CA behind it" in said.out


def test_another_name_and_times_that_do_not_fit(tmp_path: Path, otd: Otd) -> None:
    path = tmp_path / "face.pem"
    path.write_text(key_pem(KEY) + pem(LEAF) + MIDDLE.pem)
    assert results(otd, path, "--host", "other.example.com")["names"] == "FAIL"
    assert results(otd, path, "--host", "RELAY1.example.com.")["names"] == "ok"
    late, key = MIDDLE.issue("otd.example.com", lives=timedelta(days=5))
    path.write_text(key_pem(key) + pem(late) + MIDDLE.pem)
    assert results(otd, path)["expiry"] == "warn"
    over, key = MIDDLE.issue("otd.example.com", lives=timedelta(hours=-1))
    path.write_text(key_pem(key) + pem(over) + MIDDLE.pem)
    assert results(otd, path)["expiry"] == "FAIL"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\x00\x01", "neither a certificate nor a key"),
        (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "cannot be read"),
    ],
)
def test_what_is_no_certificate_at_all(tmp_path: Path, otd: Otd, content: bytes, said: str) -> None:
    path = tmp_path / "face.pem"
    path.write_bytes(content)
    found = otd("relay", "cert", "check", path)
    assert found.code == 2
    assert said in found.err


def test_a_locked_file_wants_its_passphrase(tmp_path: Path, otd: Otd) -> None:
    path = pfx(tmp_path / "face.pfx", "open", [])
    found = otd("relay", "cert", "check", path)
    assert found.code == 2
    assert "--passphrase NAME" in found.err
    assert "there is no such file" not in found.err
    assert otd("relay", "cert", "check", tmp_path / "none.pem").code == 2
