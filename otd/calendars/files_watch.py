"""Tells which rooms' folders changed, by looking at them over and over: that works on every kind of file system."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from threading import Event, Thread

from otd.calendars.files_folder import ENDINGS, MARKER
from otd.errors import OtdError

EVERY = timedelta(milliseconds=250)
SETTLED = timedelta(milliseconds=200)  # a folder that goes on changing is reported when it has been still so long,
LATEST = timedelta(seconds=2)  # or after this at the latest
_SHARE = 20  # of the time one part in so many goes into looking,
_LONGEST_PAUSE = 2.0  # seconds; more than that where there are so many files that a change would wait longer

Look = tuple[tuple[str, int, int, int], ...]


@dataclass(slots=True)
class _Watched:
    folder: Path
    look: Look
    changed: float = 0.0  # when it last changed
    since: float | None = None  # when the first change that is not reported was seen


class FilesWatch:
    """Calls `changed` with the name of each room whose folder changed, within a second as a rule, in its own thread.

    It is a hint to read the room, nothing more: a change while nobody watches is found by the next regular reading.
    An OtdError of `changed` is swallowed, and the room reported again with the next look.
    """

    def __init__(
        self, folders: Mapping[str, Path], changed: Callable[[str], None], *, every: timedelta = EVERY
    ) -> None:
        self._folders = dict(folders)
        self._changed = changed
        self._every = every.total_seconds()
        self._stop = Event()
        self._thread = Thread(target=self._run, name="files-watch", daemon=True)
        self._rooms: dict[str, _Watched] = {}

    def start(self) -> None:
        """From here on: what is there now counts as known."""
        self._rooms = {room: _Watched(folder, _look(folder)) for room, folder in self._folders.items()}
        self._thread.start()

    def stop(self, *, within: timedelta = timedelta(seconds=5)) -> None:
        """Look no more."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(within.total_seconds())

    def _run(self) -> None:
        pause = self._every
        while not self._stop.wait(pause):
            looking = 0.0
            for room, watched in self._rooms.items():
                if self._stop.is_set():
                    return
                began = time.monotonic()
                look = _look(watched.folder)
                now = time.monotonic()
                looking += now - began
                self._see(room, watched, look, now)
            pause = max(self._every, min(_SHARE * looking, _LONGEST_PAUSE))

    def _see(self, room: str, watched: _Watched, look: Look, now: float) -> None:
        if look != watched.look:
            watched.look, watched.changed = look, now
            watched.since = now if watched.since is None else watched.since
        if watched.since is None:
            return
        if now - watched.changed >= SETTLED.total_seconds() or now - watched.since >= LATEST.total_seconds():
            try:
                self._changed(room)
            except OtdError:
                return
            watched.since = None


def _look(folder: Path) -> Look:
    """What can be seen of the folder without opening anything; the same as long as nothing changes."""
    found: list[tuple[str, int, int, int]] = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name == MARKER or (entry.name.lower().endswith(ENDINGS) and not entry.name.startswith(".")):
                    found.append((entry.name, *_state(entry)))
    except OSError as error:
        return (("", error.errno or 0, 0, 0),)
    return tuple(sorted(found))


def _state(entry: os.DirEntry[str]) -> tuple[int, int, int]:
    try:
        state = entry.stat()
    except OSError as error:
        return (error.errno or 0, 0, 0)
    return (state.st_mtime_ns, state.st_size, state.st_ino)
