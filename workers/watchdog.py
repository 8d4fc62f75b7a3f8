"""Ends a worker that is alive and does nothing: whoever supervises it starts it again, and its leases hand the work on.

Celery workers were seen to stay connected and stop consuming after a reconnect (reference/celery.md 1.2 and 1.4), and a
thread may hang in spite of its deadline. So what is watched is progress.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import timedelta

import structlog

from otd.errors import OtdError
from otd.executor import end_process

LOOK_EVERY = 10.0  # seconds
log = structlog.get_logger(__name__)


class Watchdog:
    """Told when a task begins and ends; looks now and then."""

    def __init__(
        self,
        *,
        waiting: Callable[[], int],
        threads: int,
        stuck_after: timedelta,
        idle_after: timedelta,
        end: Callable[[], None] = end_process,
    ) -> None:
        """`waiting` says how many tasks wait in this worker's queues, and raises an OtdError when nobody knows.
        `stuck_after`: a task that runs for longer is stuck. `idle_after`: tasks that wait for longer while a thread is
        free and none begins are not consumed."""
        self._waiting, self._threads, self._end = waiting, threads, end
        self._stuck_after, self._idle_after = stuck_after.total_seconds(), idle_after.total_seconds()
        self._lock = threading.Lock()
        self._running: dict[int, float] = {}  # by thread: since when, monotonic
        self._progress = time.monotonic()  # when a task last began, or none waited
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="otd-watch", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()

    def begin(self) -> None:
        """This thread takes up a task."""
        with self._lock:
            self._progress = self._running[threading.get_ident()] = time.monotonic()

    def done(self) -> None:
        with self._lock:
            self._running.pop(threading.get_ident(), None)

    def complaint(self) -> str:
        """What is wrong just now; "" when nothing is."""
        with self._lock:
            now, progress = time.monotonic(), self._progress
            oldest, busy = min(self._running.values(), default=now), len(self._running)
        if now - oldest > self._stuck_after:
            return f"a task runs for {now - oldest:.0f} s"
        try:
            waits = busy < self._threads and self._waiting() > 0
        except OtdError:
            waits = False  # the broker is away: that is no fault of this process
        if not waits:
            with self._lock:
                self._progress = max(self._progress, now)
            return ""
        return f"tasks wait and none begins for {now - progress:.0f} s" if now - progress > self._idle_after else ""

    def _run(self) -> None:
        while not self._stopping.wait(LOOK_EVERY):
            if said := self.complaint():
                log.critical("this worker makes no progress", why=said)
                self._end()
                return
