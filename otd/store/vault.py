"""Encryption at rest: what may hold dial strings, subjects or file names is sealed before it becomes a row."""

from __future__ import annotations

import hmac
import os
import zlib

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from otd.errors import BadSetting

_FORM = b"\x01"  # zlib, then AES-256-GCM: nonce (12 bytes), ciphertext and tag
SHORTEST_KEY = 16


class Vault:
    """Seals and opens with one secret.

    Every place (a row and its column) has a key of its own, derived from the secret. So a sealed value that is copied
    to another row does not open there, and no key seals so often that random nonces could meet (NIST SP 800-38D
    section 8.3 draws the line at 2^32 for one key).
    """

    def __init__(self, secret: bytes) -> None:
        if len(secret) < SHORTEST_KEY:
            raise BadSetting(
                "the store's key",
                f"it has {len(secret)} bytes, and at least {SHORTEST_KEY} random ones are needed",
                "let `otd init` make one",
            )
        self._secret = secret
        self._digests = hmac.digest(secret, b"digests", "sha256")

    def seal(self, place: str, clear: str) -> bytes:
        """The text, closed for everyone without the secret."""
        nonce = os.urandom(12)
        packed = zlib.compress(clear.encode("ascii"), 1)  # 7 % larger than 6, in half the time
        return _FORM + nonce + self._cipher(place).encrypt(nonce, packed, _FORM)

    def open(self, place: str, sealed: bytes) -> str:
        """The text that was sealed at this place. Raises BadSetting when it was sealed with another secret."""
        form, nonce, closed = sealed[:1], sealed[1:13], sealed[13:]
        try:
            return zlib.decompress(self._cipher(place).decrypt(nonce, closed, form)).decode("ascii")
        except (InvalidTag, ValueError):
            raise BadSetting(
                "the store's key",
                f"the database holds a value ({place}) that was sealed with another key, or was altered",
                "put back the key that this database was written with; without it, start with an empty database",
            ) from None

    def digest(self, clear: str) -> bytes:
        """16 bytes that are the same for the same text, and tell nothing about it without the secret."""
        return hmac.digest(self._digests, clear.encode("ascii"), "sha256")[:16]

    def _cipher(self, place: str) -> AESGCM:
        return AESGCM(hmac.digest(self._secret, place.encode(), "sha256"))
