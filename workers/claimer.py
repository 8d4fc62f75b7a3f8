"""Claims due rows and publishes them as tasks: the executor of the cluster."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta

import structlog

from otd.model import Work
from otd.ports import Store

LEASE = timedelta(seconds=90)
AT_ONCE = 100  # rows claimed in one go
LOOK_EVERY = 1.0  # seconds at the most between two looks
log = structlog.get_logger(__name__)


class CeleryExecutor:
    """otd.ports.Executor: what it claims, `publish` sends to whichever worker is free."""

    def __init__(self, store: Store, publish: Callable[[Work], None], *, owner: str, room: Callable[[], int]) -> None:
        """`room` says how many more may be under way; no more than that is claimed."""
        self._store, self._publish, self._owner, self._room = store, publish, f"{owner}/", room
        self._awake, self._stopping = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="otd-claim", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def wake(self) -> None:
        self._awake.set()

    def stop(self, *, within: timedelta) -> None:
        self._stopping.set()
        self._awake.set()
        self._thread.join(within.total_seconds())

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._awake.clear()
            wait = LOOK_EVERY
            try:
                wait = self._look()
            except Exception as error:  # a database or a broker that is away comes back
                log.warning("work could not be claimed or published", error=type(error).__name__)
            self._awake.wait(wait)

    def _look(self) -> float:
        """Claim and publish what there is room for; how many seconds to wait before the next look."""
        limit = min(AT_ONCE, self._room())
        for work in self._store.claim(self._owner, limit=limit, lease=LEASE) if limit > 0 else ():
            self._publish(work)
        due = self._store.next_due()
        if due is None:
            return LOOK_EVERY
        return min(LOOK_EVERY, max(0.02, (due - self._store.now()).total_seconds()))
