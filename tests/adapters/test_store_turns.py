"""Who writes to SQLite first: what relays say does not wait behind all that is sent to them."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from otd.store.database import Database

LINE = 6  # writers that wait already


@pytest.fixture
def database(tmp_path: Path):  # type: ignore[no-untyped-def]
    opened = Database(f"sqlite:///{tmp_path / 'otd.db'}", migrate=True, exclusive=False, clock=None)
    yield opened
    opened.close()


def test_an_answer_waits_for_no_more_than_two_of_the_writers_that_came_before_it(database: Database) -> None:
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
        time.sleep(0.2)  # all of them wait
        threads.append(threading.Thread(target=answers))
        threads[-1].start()
        time.sleep(0.2)
    for thread in threads:
        thread.join()
    assert went.index("answer") <= 1
    assert len(went) == LINE + 1


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
