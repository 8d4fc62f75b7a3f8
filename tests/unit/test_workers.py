"""What travels in tasks, and the watchdog of a worker."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta

import pytest

from otd.errors import Garbled, Unreachable
from otd.model import Work
from tests.values import T0
from workers import messages
from workers.watchdog import Watchdog

WORK = Work(kind="refresh", name="room1", lane="office", token=3, attempt=0, due=T0, lease_until=T0)


def test_a_claim_survives_the_way_and_what_a_newer_worker_adds_is_passed_over() -> None:
    message = messages.write(WORK)
    message["claim"]["new"] = message["new"] = 1
    assert messages.read(message) == WORK


@pytest.mark.parametrize("message", [None, [], {}, {"v": 2, "claim": {}}, {"v": 1}, {"v": 1, "claim": {"kind": "x"}}])
def test_what_cannot_be_read_is_refused(message: object) -> None:
    with pytest.raises(Garbled):
        messages.read(message)


def dog(waiting: Callable[[], int], *, stuck: float = 60, idle: float = 0.05) -> Watchdog:
    return Watchdog(
        waiting=waiting, threads=1, stuck_after=timedelta(seconds=stuck), idle_after=timedelta(seconds=idle)
    )


def pause() -> None:
    threading.Event().wait(0.1)


def test_a_worker_that_takes_nothing_while_tasks_wait_makes_no_progress() -> None:
    watched = dog(lambda: 5)
    pause()
    assert "none begins" in watched.complaint()
    watched.begin()
    watched.done()
    assert watched.complaint() == ""


def test_a_worker_that_is_busy_or_has_nothing_to_do_is_well() -> None:
    for waiting, busy in ((5, True), (0, False)):
        watched = dog(lambda waiting=waiting: waiting)  # type: ignore[misc]
        if busy:
            watched.begin()
        pause()
        assert watched.complaint() == ""


def test_a_broker_that_is_away_is_no_fault_of_the_worker() -> None:
    def away() -> int:
        raise Unreachable("the broker", "refused")

    watched = dog(away)
    pause()
    assert watched.complaint() == ""


def test_a_task_that_runs_for_too_long_is_stuck() -> None:
    watched = dog(lambda: 0, stuck=0.05)
    watched.begin()
    pause()
    assert "a task runs" in watched.complaint()
