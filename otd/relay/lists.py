"""The lists that a relay holds for endpoints which fetch them: in memory to be served, on disk to survive a restart.

Lists hold dial strings, so they are sealed at rest. What the disk gives back may be served as long as it is valid,
until the centre is heard: then `begin_fill` says which lists there are and how new each must be, and what is older is
not served any more. Safe from several threads; reading takes no lock and never touches the disk.
"""

from __future__ import annotations

import hmac
import os
import sqlite3
import threading
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

import structlog
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from otd import bookings, wire
from otd.errors import BadSetting, Garbled
from otd.model import EPOCH, Booking, BookingList, Delivery, Endpoint, Window
from otd.relay.disk import opened

_TABLE = "CREATE TABLE IF NOT EXISTS lists (endpoint TEXT PRIMARY KEY, sealed BLOB NOT NULL) WITHOUT ROWID"
_FORM = b"\x01"  # zlib, then AES-256-GCM: nonce (12 bytes), ciphertext and tag
_SHORTEST_KEY = 16
_ANY = Window(start=EPOCH, end=EPOCH + timedelta(days=1))  # a list's digest does not depend on its window
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldList:
    """What an endpoint is to be given when it asks, until `valid_until` by the centre's clock."""

    endpoint: Endpoint
    revision: int
    valid_until: datetime
    bookings: tuple[Booking, ...] = field(default=(), repr=False)
    digest: str = ""  # that of otd.bookings, the same as the centre's


class Lists:
    """The lists by endpoint. `version` changes whenever `all` does."""

    def __init__(self, path: Path | None, key: bytes) -> None:
        """Loads what is there; `path` None keeps all in memory. Raises BadSetting when the file cannot be used or the
        key is too short. A list that this key does not open is left out, and comes again from the centre."""
        if len(key) < _SHORTEST_KEY:
            raise BadSetting("the relay's key", f"it is shorter than {_SHORTEST_KEY} bytes", "set a random one")
        self._key = key
        try:
            self._base = opened(path, _TABLE)
            self._base.execute("PRAGMA synchronous=NORMAL")  # a list lost in a power cut comes again
            rows = self._base.execute("SELECT endpoint, sealed FROM lists").fetchall()
        except sqlite3.Error as error:
            raise BadSetting(str(path), f"the relay's lists cannot be opened: {error}", "check the folder") from error
        self._lock = threading.Lock()
        self._wanted: Mapping[str, int] | None = None
        self._held = {held.endpoint.name: held for name, sealed in rows if (held := self._opened(name, sealed))}
        self._served: Mapping[str, HeldList] = dict(self._held)
        self.version = 0

    def put(self, delivery: Delivery) -> HeldList:
        """Hold the delivered list, unless a newer one is held already; returns the one that holds."""
        name = delivery.endpoint.name
        wanted = BookingList(endpoint=name, window=_ANY, bookings=delivery.bookings)
        held = HeldList(
            endpoint=delivery.endpoint,
            revision=delivery.revision,
            valid_until=delivery.valid_until,
            bookings=delivery.bookings,
            digest=bookings.digest(wanted),
        )
        with self._lock:
            former = self._held.get(name)
            if former is not None and former.revision > held.revision:
                return former
            if former is not None and former.revision == held.revision:
                held = replace(held, valid_until=max(held.valid_until, former.valid_until))
            sealed = self._sealed(held)
            self._base.execute("INSERT OR REPLACE INTO lists VALUES (?, ?)", (name, sealed))
            self._held[name] = held
            self._publish()
        return held

    def get(self, endpoint: str) -> HeldList | None:
        """The list that may be served, None when there is none or the centre has a newer one. Whether it is still
        valid is for the caller to say, who knows the time."""
        return self._served.get(endpoint)

    def all(self) -> tuple[HeldList, ...]:
        """All that `get` gives."""
        return tuple(self._served.values())

    def forget(self, endpoint: str) -> None:
        """Drop it, and do not wait for it any more."""
        with self._lock:
            self._base.execute("DELETE FROM lists WHERE endpoint = ?", (endpoint,))
            self._held.pop(endpoint, None)
            if self._wanted is not None:
                self._wanted = {name: least for name, least in self._wanted.items() if name != endpoint}
            self._publish()

    def begin_fill(self, wanted: Mapping[str, int]) -> None:
        """The centre says which lists this pool has, and the lowest revision of each that is not out of date (0: any).

        Others are dropped: their endpoints left while this relay was away. Those that are older are not served until
        they came again. May be called again at any time.
        """
        with self._lock:
            for name in self._held.keys() - wanted.keys():
                self._base.execute("DELETE FROM lists WHERE endpoint = ?", (name,))
                del self._held[name]
            self._wanted = dict(wanted)
            self._publish()

    def missing(self, now: datetime) -> tuple[str, ...]:
        """The endpoints whose list is awaited: not there, out of date, or no longer valid."""
        names = self._held.keys() if self._wanted is None else self._wanted.keys()
        served = self._served
        return tuple(sorted(n for n in tuple(names) if n not in served or served[n].valid_until <= now))

    @property
    def told(self) -> bool:
        """Whether the centre has said since the start which lists there are."""
        return self._wanted is not None

    def is_complete(self, now: datetime) -> bool:
        """Whether every list of the pool is there and valid. A relay that has not heard the centre yet goes by what it
        held before, and with nothing held it is not complete."""
        return (self.told or bool(self._served)) and not self.missing(now)

    def close(self) -> None:
        with self._lock:
            self._base.close()

    def _publish(self) -> None:
        """Make visible what may be served; readers see the old mapping or the new one."""
        wanted = self._wanted
        if wanted is None:
            self._served = dict(self._held)
        else:
            self._served = {n: held for n, held in self._held.items() if held.revision >= wanted.get(n, 0)}
        self.version += 1

    def _cipher(self, endpoint: str) -> AESGCM:
        """A key for each row, so that a value copied to another row does not open there."""
        return AESGCM(hmac.digest(self._key, f"lists {endpoint}".encode(), "sha256"))

    def _sealed(self, held: HeldList) -> bytes:
        nonce = os.urandom(12)
        clear = zlib.compress(wire.dump(held), 6)
        return _FORM + nonce + self._cipher(held.endpoint.name).encrypt(nonce, clear, _FORM)

    def _opened(self, endpoint: str, sealed: bytes) -> HeldList | None:
        try:
            clear = self._cipher(endpoint).decrypt(sealed[1:13], sealed[13:], sealed[:1])
            held: HeldList = wire.load(HeldList, zlib.decompress(clear), f"the held list of {endpoint}")
        except (InvalidTag, ValueError, zlib.error, Garbled):
            log.warning("held list cannot be opened", endpoint=endpoint)
            return None
        return held
