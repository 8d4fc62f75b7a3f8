"""What a relay must not forget when it is restarted: the highest revision it has seen of each endpoint, the
certificates that it has pinned, where its endpoints are, and which of them were asked to tell it of their restarts. One
SQLite file; it holds no list and no secret."""

from __future__ import annotations

import sqlite3
import threading
from dataclasses import replace
from pathlib import Path

from otd import wire
from otd.errors import BadSetting
from otd.model import Endpoint
from otd.relay.disk import opened

_TABLES = """
CREATE TABLE IF NOT EXISTS revisions (endpoint TEXT PRIMARY KEY, highest INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS endpoints (name TEXT PRIMARY KEY, endpoint BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS pins (endpoint TEXT PRIMARY KEY, fingerprint TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS hooks (endpoint TEXT PRIMARY KEY) WITHOUT ROWID;
"""


class Memory:
    """Revisions and pins (the Pins port). Safe from several threads; several processes may share the file."""

    def __init__(self, path: Path | None = None) -> None:
        """`path` None keeps it in memory only, for tests. Raises BadSetting when the file cannot be used."""
        try:
            self._base = opened(path, _TABLES)
        except sqlite3.Error as error:
            raise BadSetting(str(path), f"the relay's memory cannot be opened: {error}", "check the folder") from error
        self._lock = threading.Lock()
        self._met: dict[str, Endpoint] = {}

    def met(self, endpoint: Endpoint) -> None:
        """Remember where it is, and how it is spoken to; without the hash of a login. The certificate that the centre
        knows it by counts more than the one that is pinned here, and that is not of what stands somewhere else."""
        known = replace(endpoint, password_hash="", pin="")
        with self._lock:
            if self._met.get(endpoint.name) != known:
                self._remember(known)
        if endpoint.pin and self.get(endpoint.name) != endpoint.pin:
            self.repin(endpoint.name, endpoint.pin)

    def _remember(self, endpoint: Endpoint) -> None:
        name = endpoint.name
        row = self._base.execute("SELECT endpoint FROM endpoints WHERE name = ?", (name,)).fetchone()
        if row is not None and not wire.load(Endpoint, row[0], "a remembered endpoint").is_same_place(endpoint):
            self._base.execute("DELETE FROM pins WHERE endpoint = ?", (name,))
        self._base.execute("INSERT OR REPLACE INTO endpoints VALUES (?, ?)", (name, wire.dump(endpoint)))
        self._met[name] = endpoint

    def endpoints(self) -> tuple[Endpoint, ...]:
        """All that it has met and was not told to forget, by name."""
        with self._lock:
            rows = self._base.execute("SELECT endpoint FROM endpoints ORDER BY name").fetchall()
        return tuple(wire.load(Endpoint, row[0], "a remembered endpoint") for row in rows)

    def highest(self, endpoint: str) -> int:
        """The highest revision seen, 0 when there was none."""
        with self._lock:
            row = self._base.execute("SELECT highest FROM revisions WHERE endpoint = ?", (endpoint,)).fetchone()
        return int(row[0]) if row else 0

    def saw(self, endpoint: str, revision: int) -> int:
        """Remember it if it is higher; returns the highest, which is another one when a newer list came meanwhile."""
        with self._lock:
            row = self._base.execute(
                "INSERT INTO revisions VALUES (?, ?) ON CONFLICT (endpoint)"
                " DO UPDATE SET highest = max(highest, excluded.highest) RETURNING highest",
                (endpoint, revision),
            ).fetchone()
        return int(row[0])

    def forget(self, endpoint: str) -> None:
        """Drop all that is known of an endpoint."""
        with self._lock:
            self._base.execute("DELETE FROM revisions WHERE endpoint = ?", (endpoint,))
            self._base.execute("DELETE FROM pins WHERE endpoint = ?", (endpoint,))
            self._base.execute("DELETE FROM hooks WHERE endpoint = ?", (endpoint,))
            self._base.execute("DELETE FROM endpoints WHERE name = ?", (endpoint,))
            self._met.pop(endpoint, None)

    def get(self, endpoint: str) -> str:
        with self._lock:
            row = self._base.execute("SELECT fingerprint FROM pins WHERE endpoint = ?", (endpoint,)).fetchone()
        return str(row[0]) if row else ""

    def pin(self, endpoint: str, fingerprint: str) -> str:
        with self._lock:
            self._base.execute("INSERT INTO pins VALUES (?, ?) ON CONFLICT DO NOTHING", (endpoint, fingerprint))
            row = self._base.execute("SELECT fingerprint FROM pins WHERE endpoint = ?", (endpoint,)).fetchone()
        return str(row[0])

    def repin(self, endpoint: str, fingerprint: str) -> None:
        """Pin it instead of what was pinned: a person has said so, or the centre."""
        with self._lock:
            self._base.execute("INSERT OR REPLACE INTO pins VALUES (?, ?)", (endpoint, fingerprint))

    def is_hooked(self, endpoint: str) -> bool:
        """Whether it was asked to tell this relay of its restarts."""
        with self._lock:
            return self._base.execute("SELECT 1 FROM hooks WHERE endpoint = ?", (endpoint,)).fetchone() is not None

    def hook(self, endpoint: str, hooked: bool) -> None:
        """Remember that it was, or is not any more."""
        with self._lock:
            if hooked:
                self._base.execute("INSERT INTO hooks VALUES (?) ON CONFLICT DO NOTHING", (endpoint,))
            else:
                self._base.execute("DELETE FROM hooks WHERE endpoint = ?", (endpoint,))

    def close(self) -> None:
        with self._lock:
            self._base.close()
