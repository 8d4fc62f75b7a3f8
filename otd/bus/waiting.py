"""What a relay has taken from the broker and not begun: who goes first."""

from __future__ import annotations

import threading
from collections import deque

from otd.bus.consuming import Taken
from otd.model import Order


class Waiting:
    """Orders go before looks, and what came by the relay's own queue, mostly for the second time, before the pool's.

    Which of them is a look is known once it was opened. Looks occupy at most `looks` threads at once, so that a list
    finds a free one whatever there is to be looked at.
    """

    def __init__(self, *, looks: int) -> None:
        self._most = max(looks, 1)
        self._own: deque[Taken] = deque()
        self._pool: deque[Taken] = deque()
        self._looks: deque[tuple[Taken, Order]] = deque()
        self._looking = 0
        self._closed = False
        self._changed = threading.Condition()

    def put(self, taken: Taken, *, own: bool) -> None:
        with self._changed:
            (self._own if own else self._pool).append(taken)
            self._changed.notify()

    def postpone(self, look: Taken, order: Order) -> None:
        """It was opened, and is a look: it comes again from `get`, when it is its turn."""
        with self._changed:
            self._looks.append((look, order))
            self._changed.notify()

    def get(self) -> tuple[Taken, Order | None] | None:
        """The next, once there is one, with what it says if it was opened: then it is a look, and `looked` is to be
        called after it. None when it is over."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._own or self._pool or self._may_look())
            if self._closed:
                return None
            if self._own or self._pool:
                return (self._own or self._pool).popleft(), None
            self._looking += 1
            return self._looks.popleft()

    def looked(self) -> None:
        with self._changed:
            self._looking -= 1
            self._changed.notify()

    def close(self) -> None:
        """`get` gives nothing more, to anybody."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _may_look(self) -> bool:
        return bool(self._looks) and self._looking < self._most
