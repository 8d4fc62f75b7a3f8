"""The SQLite files in which a relay keeps what must survive a restart."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path

_PATIENCE = 10.0  # seconds to wait for another process that has the file locked
_PAUSE = 0.01


def opened(path: Path | None, tables: str) -> sqlite3.Connection:
    """The file with its tables, made where they are missing; `path` None keeps all in memory.

    Safe from several threads and processes at once: one that switches a new file to its write-ahead log shuts the
    others out, and SQLite reports that at once, whatever the time-out (sqlite.org, "sqlite3_busy_handler"). Raises
    sqlite3.Error.
    """
    base = sqlite3.connect(path or ":memory:", check_same_thread=False, isolation_level=None, timeout=_PATIENCE)
    end = time.monotonic() + _PATIENCE
    while True:
        try:
            base.execute("PRAGMA journal_mode=WAL")
            base.executescript(tables)
            return base
        except sqlite3.OperationalError as error:
            locked = error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
            if not locked or time.monotonic() > end:
                base.close()
                raise
            time.sleep(_PAUSE)
        except sqlite3.Error:
            base.close()
            raise
