"""What a calendar remembers of each mailbox between two readings, so that an unchanged room costs little.

It is never the truth: whatever is not remembered is read again.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from threading import Lock
from typing import Generic, TypeVar

Kept = TypeVar("Kept")
LIMIT = 256 * 1024 * 1024  # about so many bytes of bodies, for one calendar


class Memo(Generic[Kept]):
    """The most recently used entries up to a total size; safe from several threads."""

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._size = 0
        self._kept: OrderedDict[Hashable, tuple[int, Kept]] = OrderedDict()
        self._lock = Lock()

    def get(self, key: Hashable) -> Kept | None:
        with self._lock:
            found = self._kept.get(key)
            if found is None:
                return None
            self._kept.move_to_end(key)
            return found[1]

    def put(self, key: Hashable, kept: Kept, size: int) -> None:
        """Remember it in place of what was; the least recently used make room. Larger than all: nothing is kept."""
        with self._lock:
            self._size -= self._kept.pop(key, (0, None))[0]
            if size > self._limit:
                return
            self._kept[key] = (size, kept)
            self._size += size
            while self._size > self._limit:
                self._size -= self._kept.popitem(last=False)[1][0]

    def clear(self) -> None:
        with self._lock:
            self._kept.clear()
            self._size = 0

    @property
    def size(self) -> int:
        return self._size
