"""What a simulated codec was asked for, kept in memory so that a test can count it."""

from __future__ import annotations

import itertools
import threading
import time
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Logged:
    """One request; over a WebSocket one JSON-RPC call (method "WS", path "/ws", the call's method in `commands`)."""

    method: str
    path: str
    query: str = ""
    user: str = ""  # the name that was given, whether the password was right or not
    cookie: bool = False  # signed in with a session and not with a password
    status: int = 0  # 0 until it was answered; over a WebSocket 200, or the error's code
    commands: tuple[str, ...] = ()
    ids: tuple[str, ...] | None = None  # of the list that it put, None when it put none
    at: datetime = field(default_factory=lambda: datetime.now(UTC))
    moment: float = field(default_factory=time.monotonic)  # seconds on the monotonic clock


class Log:
    """Requests in the order in which they arrived."""

    def __init__(self, changed: threading.Condition) -> None:
        self._changed = changed
        self._entries: dict[int, Logged] = {}
        self._numbers = itertools.count()
        self._open = 0
        self.most_at_once = 0  # requests that were being answered at the same time

    @property
    def entries(self) -> tuple[Logged, ...]:
        with self._changed:
            return tuple(self._entries.values())

    def arrived(self, entry: Logged) -> int:
        """Note a request; returns the number under which `answered` finds it."""
        with self._changed:
            number = next(self._numbers)
            self._entries[number] = entry
            self._open += 1
            self.most_at_once = max(self.most_at_once, self._open)
            self._changed.notify_all()
            return number

    def answered(
        self, entry: int, *, status: int = 0, ids: tuple[str, ...] | None = None, commands: tuple[str, ...] = ()
    ) -> None:
        with self._changed:
            if entry in self._entries:
                self._entries[entry] = replace(self._entries[entry], status=status, ids=ids, commands=commands)
            self._open -= 1
            self._changed.notify_all()

    def clear(self) -> None:
        """Forget what was asked so far."""
        with self._changed:
            self._entries.clear()
            self.most_at_once = self._open
