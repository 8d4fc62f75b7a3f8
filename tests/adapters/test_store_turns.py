"""Who writes to SQLite first: what relays say does not wait behind all that is sent to them."""

from __future__ import annotations

import threading
from datetime import timedelta
from pathlib import Path

import pytest

from otd.store.database import Database
from tests.waiting import until

LINE = 6  # writers that wait already
ANSWERS = 3
SOON = timedelta(seconds=30)


@pytest.fixture
def database(tmp_path: Path):  # type: ignore[no-untyped-def]
    opened = Database(f"sqlite:///{tmp_path / 'otd.db'}", migrate=True, exclusive=False, clock=None)
    yield opened
    opened.close()


def test_answers_go_before_writers_that_came_earlier_and_these_between_them(database: Database) -> None:
    went: list[str] = []

    def writes() -> None:
        with database.writing():
            went.append("another")

    def answers() -> None:
        with database.applying():
            went.append("answer")

    threads = [threading.Thread(target=writes) for _ in range(LINE)]
    with database.writing():
        for thread in threads:
            thread.start()
        until(lambda: database.turns.waiting == LINE, SOON, "the line")
        threads += [threading.Thread(target=answers) for _ in range(ANSWERS)]
        for thread in threads[LINE:]:
            thread.start()
        until(lambda: database.turns.waiting == LINE + ANSWERS, SOON, "the answers")
    for thread in threads:
        thread.join()
    assert went == ["answer", "another"] * ANSWERS + ["another"] * (LINE - ANSWERS)


def test_what_is_lasting_waits_for_the_disk_and_what_a_power_cut_may_undo_does_not(database: Database) -> None:
    full, normal = 2, 1
    for transaction, expected in (
        (database.writing, full),
        (database.applying, full),
        (database.writing_once, full),
        (database.leasing, normal),
        (database.settling, normal),
        (database.quickly, normal),
    ):
        with transaction() as connection:
            assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == expected
