"""Logins of endpoints: passwords that can be typed on a remote control, and the check of what an endpoint sends.

A password is 16 of 32 characters, 80 bits, so that one round of SHA-256 with a salt keeps it well: nobody guesses it,
fast as the hash may be.
"""

from __future__ import annotations

import binascii
import hmac
import secrets
from base64 import b64decode
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256

from otd.model import Endpoint
from otd.relay.lists import HeldList, Lists

ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789"  # without l, o, 0 and 1, which look alike; no shift key is needed
LENGTH = 16
_REMEMBER = timedelta(minutes=5)
_REMEMBERED = 10_000
_PAIRS = 10_000  # (address, user) pairs whose failures are remembered
_DOUBLINGS = 5
_FORGIVEN = timedelta(minutes=15)
_NOBODY = "sha256:" + "00" * 16 + ":" + "00" * 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Password:
    """A new password: to be shown once, and what is kept of it."""

    clear: str
    hashed: str

    def __repr__(self) -> str:
        return "Password(...)"


def new_password() -> Password:
    """16 characters that cannot be mistaken for one another, 80 bits of chance."""
    clear = "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))
    return Password(clear=clear, hashed=hashed(clear, secrets.token_bytes(16)))


def hashed(clear: str, salt: bytes) -> str:
    """ "sha256:SALT:HEX", as Endpoint.password_hash has it."""
    return f"sha256:{salt.hex()}:{sha256(salt + clear.encode()).hexdigest()}"


def is_right(clear: str, kept: str) -> bool:
    """Whether this is the password that was kept; takes the same time whether or not it is."""
    form, _, rest = kept.partition(":")
    salt, _, _ = rest.partition(":")
    try:
        known = bytes.fromhex(salt)
    except ValueError:
        return False
    return form == "sha256" and hmac.compare_digest(hashed(clear, known).encode(), kept.encode())


def logins(endpoint: Endpoint) -> tuple[str, ...]:
    r"""The names by which an endpoint may log in: user, DOMAIN\user, user@domain; compared without case."""
    user, domain = endpoint.username.casefold(), endpoint.domain.casefold()
    if not user:
        return ()
    return (user, f"{domain}\\{user}", f"{user}@{domain}") if domain else (user,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Basic:
    """What an Authorization header says."""

    user: str
    password: str

    def __repr__(self) -> str:
        return "Basic(...)"


def basic(header: str) -> Basic | None:
    """None for anything but the Basic scheme."""
    scheme, _, encoded = header.strip().partition(" ")
    if scheme.casefold() != "basic":
        return None
    try:
        raw = b64decode(encoded.strip(), validate=True)
    except (binascii.Error, ValueError):
        return None
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        text = raw.decode("latin-1")  # older clients do not send UTF-8 (RFC 7617 section 2.1 leaves it open)
    user, colon, password = text.partition(":")
    return Basic(user=user.casefold().lstrip("\\"), password=password) if colon else None


class Door:
    """Who a request comes from. What was verified is remembered for a while under a keyed hash of the header, for as
    long as the endpoint's password stays the same: a revoked one is refused at once."""

    def __init__(self, lists: Lists) -> None:
        self._lists = lists
        self._key = secrets.token_bytes(32)
        self._version = -1
        self._by_login: dict[str, tuple[str, ...]] = {}
        self._verified: dict[bytes, tuple[str, str, datetime]] = {}

    def enter(self, header: str, now: datetime) -> HeldList | None:
        """The list of the endpoint whose login this is, None when it is nobody's."""
        remembered = hmac.digest(self._key, header.encode("latin-1", "replace"), "sha256")
        known = self._verified.get(remembered)
        if known is not None:
            held = self._lists.get(known[0])
            if held is not None and held.endpoint.password_hash == known[1] and now < known[2]:
                return held
            del self._verified[remembered]
        login = basic(header)
        held = self._checked(login) if login is not None else None
        if held is not None:
            if len(self._verified) >= _REMEMBERED:
                self._verified.clear()
            self._verified[remembered] = (held.endpoint.name, held.endpoint.password_hash, now + _REMEMBER)
        return held

    def _checked(self, login: Basic) -> HeldList | None:
        self._index()
        found = None
        names = self._by_login.get(login.user, ())
        for held in (self._lists.get(name) for name in names or ("",)):
            kept = held.endpoint.password_hash if held is not None else _NOBODY
            if is_right(login.password, kept) and held is not None:
                found = found or held
        return found

    def endpoint_of(self, user: str) -> str:
        """The one endpoint that logs in by this name, "" when there is none or several."""
        self._index()
        names = self._by_login.get(user, ())
        return names[0] if len(names) == 1 else ""

    def _index(self) -> None:
        version = self._lists.version
        if version == self._version:
            return
        self._by_login = _index(held.endpoint for held in self._lists.all())
        self._version = version


def _index(endpoints: Iterable[Endpoint]) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for endpoint in endpoints:
        for login in logins(endpoint):
            found[login] = (*found.get(login, ()), endpoint.name)
    return found


class Failures:
    """How long the refusal of a wrong password is held back, by the address it came from and the user it named; longer
    each time. A right password is not held back, whoever else tried before."""

    def __init__(self, first: timedelta) -> None:
        """`first` is how long the first refusal is held back; the sixth and all later ones 32 times as long."""
        self._first = first
        self._pairs: OrderedDict[tuple[str, str], tuple[int, datetime]] = OrderedDict()

    def delay(self, address: str, user: str, now: datetime) -> timedelta:
        """Note a failure; how long to wait before it is answered."""
        count, last = self._pairs.pop((address, user), (0, now))
        count = 1 if now - last > _FORGIVEN else count + 1
        self._pairs[address, user] = (count, now)
        if len(self._pairs) > _PAIRS:
            self._pairs.popitem(last=False)
        return self._first * (1 << min(count - 1, _DOUBLINGS))

    def count(self, address: str, user: str) -> int:
        """How many failures in a row."""
        return self._pairs.get((address, user), (0, None))[0]

    def clear(self, address: str, user: str) -> None:
        """It was right."""
        self._pairs.pop((address, user), None)
