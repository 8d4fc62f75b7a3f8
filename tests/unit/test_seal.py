"""Orders and reports, signed and sealed; the file of a relay's identity."""

from __future__ import annotations

import contextlib
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otd.bus import identity, seal
from otd.bus.broker import Broker, broker_at
from otd.bus.identity import Identity
from otd.errors import BadSetting, Garbled, OtdError, Untrusted

CENTRE, ONE, OTHER = seal.new_key(), seal.new_key(), seal.new_key()
RECIPIENTS = {"relay1": seal.public_sealing(ONE), "relay2": seal.public_sealing(OTHER)}
SEALED = seal.seal_order(b"the list", CENTRE, RECIPIENTS)


def opened(sealed: bytes, relay: str = "relay1", key: str = ONE, centre: str = CENTRE) -> bytes:
    return seal.open_order(sealed, relay, key, seal.public_signing(centre))


def test_each_relay_of_the_pool_opens_an_order() -> None:
    assert opened(SEALED) == opened(SEALED, "relay2", OTHER) == b"the list"


def test_nothing_of_an_order_can_be_read_on_its_outside() -> None:
    assert b"the list" not in SEALED
    fields = json.loads(SEALED)
    assert b"the list" not in b"".join(urlsafe_b64decode(fields[name] + "==") for name in ("protected", "ciphertext"))


def test_a_relay_that_is_no_recipient_or_has_another_key_says_so() -> None:
    with pytest.raises(seal.NotForMe):
        opened(SEALED, "relay3", seal.new_key())
    with pytest.raises(seal.NotForMe):
        opened(SEALED, "relay1", OTHER)


def test_an_order_that_somebody_else_signed_is_refused() -> None:
    with pytest.raises(Untrusted, match="signature"):
        opened(seal.seal_order(b"another list", ONE, RECIPIENTS))


def test_a_report_does_not_pass_for_an_order_nor_for_that_of_another_relay() -> None:
    report = seal.sign_report(b"seen", "relay1", ONE)
    assert seal.verify_report(report, "relay1", seal.public_signing(ONE)) == b"seen"
    with pytest.raises(Untrusted):
        seal.verify_report(report, "relay2", seal.public_signing(OTHER))
    order_in_report = json.loads(SEALED)
    assert order_in_report["recipients"]
    signed_as_order = seal._sign(b"seen", ONE, "relay1", "otd-order")
    with pytest.raises(Untrusted, match="another purpose"):
        seal.verify_report(signed_as_order, "relay1", seal.public_signing(ONE))


def test_a_signature_that_claims_no_algorithm_is_refused() -> None:
    header = urlsafe_b64encode(b'{"alg":"none","kid":"relay1","typ":"otd-report"}').rstrip(b"=")
    forged = header + b"." + urlsafe_b64encode(b"seen").rstrip(b"=") + b"."
    with pytest.raises(Untrusted):
        seal.verify_report(forged, "relay1", seal.public_signing(ONE))


@settings(deadline=None, max_examples=150)
@given(position=st.integers(min_value=0, max_value=len(SEALED) - 1), byte=st.integers(min_value=1, max_value=255))
def test_an_order_with_any_byte_changed_is_refused_or_says_the_same(position: int, byte: int) -> None:
    changed = SEALED[:position] + bytes([SEALED[position] ^ byte]) + SEALED[position + 1 :]
    with contextlib.suppress(OtdError):
        assert opened(changed) == b"the list"  # such as a change in the part of another relay


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_no_bytes_make_opening_or_verifying_fail_otherwise_than_by_refusal(data: bytes) -> None:
    for attempt in (
        lambda: opened(data),
        lambda: seal.verify_report(data, "relay1", seal.public_signing(ONE)),
        lambda: seal.Tokens(CENTRE).read(data.decode("latin-1")),
    ):
        with pytest.raises((Untrusted, Garbled)):
            attempt()


def test_only_the_centre_that_wrote_a_token_reads_it() -> None:
    token = seal.Tokens(CENTRE).write("codec1")
    assert seal.Tokens(CENTRE).read(token) == "codec1"
    assert "codec1" not in token
    with pytest.raises(Untrusted):
        seal.Tokens(ONE).read(token)


def test_two_people_compare_a_short_fingerprint() -> None:
    shown = seal.fingerprint(*RECIPIENTS.values())
    assert len(shown) == 24
    assert shown != seal.fingerprint(*reversed(RECIPIENTS.values()))


# --- identity -----------------------------------------------------------------------------------------------------


def an_identity() -> Identity:
    broker = Broker(host="b.example.com", port=5671, vhost="otd-relays", user="otd-relays.hq-1", password="hunter2")
    centre = seal.public_signing(CENTRE)
    return Identity(relay="hq-1", pool="hq", broker=broker, centre=centre, signing=ONE, sealing=OTHER)


def test_an_identity_survives_its_file_and_shows_no_secret(tmp_path: Path) -> None:
    path = tmp_path / "relay" / "identity.json"
    identity.save(an_identity(), path)
    assert identity.load(path) == an_identity()
    assert path.stat().st_mode & 0o777 == 0o600
    assert not any(secret in repr(an_identity()) for secret in ("hunter2", ONE, OTHER))


def test_a_file_that_is_no_identity_is_said_to_be_none(tmp_path: Path) -> None:
    path = tmp_path / "identity.json"
    with pytest.raises(BadSetting, match="pair"):
        identity.load(path)
    identity.save(an_identity(), path)
    path.chmod(0o644)
    with pytest.raises(BadSetting, match="chmod 600"):
        identity.load(path)
    path.chmod(0o600)
    for content in ("", "[]", '{"v": 2}', '{"v": 1, "relay": "hq-1", "signing": "hunter2"}'):
        path.write_text(content)
        with pytest.raises(BadSetting) as found:
            identity.load(path)
        assert "hunter2" not in str(found.value)


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("amqps://broker.example.com", "user and password"),
        ("https://otd:hunter2@broker.example.com", "not the url of a broker"),
        ("amqp://otd:hunter2@broker.example.com", "in clear"),
        ("amqps://otd:hunter2@broker.example.com:port", "not the url of a broker"),
    ],
)
def test_the_url_of_a_broker_that_cannot_be_used_is_not_repeated(url: str, why: str) -> None:
    with pytest.raises(BadSetting, match=why) as found:
        broker_at(url, where="secret broker", vhost="otd")
    assert "hunter2" not in str(found.value)


def test_the_url_of_a_broker_may_hold_what_urls_must_quote() -> None:
    found = broker_at("amqps://otd:p%40ss@broker.example.com", where="secret broker", vhost="otd")
    assert (found.host, found.port, found.user, found.password, found.tls) == (
        "broker.example.com",
        5671,
        "otd",
        "p@ss",
        True,
    )
