"""One request at a time to each mailbox: Exchange Online allows four, but they do not get faster by it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

from otd.errors import Unreachable
from otd.outbound import Deadline


class Turns:
    """Who is at which mailbox; safe from several threads."""

    def __init__(self, where: str) -> None:
        self._where = where
        self._lock = Lock()
        self._waiting: dict[str, tuple[Lock, int]] = {}  # by mailbox: its lock, and how many have or want it

    @contextmanager
    def of(self, mailbox: str, deadline: Deadline) -> Iterator[None]:
        """Have this mailbox alone. Raises Unreachable when another call has it until the deadline."""
        key = mailbox.casefold()
        with self._lock:
            turn, count = self._waiting.get(key, (Lock(), 0))
            self._waiting[key] = (turn, count + 1)
        try:
            if not turn.acquire(timeout=deadline.remaining()):
                raise Unreachable(f"{self._where} {mailbox}", "it was being read by another call all the time")
            try:
                yield
            finally:
                turn.release()
        finally:
            with self._lock:
                turn, count = self._waiting[key]
                if count == 1:
                    del self._waiting[key]
                else:
                    self._waiting[key] = (turn, count - 1)
