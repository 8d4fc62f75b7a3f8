"""The words of pairing, the same on both sides: codes, fingerprints, and what is said over HTTPS. Pure.

    relay                                       centre                              administrator
    commitment to its keys and a nonce  ------> remembered; a code  <-------------- types the code
    shows the code, asks again and again -----> centre's key and its own nonce
    keys and nonce, as committed  ------------> looked at  -----------------------> sees the fingerprint, host, address
    shows the fingerprint                       confirmed, broker user made <------ confirms
    signs a challenge  -----------------------> the identity, sealed for it, once

Who stands in between may swap the keys of both sides, but has to commit to his before he learns the nonces. So he
cannot look for keys whose fingerprint is the same by chance, and eight characters are enough (the same idea as in ZRTP,
RFC 6189 section 4.4.1): he has one try in 23^8.
"""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from hmac import compare_digest
from typing import Literal

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from otd.errors import BadSetting

VALID = timedelta(minutes=15)
PENDING_OF_ONE = 5  # requests that wait, from one address
PENDING = 100  # in all
WRONG_CODES = 10  # of one administrator within WRONG_WITHIN; after that none is looked at
WRONG_WITHIN = timedelta(minutes=15)
RENEW_AFTER = timedelta(days=30)  # an identity's password
KEY = 32  # bytes of a key, a nonce or a challenge

# Digits and capitals of which no two look alike: without 0 O Q, 1 I L, 2 Z, 5 S, 8 B, V. Their number is a prime, so
# that one wrong character, or two that changed places, always show in the check character.
ALPHABET = "34679ACDEFGHJKMNPRTUWXY"
LENGTH = 8
_BASE = len(ALPHABET)
_INVERSE = pow(LENGTH, -1, _BASE)

State = Literal["asked", "named", "shown", "confirmed", "collected", "refused"]
"""asked: it has a code; named: an administrator typed the code; shown: the relay showed the keys it had committed to;
confirmed: the fingerprint was; collected: it has its identity; refused: by the administrator, or for a broken promise.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """A relay's two public keys: 32 bytes each, in base64url without padding (as in otd.bus.seal)."""

    signing: str  # Ed25519
    sealing: str  # X25519

    def __post_init__(self) -> None:
        for key in (self.signing, self.sealing):
            if text(raw(key)) != key:
                raise ValueError("a public key is written in another form")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairing:
    """A relay's request to be let in, as the centre remembers it."""

    id: str
    code: str
    state: State
    asked_at: datetime
    expires_at: datetime
    address: str  # that asks
    host: str  # as it calls itself
    version: str
    commitment: bytes
    administrator: str = ""
    name: str = ""
    pool: str = ""
    centre_nonce: bytes = b""
    relay_nonce: bytes = b""
    keys: Keys | None = None
    challenge: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A relay that was let in: who it is to the broker, what it signs and opens with.

    `password_at` is when its broker user was given a password; one asked for later (`wanted_at`) is still to be made.
    `by_hand`: its broker user is looked after by a person, not through the broker's management interface.
    """

    relay: str
    pool: str
    keys: Keys
    admitted_at: datetime
    admitted_by: str
    by_hand: bool = False
    wanted_at: datetime | None = None
    password_at: datetime | None = None
    revoked_at: datetime | None = None
    removed_at: datetime | None = None  # its broker user is gone
    maintenance: bool = False
    maintenance_why: str = ""

    @property
    def is_ready(self) -> bool:
        """Whether there is an identity to be collected."""
        return self.password_at is not None and (self.wanted_at is None or self.wanted_at <= self.password_at)


# --- codes --------------------------------------------------------------------------------------------------------


def code(chance: bytes) -> str:
    """A registration code from random bytes: seven characters and a check character. At least eight bytes are needed,
    so that every code is as likely as any other (to one part in 2^31)."""
    if len(chance) < 8:
        raise ValueError("at least eight random bytes are needed")
    drawn = _spelt(int.from_bytes(chance, "big"), LENGTH - 1)
    total = sum(weight * ALPHABET.index(ch) for weight, ch in enumerate(drawn, 1))
    return drawn + ALPHABET[-total * _INVERSE % _BASE]


def read_code(typed: str) -> str:
    """The code as it was given out, from what a person typed: small letters, hyphens and blanks do not matter.

    Raises BadSetting that says what is wrong with it; that is no guess, and is not counted as one.
    """
    plain = "".join(typed.split()).replace("-", "").upper()
    where = f"the code {typed.strip()[:20]!r}"
    wrong = sorted({ch for ch in plain if ch not in ALPHABET})
    if wrong:
        raise BadSetting(where, f"no code has {' or '.join(wrong[:3])} in it", f"codes are made of {ALPHABET}")
    if len(plain) != LENGTH:
        raise BadSetting(where, f"it has {len(plain)} characters", f"a code has {LENGTH}")
    if sum(weight * ALPHABET.index(ch) for weight, ch in enumerate(plain, 1)) % _BASE:
        raise BadSetting(where, "it is mistyped: its check character does not fit", "read it from the relay again")
    return plain


def grouped(text: str) -> str:
    """As a person reads it: ABCD-EFGH."""
    return "-".join(text[at : at + 4] for at in range(0, len(text), 4))


def _spelt(number: int, length: int) -> str:
    found = ""
    for _ in range(length):
        number, digit = divmod(number, _BASE)
        found += ALPHABET[digit]
    return found


# --- keys ---------------------------------------------------------------------------------------------------------


def text(raw: bytes) -> str:
    """Bytes as keys, nonces and the like are written: base64url without padding."""
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def data(text: str) -> bytes:
    """The bytes back. Raises ValueError for what is not so written."""
    return urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))


def raw(text: str) -> bytes:
    """The same, of 32 bytes: a key, a nonce or a promise."""
    found = data(text)
    if len(found) != KEY:
        raise ValueError("not 32 bytes in base64url")
    return found


def commitment(keys: Keys, nonce: bytes) -> bytes:
    """What a relay says of its keys before it shows them: it can show no others afterwards."""
    return sha256(b"otd pairing commitment 1\0" + raw(keys.signing) + raw(keys.sealing) + nonce).digest()


def keeps_promise(pairing: Pairing, keys: Keys, nonce: bytes) -> bool:
    """Whether these are the keys that were committed to."""
    return compare_digest(commitment(keys, nonce), pairing.commitment)


def fingerprint(keys: Keys, relay_nonce: bytes, centre_key: str, centre_nonce: bytes) -> str:
    """Eight characters that are the same on both screens if, and only if, nobody swapped a key in between."""
    said = raw(keys.signing) + raw(keys.sealing) + relay_nonce + raw(centre_key) + centre_nonce
    return _spelt(int.from_bytes(sha256(b"otd pairing fingerprint 1\0" + said).digest(), "big"), LENGTH)


def same_fingerprint(typed: str, shown: str) -> bool:
    """Whether a person typed it, in whatever form."""
    plain = "".join(typed.split()).replace("-", "").upper()
    return compare_digest(plain.encode(), shown.encode())


def proof(private: str, purpose: str, challenge: bytes) -> bytes:
    """The answer to a challenge, signed with the private signing key. The purpose keeps it from serving elsewhere."""
    return Ed25519PrivateKey.from_private_bytes(raw(private)).sign(_challenged(purpose, challenge))


def is_proof(public: str, purpose: str, challenge: bytes, signature: bytes) -> bool:
    """Whether the holder of this key answered the challenge."""
    try:
        Ed25519PublicKey.from_public_bytes(raw(public)).verify(signature, _challenged(purpose, challenge))
    except (InvalidSignature, ValueError):
        return False
    return True


def passing_challenge(secret: bytes, relay: str, expires: int) -> bytes:
    """A challenge that its maker recognises without having remembered it: 8 bytes that say until when it is good
    (seconds since 1970), 24 that only the secret's holder can make."""
    until = expires.to_bytes(8, "big")
    return until + hmac.digest(secret, b"challenge\0" + relay.encode() + b"\0" + until, "sha256")[:24]


def is_passing_challenge(secret: bytes, relay: str, challenge: bytes, now: int) -> bool:
    """Whether we made this challenge for this relay, and it is still good."""
    expires = int.from_bytes(challenge[:8], "big")
    return now < expires and compare_digest(challenge, passing_challenge(secret, relay, expires))


def _challenged(purpose: str, challenge: bytes) -> bytes:
    return b"otd challenge 1\0" + purpose.encode() + b"\0" + challenge
