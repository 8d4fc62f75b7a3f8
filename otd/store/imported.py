"""Readings of other installations, to be replayed here. They are kept apart from this one's own: nothing but a replay
that asks for them ever sees them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, insert, select

from otd.errors import Missing
from otd.model import ReadingMark
from otd.store import audit
from otd.store.database import Database
from otd.store.tables import at, imported, ms, span
from otd.store.transaction import Transaction
from otd.store.vault import Vault

_MARK = (imported.c.id, imported.c.room, imported.c.at, imported.c.meetings)


class Imported:
    """Imported readings by id. Every method is one transaction."""

    def __init__(self, database: Database, vault: Vault, actor: str) -> None:
        self._database, self._vault, self._actor = database, vault, actor

    def put(self, mark: ReadingMark, document: str, *, keep: timedelta, why: str = "") -> bool:
        """Keep the document, ASCII, in place of one that was imported under this id before, and note who did it; False
        when it is the same one. What was imported longer than `keep` ago goes."""
        digest = self._vault.digest(document)
        with self._database.in_turn() as connection:
            tx = self._transaction(connection)
            tidy(tx, keep)
            which = imported.c.id == mark.id
            if connection.execute(select(imported.c.digest).where(which)).scalar() == digest:
                return False
            connection.execute(delete(imported).where(which))
            connection.execute(
                insert(imported).values(
                    id=mark.id,
                    room=mark.room,
                    at=ms(mark.at),
                    meetings=mark.meetings,
                    digest=digest,
                    document=self._vault.seal(_place(mark.id), document),
                    imported_at=tx.clock(),
                )
            )
            audit.act(tx, f"room:{mark.room}", "import reading", why)
            return True

    def forget(self, id: str, *, why: str = "") -> None:
        """Remove it. Raises Missing when there is none."""
        with self._database.in_turn() as connection:
            tx = self._transaction(connection)
            room = connection.execute(
                delete(imported).where(imported.c.id == id).returning(imported.c.room)
            ).scalar_one_or_none()
            if room is None:
                raise _missing(id)
            audit.act(tx, f"room:{room}", "forget reading", why)

    def all(self) -> tuple[ReadingMark, ...]:
        """By room and time."""
        with self._database.reading_once() as connection:
            rows = connection.execute(select(*_MARK).order_by(imported.c.room, imported.c.at)).all()
        return tuple(_mark(row) for row in rows)

    def marks(self, room: str, since: datetime, until: datetime) -> tuple[ReadingMark, ...]:
        """Those of the room from `since` to `until`, and before them the one that held at `since`; in their order."""
        found = [mark for mark in self.all() if mark.room == room and mark.at <= until]
        before = [mark for mark in found if mark.at <= since]
        return (*before[-1:], *found[len(before) :])

    def document(self, id: str) -> tuple[ReadingMark, str]:
        """One of them. Raises Missing when there is none."""
        with self._database.reading_once() as connection:
            row = connection.execute(select(*_MARK, imported.c.document).where(imported.c.id == id)).one_or_none()
        if row is None:
            raise _missing(id)
        return _mark(row), self._vault.open(_place(id), bytes(row.document))

    def _transaction(self, connection: Any) -> Transaction:
        return Transaction(connection, self._database.now, self._vault, self._actor)


def tidy(tx: Transaction, keep: timedelta) -> None:
    """Remove those that were imported longer than `keep` ago."""
    tx.connection.execute(delete(imported).where(imported.c.imported_at <= tx.clock() - span(keep)))


def _mark(row: Any) -> ReadingMark:
    return ReadingMark(id=row.id, room=row.room, at=at(row.at), meetings=row.meetings)


def _missing(id: str) -> Missing:
    why = "it is not kept here (any more), and was not imported"
    return Missing(f"reading {id}", why, "`otd readings list ROOM` names those that are")


def _place(id: str) -> str:
    return f"imported/{id}"
