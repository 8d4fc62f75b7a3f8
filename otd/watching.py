"""Watching Exchange Servers for changes: hints for rooms to be read at once, from connections that stay open.

Whatever is lost costs time and nothing else, since rooms are refreshed all the same. A connection that fails is made
again after a while, longer each time, and says so once when it fails and once when it works again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Protocol

import structlog

from otd.errors import OtdError
from otd.executor import backoff
from otd.model import Room
from otd.ports import Store

log = structlog.get_logger(__name__)


class Stream(Protocol):
    """One connection that names rooms in which something happened."""

    def follow(self, told: Callable[[str], None]) -> None:
        """Returns when the other side ends it. Raises OtdError."""
        ...

    def close(self) -> None: ...


class Watching:
    """One thread for each stream, until stopped."""

    def __init__(self, store: Store, streams: Mapping[str, Callable[[], Stream]]) -> None:
        """`streams` make a connection, by a name for the log."""
        self._store, self._streams = store, streams
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(target=self._keep, args=(name, make), name=f"otd-stream-{name}", daemon=True)
            for name, make in streams.items()
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Hint nothing more. The connections end with the process: nobody waits for what they would still say."""
        self._stopping.set()

    def _keep(self, name: str, make: Callable[[], Stream]) -> None:
        failures = 0
        while not self._stopping.is_set():
            stream = make()
            try:
                stream.follow(self._told)
                if failures:
                    log.info("notifications come again", stream=name)
                failures = 0
            except OtdError as error:
                if not failures:
                    log.warning(
                        "notifications do not come", stream=name, code=error.code, why=error.why, mend=error.mend
                    )
                failures += 1
            finally:
                stream.close()
            if failures:
                self._stopping.wait(backoff(failures).total_seconds())

    def _told(self, room: str) -> None:
        if not self._stopping.is_set():
            self._store.hint("refresh", room)


def groups(rooms: Sequence[Room], size: int, most: int) -> Iterator[tuple[Room, ...]]:
    """Rooms in groups of one connection each, at most so many; what is left over has no notifications."""
    for begin in range(0, min(len(rooms), size * most), size):
        yield tuple(rooms[begin : begin + size])
