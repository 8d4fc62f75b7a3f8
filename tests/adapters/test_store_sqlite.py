"""The store on SQLite: the contract, and what belongs to a file on a disk."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from otd.errors import BadSetting, Unreachable
from otd.model import BookingList, DialString, Difference, Settled
from otd.ports import Clock, Store
from otd.store import SqlStore
from otd.store.tables import HEAD
from tests.contracts.store import StoreContract
from tests.contracts.store_case import CAPS, KEY, LEASE, a_list, a_reading, a_room
from tests.values import HOUR, T0, WINDOW, FixedClock, a_booking, a_receipt, an_endpoint


@pytest.fixture(scope="module")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with its tables, made once: making it is most of what a small test would take."""
    path = tmp_path_factory.mktemp("empty") / "otd.db"
    SqlStore(f"sqlite:///{path}", KEY).close()
    return path


@pytest.fixture
def path(tmp_path: Path, empty_database: Path) -> Path:
    return Path(shutil.copy(empty_database, tmp_path / "otd.db"))


@pytest.fixture
def database(path: Path) -> str:
    return f"sqlite:///{path}"


class TestSqlite(StoreContract):
    def open(self, database: str, clock: Clock, rng: random.Random) -> Store:
        return SqlStore(database, KEY, actor="ann", clock=clock, rng=rng)


@contextlib.contextmanager
def opened(path: Path, key: bytes = KEY, **options: bool) -> Iterator[SqlStore]:
    store = SqlStore(f"sqlite:///{path}", key, **options)
    try:
        yield store
    finally:
        store.close()


def refusal(path: Path | str, key: bytes = KEY, **options: bool) -> BadSetting:
    url = path if isinstance(path, str) else f"sqlite:///{path}"
    with pytest.raises(BadSetting) as refused:
        SqlStore(url, key, **options).close()
    return refused.value


# opening ----------------------------------------------------------------------------------------------------------


def test_a_new_database_is_made_readable_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "new.db"
    with opened(path) as store:
        store.adopt([a_room()], [], CAPS, "d")
        assert {file.stat().st_mode & 0o777 for file in tmp_path.iterdir()} == {0o600}


def test_the_clock_is_the_databases(path: Path) -> None:
    with opened(path) as store:
        before = datetime.now(UTC)
        now = store.now()
        assert abs(now - before) < timedelta(seconds=5)
        assert now.microsecond % 1000 == 0


def test_a_file_that_is_not_a_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("not a database, but long enough to look at" * 100)
    assert "not a database" in refusal(tmp_path / "notes.txt").why


def test_a_database_of_another_program_is_left_alone(tmp_path: Path) -> None:
    with contextlib.closing(sqlite3.connect(tmp_path / "other.db")) as other:
        other.execute("CREATE TABLE work (id INTEGER)")
        other.commit()
    assert "another program" in refusal(tmp_path / "other.db").why


def test_a_database_that_is_newer_than_this_version_is_refused(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.execute("UPDATE otd_version SET version_num = '9999'")
        database.commit()
    error = refusal(path)
    assert "newer" in error.why
    assert HEAD in error.why


def test_an_empty_database_is_not_touched_by_who_only_looks(tmp_path: Path) -> None:
    path = tmp_path / "empty.db"
    assert "otd run" in refusal(path, migrate=False).mend
    assert not path.exists()
    path.touch()
    assert "otd run" in refusal(path, migrate=False).mend
    assert path.stat().st_size == 0


def test_a_database_in_a_folder_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    error = refusal(tmp_path / "missing" / "otd.db")
    assert "No such file" in error.why
    assert "folder must exist" in error.mend


def test_a_database_that_cannot_be_written_is_refused(path: Path) -> None:
    assert "cannot be written" in refusal(f"sqlite:///file:{path}?mode=ro&uri=true").why


def test_a_database_that_another_program_holds_locked_is_refused(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        assert "locked" in refusal(f"sqlite:///{path}?timeout=0.1").why


def test_a_url_that_is_none_of_ours_is_refused() -> None:
    for url in ("mysql://me:secret@host/db", "nonsense", "sqlite://", "sqlite:///:memory:"):
        assert "secret" not in str(refusal(url))


def test_a_second_run_on_the_same_file_is_refused_and_may_start_when_the_first_ended(path: Path) -> None:
    with opened(path, exclusive=True):
        error = refusal(path, exclusive=True)
        assert f"process {os.getpid()}" in error.why
        with opened(path) as looking:  # a command that only looks is welcome
            assert looking.work() == ()
    with opened(path, exclusive=True):
        pass


def test_a_store_that_could_not_be_opened_does_not_stay_locked(path: Path) -> None:
    refusal(path, b"another key, long enough", exclusive=True)
    with opened(path, exclusive=True):
        pass


# what is at rest --------------------------------------------------------------------------------------------------

PRIVATE = (
    "Quarterly-Surprise",
    "987654321",
    "sha256:a-password's-hash",
    "Olivia-Organizer",
    "standup-with-olivia.ics",
    "two-fields-differ",
)


def test_nothing_private_is_in_the_files_in_clear(path: Path) -> None:
    subject, passcode, password_hash, organizer, file, detail = PRIVATE
    dial = DialString(protocol="sip", uri=f"{passcode}@t.plcm.vc")
    booking = a_booking(title=subject, organizer=organizer, dial=dial)
    wanted = BookingList(endpoint="codec1", window=WINDOW, bookings=(booking,))
    with opened(path) as store:
        store.adopt([a_room()], [an_endpoint(password_hash=password_hash)], CAPS, "d")
        store.save_reading(a_reading(problems=(file,)))
        store.put_part("codec1", "room1", (booking,))
        revision = store.put_desired(wanted, "d")
        sequence = store.sending("codec1", "put", revision, "")
        differences = (Difference(id="b1", fields=("title",)),)
        assert store.apply(
            a_receipt(revision=revision, sequence=sequence, outcome="differs", detail=detail, differences=differences)
        )
        assert store.part("codec1", "room1") == (booking,)
        held = b"".join(file.read_bytes() for file in path.parent.iterdir())
    assert b"codec1" in held
    assert [word for word in PRIVATE if word.encode() in held] == []


def test_a_database_of_another_key_is_refused(path: Path) -> None:
    error = refusal(path, b"another key, long enough")
    assert "another key" in error.why
    assert "put back the key" in error.mend


def test_a_key_that_is_too_short_is_refused(path: Path) -> None:
    assert "16" in refusal(path, b"short").why


def test_a_list_that_was_put_into_another_row_is_refused(path: Path) -> None:
    with opened(path) as store:
        store.adopt([a_room()], [an_endpoint(), an_endpoint(name="codec2")], CAPS, "d")
        store.put_desired(a_list("b1"), "d")
        store.put_desired(a_list("b2", endpoint="codec2"), "d")
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.execute(
            "UPDATE endpoints SET desired = (SELECT desired FROM endpoints WHERE name = 'codec2') WHERE name = 'codec1'"
        )
        database.commit()
    with opened(path) as store:
        with pytest.raises(BadSetting, match="altered"):
            store.desired("codec1")
        assert store.desired("codec2") is not None


# what the world does to it ----------------------------------------------------------------------------------------


def test_a_database_that_is_locked_for_long_is_unreachable_and_then_goes_on(path: Path) -> None:
    with (
        contextlib.closing(SqlStore(f"sqlite:///{path}?timeout=0.1", KEY)) as store,
        contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other,
    ):
        store.adopt([a_room()], [], CAPS, "d")
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(Unreachable, match="locked"):
            store.hint("refresh", "room1")
        other.execute("COMMIT")
        store.hint("refresh", "room1")


def test_a_process_that_is_killed_in_the_middle_of_its_work_loses_nothing(path: Path) -> None:
    child = textwrap.dedent("""
        import sys
        from datetime import timedelta
        from otd.model import Settled
        from otd.store import SqlStore
        from tests.contracts.store_case import CAPS, KEY, a_list, a_room
        from tests.values import an_endpoint

        store = SqlStore(sys.argv[1], KEY, exclusive=True)
        store.adopt([a_room(n) for n in range(1, 21)], [an_endpoint()], CAPS | {"office": 20}, "d")
        done = store.claim("run:1", limit=5, lease=timedelta(hours=1), kinds=("refresh",))
        for work in done:
            store.begin(work)
            store.finish(work, Settled(after=timedelta(hours=1)))
        running = store.claim("run:1", limit=7, lease=timedelta(hours=1), kinds=("refresh",))
        number = 0
        while True:
            number += 1
            revision = store.put_desired(a_list(f"b{number}"), f"d{number}")
            print(number, revision, flush=True)
    """)
    started = subprocess.Popen(
        [sys.executable, "-c", child, f"sqlite:///{path}"],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    assert started.stdout is not None
    with started:
        told = [started.stdout.readline() for _ in range(5)]
        started.send_signal(signal.SIGKILL)
        told += started.stdout.readlines()
    number, revision = (int(word) for word in told[-1].split())
    with opened(path, exclusive=True) as store:
        desired = store.desired("codec1")
        assert desired is not None
        # what the child was told is there; of what it was not told one more may be
        assert (number, revision) <= (int(desired.digest[1:]), desired.revision) <= (number + 1, revision + 60_000)
        assert desired.list == a_list(f"b{desired.digest[1:]}")
        assert store.release("run:") == 7
        assert len(store.claim("run:2", limit=99, lease=LEASE, kinds=("refresh",))) == 15


def test_jitter_shortens_long_periods_by_a_tenth_at_most_and_short_ones_not_at_all(path: Path) -> None:
    class Greedy(random.Random):
        def random(self) -> float:
            return 0.999999

    with contextlib.closing(SqlStore(f"sqlite:///{path}", KEY, clock=FixedClock(), rng=Greedy())) as store:
        store.adopt([a_room(n) for n in range(1, 4)], [], CAPS, "d")
        for work, seconds in zip(store.claim("me", limit=3, lease=LEASE), (15, 60, 3600), strict=True):
            store.finish(work, Settled(after=timedelta(seconds=seconds), error="no answer"))
        waits = [(row.due - T0).total_seconds() for row in store.work()]
    assert waits == pytest.approx([15, 54, 3240], abs=0.01)


def test_jitter_differs_from_row_to_row(path: Path) -> None:
    with contextlib.closing(SqlStore(f"sqlite:///{path}", KEY, clock=FixedClock())) as store:
        store.adopt([a_room(n) for n in range(1, 5)], [], CAPS, "d")
        for work in store.claim("me", limit=4, lease=LEASE):
            store.finish(work, Settled(after=HOUR))
        assert len({row.due for row in store.work()}) > 1
