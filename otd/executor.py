"""Due work carried out in this process: one thread claims, a handful of threads work, one watches.

Nothing is remembered here that the store does not know: when this process dies, its leases run out and others go on.
"""

from __future__ import annotations

import os
import queue
import threading
import time
import traceback
from collections.abc import Callable
from datetime import timedelta

import structlog

from otd.errors import OtdError, Permanent
from otd.model import Settled, Work, WorkKind
from otd.ports import Store

EXIT_STUCK = 70  # EX_SOFTWARE: whoever supervises the process starts it again

_log = structlog.get_logger("otd.executor")
_SOON = 0.02  # seconds until the next look when something is due but could not be claimed; doubles up to `look_every`
_AWAY = timedelta(seconds=2)  # until the next look at a database that did not answer, at most


def end_process() -> None:
    """What happens by default when a thread is stuck: this process ends, so that its leases hand the work on."""
    os._exit(EXIT_STUCK)


class LocalExecutor:
    """Runs `carry_out` for due work on `threads` threads until `stop`; see `otd.ports.Executor`.

    `carry_out` must be done within `lease`, as everything it calls holds a deadline. A thread that is busy for twice as
    long is stuck, and `stuck` is called. What `carry_out` raises is settled as a retry (a Permanent error: parked).

    It sleeps until the next row is due, but looks at least every `look_every`, since other processes that share the
    database (a command at a terminal, say) cannot wake it.
    """

    def __init__(
        self,
        store: Store,
        carry_out: Callable[[Work], Settled],
        *,
        threads: int,
        owner: str,
        lease: timedelta = timedelta(seconds=90),
        kinds: tuple[WorkKind, ...] = (),
        stuck: Callable[[], None] = end_process,
        look_every: timedelta = timedelta(milliseconds=200),
    ) -> None:
        self._store, self._carry_out, self._stuck = store, carry_out, stuck
        self._owner = f"{owner}/"  # no other owner's name begins so, which `release` relies on
        self._lease, self._kinds, self._look_every = lease, kinds, look_every
        self._claimed: queue.SimpleQueue[Work | None] = queue.SimpleQueue()
        self._unstarted = 0
        self._busy_since: dict[int, float] = {}  # by thread: when it began what it is doing, monotonic
        self._changed = threading.Condition()  # guards the two above
        self._awake, self._stopping = threading.Event(), threading.Event()
        self._in_vain = 0  # looks in a row that found something due and could not claim it
        # Daemons: a thread that is stuck does not keep the process from ending.
        self._workers = [threading.Thread(target=self._work, name=f"otd-work-{n}", daemon=True) for n in range(threads)]
        self._others = [
            threading.Thread(target=self._claim, name="otd-claim", daemon=True),
            threading.Thread(target=self._watch, name="otd-watch", daemon=True),
        ]

    def start(self) -> None:
        for thread in (*self._workers, *self._others):
            thread.start()

    def wake(self) -> None:
        self._awake.set()

    def stop(self, *, within: timedelta) -> None:
        end = time.monotonic() + within.total_seconds()
        self._stopping.set()
        self._awake.set()
        for _ in self._workers:
            self._claimed.put(None)
        for thread in (*self._workers, *self._others):
            thread.join(max(0.0, end - time.monotonic()))
        try:
            self._store.release(self._owner)
        except OtdError as error:
            _log.warning("leases could not be given back; they run out by themselves", code=error.code)

    # the claiming thread ------------------------------------------------------------------------------------------

    def _claim(self) -> None:
        away = False
        while not self._stopping.is_set():
            self._awake.clear()
            try:
                self._busy()
                wait = self._look()
                if away:
                    _log.info("the store answers again")
                away = False
            except Exception as error:
                if not away:
                    _log.warning("the store does not answer", **_named(error))
                away = True
            finally:
                self._idle()
            if away:
                self._stopping.wait(min(self._look_every, _AWAY).total_seconds())
            else:
                self._awake.wait(wait)

    def _look(self) -> float | None:
        """Claim what there is room for; how many seconds to wait before the next look, None: until a thread is free."""
        room = self._room()
        if room <= 0:
            return None
        longest = self._look_every.total_seconds()
        due = self._store.next_due()  # which only reads: others wait for a claim
        seconds = longest if due is None else (due - self._store.now()).total_seconds()
        if seconds > 0:
            self._in_vain = 0
            return min(max(seconds, _SOON), longest)
        claimed = self._store.claim(self._owner, limit=room, lease=self._lease, kinds=self._kinds)
        with self._changed:
            self._unstarted += len(claimed)
        for item in claimed:
            self._claimed.put(item)
        if claimed:
            self._in_vain = 0
            return 0.0
        # Due, and yet not claimed: another claimer is just taking it, or it is not of our kinds.
        self._in_vain += 1
        return min(_SOON * 2.0 ** min(self._in_vain, 20), longest)

    def _room(self) -> int:
        """Twice the free threads, less what waits for one already."""
        with self._changed:
            me = threading.get_ident()
            free = len(self._workers) - sum(thread != me for thread in self._busy_since)
            return 2 * free - self._unstarted

    # the working threads ------------------------------------------------------------------------------------------

    def _work(self) -> None:
        while (item := self._claimed.get()) is not None:
            self._busy()
            with self._changed:
                self._unstarted -= 1
            try:
                if not self._stopping.is_set() and self._store.begin(item):
                    self._store.finish(item, self._carried_out(item))
            except Exception as error:
                # The lease runs out, and the work is done again.
                _log.warning("work could not be begun or settled", work=item.key, **_named(error))
            finally:
                self._idle()
                self._awake.set()

    def _carried_out(self, item: Work) -> Settled:
        try:
            return self._carry_out(item)
        except OtdError as error:
            after, parked = backoff(item.attempt), isinstance(error, Permanent)
            return Settled(after=after, error=error.why, code=error.code, mend=error.mend, parked=parked)
        except Exception as error:
            named = _named(error)
            _log.error("work failed in an unexpected way", work=item.key, **named)
            return Settled(
                after=backoff(item.attempt),
                error=f"unexpected {named['type']} in {named['place']}",
                code="unexpected",
                mend="this is a fault in OTD; please report it with this line",
            )

    # the watching thread ------------------------------------------------------------------------------------------

    def _busy(self) -> None:
        with self._changed:
            self._busy_since[threading.get_ident()] = time.monotonic()

    def _idle(self) -> None:
        with self._changed:
            self._busy_since.pop(threading.get_ident(), None)

    def _watch(self) -> None:
        limit = 2 * self._lease.total_seconds()
        while not self._stopping.wait(limit / 8):
            with self._changed:
                longest = time.monotonic() - min(self._busy_since.values(), default=time.monotonic())
            if longest > limit:
                _log.critical("a thread is stuck", seconds=round(longest))
                self._stuck()
                return


def backoff(attempt: int) -> timedelta:
    """How long to wait after so many failures in a row: from 5 seconds doubling to 5 minutes."""
    return timedelta(seconds=min(5 * 2 ** min(attempt, 10), 300))


def _named(error: Exception) -> dict[str, str]:
    """What an error may say in a log: its type, and the place it came from. Its text could hold something private."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f"{os.path.basename(frames[-1].filename)}:{frames[-1].lineno}" if frames else "?"
    return {"type": type(error).__name__, "place": place}
