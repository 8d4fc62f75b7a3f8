"""The executor on a real store: due work is carried out, whatever becomes of it."""

from __future__ import annotations

import contextlib
import logging
import queue
import sqlite3
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import structlog
from structlog.testing import capture_logs

from otd.errors import Denied, Unreachable
from otd.executor import EXIT_STUCK, LocalExecutor, backoff
from otd.model import Settled, Work, WorkState
from otd.store import SqlStore
from tests.contracts.store_case import KEY, a_room
from tests.values import HOUR, MINUTE, an_endpoint

WAIT = 10  # seconds at most; what is waited for comes in milliseconds
LONG = HOUR


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqlStore]:
    store = SqlStore(f"sqlite:///{tmp_path / 'otd.db'}", KEY)
    yield store
    store.close()


def adopt(store: SqlStore, rooms: int, cap: int = 50) -> None:
    store.adopt([a_room(n) for n in range(1, rooms + 1)], [], {"office": cap}, "d")


@contextlib.contextmanager
def running(store: SqlStore, carry_out: Callable[[Work], Settled], **options: Any) -> Iterator[LocalExecutor]:
    options = {"threads": 2, "owner": "test", "look_every": LONG} | options
    executor = LocalExecutor(store, carry_out, **options)
    executor.start()
    try:
        yield executor
    finally:
        executor.stop(within=timedelta(seconds=WAIT))


def row(store: SqlStore, name: str = "room1") -> WorkState:
    return next(row for row in store.work() if row.name == name)


def eventually(holds: Callable[[], bool]) -> None:
    """For what another thread writes to the database just after it said that it was done."""
    end = time.monotonic() + WAIT
    while not holds():
        assert time.monotonic() < end, "it never came"
        threading.Event().wait(0.005)


class Carried:
    """Notes what it is asked to carry out, and lets it last until it is let go."""

    def __init__(self, after: timedelta = LONG) -> None:
        self.begun: queue.Queue[str] = queue.Queue()
        self.let_go = threading.Event()
        self.after = after

    def __call__(self, work: Work) -> Settled:
        self.begun.put(work.name)
        assert self.let_go.wait(WAIT)
        return Settled(after=self.after)

    def names(self, count: int) -> list[str]:
        return sorted(self.begun.get(timeout=WAIT) for _ in range(count))


def free(after: timedelta = LONG) -> Carried:
    carried = Carried(after)
    carried.let_go.set()
    return carried


def test_all_that_is_due_is_carried_out_once(store: SqlStore) -> None:
    adopt(store, rooms=30)
    carried = free()
    with running(store, carried):
        assert carried.names(30) == sorted(f"room{n}" for n in range(1, 31))
        eventually(lambda: all(row.due > store.now() and not row.leased for row in store.work()))
    assert carried.begun.empty()


def test_a_row_runs_again_when_its_period_is_over_without_anybody_waking(store: SqlStore) -> None:
    adopt(store, rooms=1)
    carried = free(after=timedelta(milliseconds=30))
    with running(store, carried):
        assert carried.names(4) == ["room1"] * 4


def test_what_becomes_due_runs_at_once_when_the_executor_is_woken(store: SqlStore) -> None:
    adopt(store, rooms=1)
    carried = free()
    with running(store, carried) as executor:
        carried.names(1)
        eventually(lambda: not row(store).leased)
        store.hint("refresh", "room1")
        executor.wake()
        carried.names(1)


def test_what_another_process_makes_due_is_found_without_waking(store: SqlStore) -> None:
    adopt(store, rooms=1)
    carried = free()
    with running(store, carried, look_every=timedelta(milliseconds=50)):
        carried.names(1)
        eventually(lambda: not row(store).leased)
        store.hint("refresh", "room1")
        carried.names(1)


def test_only_its_kinds_are_carried_out(store: SqlStore) -> None:
    store.adopt([a_room()], [an_endpoint()], {"office": 4, "hq": 4}, "d")
    carried = free()
    with running(store, carried, kinds=("deliver",)):
        carried.names(1)
    assert row(store, "room1").due <= store.now()
    assert row(store, "codec1").due > store.now()


def test_no_more_is_claimed_than_twice_the_free_threads(store: SqlStore) -> None:
    adopt(store, rooms=20)
    carried = Carried()
    with running(store, carried, threads=2) as executor:
        carried.names(2)
        executor.wake()
        executor.wake()
        assert sum(row.leased for row in store.work()) == 4
        carried.let_go.set()
        carried.names(18)


def test_two_executors_share_the_work(store: SqlStore, tmp_path: Path) -> None:
    adopt(store, rooms=40)
    other = SqlStore(f"sqlite:///{tmp_path / 'otd.db'}", KEY)
    carried = free()
    with running(store, carried, owner="one"), running(other, carried, owner="two"):
        assert carried.names(40) == sorted(f"room{n}" for n in range(1, 41))
    other.close()
    assert carried.begun.empty()


def test_a_claim_that_was_taken_away_is_not_carried_out(store: SqlStore) -> None:
    adopt(store, rooms=2)
    carried = Carried()
    with running(store, carried, threads=1):
        carried.names(1)  # the other one is claimed, and waits for the thread
        assert store.release("test/") == 2
        taken = store.claim("somebody else", limit=2, lease=MINUTE)
        assert len(taken) == 2
        carried.let_go.set()
        for work in taken:
            store.finish(work, Settled(after=LONG))
    assert carried.begun.empty()
    assert [row.attempt for row in store.work()] == [0, 0]


# what goes wrong --------------------------------------------------------------------------------------------------


def test_a_mistake_of_ours_is_tried_again_later_and_told_without_what_it_says(store: SqlStore) -> None:
    adopt(store, rooms=1)

    def fail(work: Work) -> Settled:
        raise ValueError("Quarterly surprise, passcode 123456")

    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG))
    with capture_logs() as logs, running(store, fail):
        eventually(lambda: row(store).attempt == 1)
    state = row(store)
    assert state.code == "unexpected"
    assert "ValueError" in state.error
    assert "test_executor.py" in state.error
    assert timedelta(seconds=4) < state.due - store.now() <= timedelta(seconds=5)
    (entry,) = [entry for entry in logs if entry["log_level"] == "error"]
    assert (entry["work"], entry["type"]) == ("refresh:room1", "ValueError")
    assert "123456" not in str(logs) + state.error + state.mend


def test_an_error_that_may_pass_is_tried_again_and_one_for_a_person_parks(store: SqlStore) -> None:
    adopt(store, rooms=2)
    errors = {"room1": Unreachable("graph", "no answer"), "room2": Denied("graph", "refused", "a new secret")}

    def fail(work: Work) -> Settled:
        raise errors[work.name]

    with running(store, fail):
        eventually(lambda: all(row.attempt == 1 for row in store.work()))
    first, second = store.work()
    assert (first.code, first.parked) == ("unreachable", False)
    assert (second.code, second.mend, second.parked) == ("denied", "a new secret", True)


def test_waiting_doubles_up_to_five_minutes() -> None:
    waits = [backoff(attempt).total_seconds() for attempt in (0, 1, 2, 5, 6, 7, 10**6)]
    assert waits == [5, 10, 20, 160, 300, 300, 300]


def test_a_database_that_does_not_answer_for_a_while_stops_nothing(tmp_path: Path) -> None:
    store = SqlStore(f"sqlite:///{tmp_path / 'otd.db'}?timeout=0.05", KEY)
    adopt(store, rooms=1)
    carried = free()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG))
    with (
        capture_logs() as logs,
        contextlib.closing(sqlite3.connect(tmp_path / "otd.db", isolation_level=None)) as other,
    ):
        other.execute("BEGIN IMMEDIATE")
        with running(store, carried, look_every=timedelta(milliseconds=20)):
            eventually(lambda: bool(logs))
            other.execute("COMMIT")
            carried.names(1)
    assert [entry["event"] for entry in logs] == ["the store does not answer", "the store answers again"]
    assert logs[0]["type"] == "Unreachable"
    store.close()


def test_a_thread_that_is_stuck_is_told(store: SqlStore) -> None:
    adopt(store, rooms=1)
    carried, stuck = Carried(), threading.Event()
    with running(store, carried, lease=timedelta(milliseconds=100), stuck=stuck.set):
        carried.names(1)
        assert not stuck.is_set()
        assert stuck.wait(WAIT)
        carried.let_go.set()


def test_a_process_with_a_stuck_thread_ends_itself(tmp_path: Path) -> None:
    child = textwrap.dedent("""
        import sys, threading
        from datetime import timedelta
        from otd.executor import LocalExecutor
        from otd.store import SqlStore
        from tests.contracts.store_case import KEY, a_room

        store = SqlStore(sys.argv[1], KEY)
        store.adopt([a_room()], [], {"office": 1}, "d")
        for_ever = threading.Event()
        LocalExecutor(store, lambda work: for_ever.wait(), threads=1, owner="me", lease=timedelta(seconds=0.1)).start()
        for_ever.wait()
    """)
    ended = subprocess.run(
        [sys.executable, "-c", child, f"sqlite:///{tmp_path / 'otd.db'}"],
        cwd=Path(__file__).parents[2],
        timeout=30,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == EXIT_STUCK
    assert "stuck" in ended.stdout + ended.stderr


# stopping ---------------------------------------------------------------------------------------------------------


def test_stopping_lets_what_runs_end_and_gives_back_the_rest(store: SqlStore) -> None:
    adopt(store, rooms=4)
    carried = Carried()
    executor = LocalExecutor(store, carried, threads=1, owner="test")
    executor.start()
    (begun,) = carried.names(1)
    stopping = threading.Thread(target=executor.stop, kwargs={"within": timedelta(seconds=WAIT)})
    stopping.start()
    carried.let_go.set()
    stopping.join(WAIT)
    assert carried.begun.empty()
    rows = {row.name: row for row in store.work()}
    assert rows.pop(begun).due > store.now()
    assert all(row.due <= store.now() and not row.leased for row in rows.values())


def test_stopping_does_not_wait_for_ever(store: SqlStore) -> None:
    adopt(store, rooms=1)
    carried = Carried()
    executor = LocalExecutor(store, carried, threads=1, owner="test")
    executor.start()
    carried.names(1)
    began = time.monotonic()
    executor.stop(within=timedelta(milliseconds=100))
    assert time.monotonic() - began < 5
    assert not row(store).leased
    carried.let_go.set()  # and what ends now no longer counts
    eventually(lambda: not any(thread.name.startswith("otd-work") for thread in threading.enumerate()))
    assert row(store).due <= store.now()


def test_an_executor_with_nothing_to_do_uses_no_processor_time(store: SqlStore) -> None:
    adopt(store, rooms=1)
    carried = free()
    with running(store, carried):
        carried.names(1)
        eventually(lambda: not row(store).leased)
        before = time.process_time()
        assert not threading.Event().wait(0.4)
        assert time.process_time() - before < 0.1
