"""Claims due rows and publishes them as tasks: the executor of the cluster."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Protocol

import structlog

from otd.model import Work
from otd.ports import Store

LEASE = timedelta(seconds=90)
AT_ONCE = 100  # rows claimed in one go
LOOK_EVERY = 0.5  # seconds at the most between two looks
FULL = 0.1  # seconds until the next look when enough is under way
GAP = 0.1  # seconds at the least between two looks that found less than there was room for
AWAY = 2.0  # seconds until the next look when the database or the broker is away
log = structlog.get_logger(__name__)


class Publish(Protocol):
    def __call__(self, work: Work) -> None:
        """Hand the claim to whichever worker is free. Raises Unreachable."""
        ...


class CeleryExecutor:
    """otd.ports.Executor. At most `under_way` of the rows that it claimed are leased at any time: how many they are is
    asked of the database, which knows what other workers have done of them. A claim looks through all that is overdue,
    so while there is more than enough to do it waits until a quarter of them is done."""

    def __init__(self, store: Store, publish: Publish, *, owner: str, under_way: int) -> None:
        self._store, self._publish, self._owner, self._under_way = store, publish, f"{owner}/", under_way
        self._awake, self._stopping = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="otd-claim", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def wake(self) -> None:
        self._awake.set()

    def stop(self, *, within: timedelta) -> None:
        """Claim nothing more. What was published stays claimed: other workers carry it out."""
        self._stopping.set()
        self._awake.set()
        self._thread.join(within.total_seconds())

    def _run(self) -> None:
        away = False
        while not self._stopping.is_set():
            self._awake.clear()
            try:
                wait = self._look()
                if away:
                    log.info("work is claimed and published again")
                away = False
            except Exception as error:  # a database or a broker that is away comes back
                if not away:
                    log.warning("work could not be claimed or published", error=type(error).__name__)
                away = True
            if away:
                self._stopping.wait(AWAY)
            elif wait:
                self._stopping.wait(GAP)  # who wakes it does so for each piece of work that ends
                self._awake.wait(max(0.0, wait - GAP))

    def _look(self) -> float:
        """Claim and publish what there is room for; how many seconds to wait before the next look."""
        room = self._under_way - self._store.leased(self._owner)
        if room < max(1, self._under_way // 4):
            return FULL
        limit = min(AT_ONCE, room)
        claimed = self._store.claim(self._owner, limit=limit, lease=LEASE)
        for place, work in enumerate(claimed):
            try:
                self._publish(work)
            except Exception:
                self._store.give_back(claimed[place:])
                raise
        if len(claimed) == limit:
            return 0.0
        due = self._store.next_due()
        if due is None:
            return LOOK_EVERY
        return min(LOOK_EVERY, max(0.02, (due - self._store.now()).total_seconds()))
