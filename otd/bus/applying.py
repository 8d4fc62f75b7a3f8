"""A few threads that apply what relays say, while one takes it from the broker."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import Generic, TypeVar
from zlib import crc32

T = TypeVar("T")


class Appliers(Generic[T]):
    """`put` hands something to one of the threads, always to the same one for the same thing that it is about."""

    def __init__(self, apply: Callable[[T], None], *, name: str, threads: int) -> None:
        """`apply` must not raise."""
        self._apply = apply
        self._closing = threading.Event()
        self._queues: list[queue.SimpleQueue[T | None]] = [queue.SimpleQueue() for _ in range(threads)]
        self._threads = [
            threading.Thread(target=self._run, args=(its,), name=f"otd-{name}-apply-{number}", daemon=True)
            for number, its in enumerate(self._queues)
        ]
        for thread in self._threads:
            thread.start()

    def put(self, thing: str, what: T) -> None:
        self._queues[crc32(thing.encode()) % len(self._queues)].put(what)

    def close(self) -> None:
        """Returns when what was begun is done; the rest is left."""
        self._closing.set()
        for its in self._queues:
            its.put(None)
        for thread in self._threads:
            thread.join()

    def _run(self, its: queue.SimpleQueue[T | None]) -> None:
        while (what := its.get()) is not None and not self._closing.is_set():
            self._apply(what)
