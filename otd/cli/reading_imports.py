"""Readings that were imported from another installation: their replay, beside that of this one's own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from otd.cli.reading_files import Exported, parsed

if TYPE_CHECKING:
    from otd.model import ReadingMark
    from otd.refresh import Rulebook
    from otd.replay import Replayed
    from otd.store.sql import SqlStore

LAST = datetime.max.replace(tzinfo=UTC)  # the other installation's clock may be ahead


def mark_of(exported: Exported) -> ReadingMark:
    """The name that the reading has at home, and here."""
    from otd.model import EPOCH, ReadingMark

    reading = exported.reading
    moment = round((reading.at - EPOCH).total_seconds() * 1000)
    return ReadingMark(id=f"{reading.room}/{moment}", room=reading.room, at=reading.at, meetings=len(reading.meetings))


class Imports:
    """Replays imported readings as `otd.replay.Replay` does those of this installation: beside what the endpoints there
    were told."""

    def __init__(self, store: SqlStore, rules: Rulebook) -> None:
        from otd.replay import Rerun

        self._imported, self._rerun = store.imported, Rerun(rules)

    def marks(
        self, names: Iterable[str], since: datetime | None = None, until: datetime | None = None, behind: str = ""
    ) -> Iterator[ReadingMark]:
        """See `otd.replay.Replay.marks`."""
        from otd.replay import marks

        return marks(self._imported.marks, names, since, until or LAST, behind)

    def mark(self, id: str) -> ReadingMark:
        """Raises Missing when none of this id was imported."""
        return self._imported.document(id)[0]

    def exported(self, id: str) -> Exported:
        """It as it was exported. Raises Missing when none of this id was imported."""
        return parsed(self._imported.document(id)[1], id)

    def reading(self, mark: ReadingMark) -> Replayed:
        """What it gives here."""
        found = self.exported(mark.id)
        return self._rerun.reading(found.room, found.reading, found.endpoints, found.told, id=mark.id)
