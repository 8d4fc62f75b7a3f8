"""What crosses the broker is signed, and orders are sealed: the broker and proxies see routing keys and sizes only.

An order (to relays) is a JWS (RFC 7515, alg Ed25519 of RFC 9864, the centre's key) inside a JWE (RFC 7516 section
7.2.1, ECDH-ES+A256KW of RFC 7518 over X25519 of RFC 8037, A256GCM) with one recipient for each relay of the pool,
chosen by its name as `kid`. A report (from a relay) is a JWS of the relay's own key, its name as `kid`. Which of the
two a signature was made for stands in its header, so that one never passes for the other.

A key is 32 bytes in base64url without padding, private and public ones alike, as RFC 8037 writes them.
"""

from __future__ import annotations

import hmac
import json
import os
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from joserfc import jwe, jws
from joserfc.errors import JoseError
from joserfc.jwk import OctKey, OKPKey

from otd.errors import BadSetting, Garbled, Untrusted
from otd.wire import LIMIT

_SIGN, _WRAP, _ENC = "Ed25519", "ECDH-ES+A256KW", "A256GCM"
_ORDER, _REPORT = "otd-order", "otd-report"
_LARGEST = 2 * LIMIT  # base64 twice


class NotForMe(Untrusted):
    """The order was sealed for other relays than this one."""

    code = "not_for_me"


def new_key() -> str:
    """A private key, for either purpose."""
    return urlsafe_b64encode(os.urandom(32)).rstrip(b"=").decode()


def public_signing(private: str) -> str:
    """The public half of a signing key."""
    return str(_private("Ed25519", private).as_dict(private=False)["x"])


def public_sealing(private: str) -> str:
    """The public half of a sealing key."""
    return str(_private("X25519", private).as_dict(private=False)["x"])


def fingerprint(*public: str) -> str:
    """A short digest over public keys, for two people to compare: "3f2a-91c0-...", 80 bits."""
    digest = sha256("\0".join(public).encode()).hexdigest()[:20]
    return "-".join(digest[at : at + 4] for at in range(0, 20, 4))


def seal_order(document: bytes, signing: str, recipients: Mapping[str, str]) -> bytes:
    """The document, signed with the centre's private key, for these relays: name -> public sealing key."""
    signed = _sign(document, signing, "centre", _ORDER)
    sealed = jwe.GeneralJSONEncryption({"enc": _ENC}, plaintext=signed)
    for name, public in recipients.items():
        sealed.add_recipient({"alg": _WRAP, "kid": name}, _public("X25519", public))
    return json.dumps(jwe.encrypt_json(sealed, None, algorithms=[_WRAP, _ENC]), separators=(",", ":")).encode()


def open_order(sealed: bytes, relay: str, sealing: str, centre: str) -> bytes:
    """The document of an order, opened with the relay's private key and checked against the centre's public one.

    Raises NotForMe when this relay is not one of its recipients, Garbled when it is no order, Untrusted when the centre
    did not sign it.
    """
    if len(sealed) > _LARGEST:
        raise Garbled("an order", f"larger than {_LARGEST} bytes")
    try:
        outer = json.loads(sealed)
        mine: list[Any] = [one for one in outer["recipients"] if one["header"]["kid"] == relay]
    except (ValueError, TypeError, KeyError):
        raise Garbled("an order", "not a sealed document") from None
    if not mine:
        raise NotForMe("an order", "it was sealed for other relays", "register this relay at the centre anew")
    try:
        key = _private("X25519", sealing)
        for_us: Any = {**outer, "recipients": mine[:1]}
        signed = jwe.decrypt_json(for_us, key, algorithms=[_WRAP, _ENC]).plaintext
    except (JoseError, ValueError, TypeError, KeyError):
        raise NotForMe("an order", "this relay's key does not open it", "pair this relay anew") from None
    return _verified(signed or b"", centre, _ORDER, "an order")


def sign_report(document: bytes, relay: str, signing: str) -> bytes:
    """The document, signed with the relay's private key."""
    return _sign(document, signing, relay, _REPORT)


def verify_report(signed: bytes, relay: str, public: str) -> bytes:
    """The document of a report that this relay must have signed. Raises Untrusted."""
    return _verified(signed, public, _REPORT, f"a report of relay {relay}")


class Tokens:
    """Short notes to oneself that others carry: what the centre writes on an order's outside, for a relay that cannot
    open it to give back. Nobody else can read or make one."""

    def __init__(self, secret: str) -> None:
        self._key = OctKey.import_key(hmac.digest(_raw(secret), b"tokens", "sha256"))

    def write(self, note: str) -> str:
        return jwe.encrypt_compact({"alg": "dir", "enc": _ENC}, note.encode(), self._key, algorithms=["dir", _ENC])

    def read(self, token: str) -> str:
        """Raises Untrusted."""
        try:
            note = jwe.decrypt_compact(token, self._key, algorithms=["dir", _ENC]).plaintext
            return (note or b"").decode()
        except (JoseError, ValueError, TypeError, KeyError):
            raise Untrusted("a report", "it gives back a token that this centre did not write") from None


def _sign(document: bytes, private: str, signer: str, purpose: str) -> bytes:
    header = {"alg": _SIGN, "kid": signer, "typ": purpose}
    return jws.serialize_compact(header, document, _private("Ed25519", private), algorithms=[_SIGN]).encode()


def _verified(signed: bytes, public: str, purpose: str, where: str) -> bytes:
    if len(signed) > _LARGEST:
        raise Garbled(where, f"larger than {_LARGEST} bytes")
    try:
        found = jws.deserialize_compact(signed, _public("Ed25519", public), algorithms=[_SIGN])
    except (JoseError, ValueError, TypeError, KeyError):
        raise Untrusted(where, "its signature is not good", "is somebody else writing to the broker?") from None
    if found.headers().get("typ") != purpose:
        raise Untrusted(where, "it was signed for another purpose", "is somebody else writing to the broker?")
    return found.payload


def _private(curve: str, key: str) -> Any:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

    made: Any = Ed25519PrivateKey if curve == "Ed25519" else X25519PrivateKey
    public = made.from_private_bytes(_raw(key)).public_key().public_bytes_raw()
    x = urlsafe_b64encode(public).rstrip(b"=").decode()
    return OKPKey.import_key({"kty": "OKP", "crv": curve, "x": x, "d": key})


def _public(curve: str, key: str) -> Any:
    _raw(key)
    return OKPKey.import_key({"kty": "OKP", "crv": curve, "x": key})


def _raw(key: str) -> bytes:
    try:
        raw = urlsafe_b64decode(key + "=")
    except ValueError:
        raw = b""
    if len(raw) != 32:
        raise BadSetting("a key", "it is not 32 bytes in base64url", "pair the relay anew") from None
    return raw
