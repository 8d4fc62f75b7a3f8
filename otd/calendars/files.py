"""The `files` calendar: a folder of invitations (.ics, .eml) per room, read as a mailbox reads its mail.

What holds is what the newest message about each meeting says, over all files and in whatever order they are read
(otd.formats.itip): an update or a cancellation may simply be put beside the invitation. Nobody answers invitations
here, so putting one into the folder accepts it.

A file that cannot be read keeps the meetings that it last gave, also across a restart, and is reported. One that is
still being written (younger than 200 ms, or ending in .tmp) waits for the next look.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from threading import Event, Lock
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from otd import formats
from otd.calendars import files_booking
from otd.calendars.files_folder import (
    MARKER,
    ChangingError,
    LastGood,
    Listing,
    Stamp,
    content,
    listing,
    shown,
    write_marker,
)
from otd.calendars.files_watch import FilesWatch
from otd.errors import BadSetting, Garbled, OtdError, Unreachable
from otd.formats import Entry
from otd.model import Booked, Complete, Empty, Failed, Meeting, Reading, Room, Window
from otd.ports import Clock

__all__ = ["MARKER", "SETTLED", "FilesCalendar", "FilesWatch", "write_marker"]

SETTLED = timedelta(milliseconds=200)
_LOOKS = 5  # so often a reading waits for files that are being written, then it does without them
_PROBLEMS_LIMIT = 50
_UNREAD = Stamp(-1, -1, -1)  # of a file that could not be opened: it is tried again at every look


@dataclass(frozen=True, slots=True)
class _File:
    """What a file says, under the stamp it had then. `good` are the entries of the last time it was wholly readable."""

    stamp: Stamp
    entries: tuple[Entry, ...]
    good: tuple[Entry, ...]
    problems: tuple[str, ...] = ()


@dataclass(slots=True)
class _Folder:
    """What is known of a room's folder."""

    path: Path
    zone: ZoneInfo
    lock: Lock = field(default_factory=Lock)
    files: dict[str, _File] = field(default_factory=dict)
    copies: LastGood | None = None


class FilesCalendar:
    """See otd.ports.Calendar. `folder` holds the rooms' folders, each named by its room's `mailbox`."""

    def __init__(self, name: str, folder: Path, *, clock: Clock) -> None:
        self.name = name
        self._base = folder
        self._clock = clock
        self._lock = Lock()
        self._folders: dict[tuple[str, str], _Folder] = {}
        self._closing = Event()

    def folder(self, room: Room) -> Path:
        """The room's folder. Raises BadSetting when its mailbox is not the name of a folder."""
        named = room.mailbox
        if not named or named.startswith(".") or named != os.path.basename(named) or "\\" in named or "\0" in named:
            raise BadSetting(f"room {room.name}", "its mailbox is not the name of a folder", "write the name only")
        return self._base / named

    def book(self, room: Room, meeting: Meeting, *, within: timedelta) -> Booked:
        """See otd.ports.Bookable."""
        return files_booking.book(self.folder(room), meeting)

    def take_back(self, room: Room, booked: Booked, *, within: timedelta) -> None:
        """See otd.ports.Bookable."""
        files_booking.take_back(booked)

    def read(self, room: Room, window: Window, *, within: timedelta) -> Reading:
        """See otd.ports.Calendar."""
        taken_at = self._clock.now()
        try:
            meetings, problems = self._read(room, window, time.monotonic() + within.total_seconds())
        except OtdError as error:
            return Failed(room=room.name, taken_at=taken_at, error=error)
        if not meetings:
            return Empty(room=room.name, window=window, taken_at=taken_at, problems=problems)
        return Complete(room=room.name, window=window, taken_at=taken_at, meetings=meetings, problems=problems)

    def close(self) -> None:
        """Readings that wait for a file to be written go on without it."""
        self._closing.set()

    def _read(self, room: Room, window: Window, deadline: float) -> tuple[tuple[Meeting, ...], tuple[str, ...]]:
        known = self._known(room)
        if not known.lock.acquire(timeout=max(0.0, deadline - time.monotonic())):
            raise _too_slow(known)
        try:
            found, waiting = self._look(known, deadline)
            problems = [*found.problems, *(f"{shown(name)}: is being written; it waits" for name in sorted(waiting))]
            problems += [problem for name in sorted(known.files) for problem in known.files[name].problems]
            if known.copies is not None and not known.copies.reliable and known.files:
                problems.append("no copies can be kept in the folder: after a restart a spoiled file fails the reading")
            entries = [entry for name in sorted(known.files) for entry in known.files[name].entries]
        finally:
            known.lock.release()
        meetings, wrong = formats.occurrences(entries, window)
        return meetings, _few([*problems, *wrong])

    def _known(self, room: Room) -> _Folder:
        path = self.folder(room)
        with self._lock:
            known = self._folders.get((room.mailbox, room.timezone))
            if known is None:
                known = self._folders[(room.mailbox, room.timezone)] = _Folder(path, _zone(room))
        return known

    def _look(self, known: _Folder, deadline: float) -> tuple[Listing, set[str]]:
        """Bring what is known up to date; wait a little for files that are being written. What there is, what waits."""
        for look in range(_LOOKS):
            found = _listed(known, deadline)
            waiting = _update(known, found.files, deadline)
            left = deadline - time.monotonic()
            if not waiting or look == _LOOKS - 1 or left < 2 * SETTLED.total_seconds():
                break
            if self._closing.wait(SETTLED.total_seconds()):
                break
        return found, waiting


def _zone(room: Room) -> ZoneInfo:
    try:
        return ZoneInfo(room.timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        mend = 'use an IANA name such as "Europe/Oslo"'
        raise BadSetting(f"room {room.name}", "its time zone has a name that nobody knows", mend) from None


def _listed(known: _Folder, deadline: float) -> Listing:
    if time.monotonic() >= deadline:
        raise _too_slow(known)
    found = listing(known.path)
    if known.copies is None:
        known.copies = LastGood(known.path)
    if not known.files or known.files.keys() - found.files.keys():
        known.copies.keep_only(set(found.files))
    for name in known.files.keys() - found.files.keys():
        del known.files[name]
    return found


def _update(known: _Folder, files: dict[str, Stamp], deadline: float) -> set[str]:
    """Read what is new or changed. The names of files that somebody is still writing."""
    waiting: set[str] = set()
    now = time.time_ns()
    for name, stamp in files.items():
        before = known.files.get(name)
        if before is not None and before.stamp == stamp:
            continue
        if time.monotonic() >= deadline:
            raise _too_slow(known)
        try:
            if abs(now - stamp.modified) < SETTLED.total_seconds() * 1e9:
                raise ChangingError
            known.files[name] = _file(known, name, stamp)
        except (ChangingError, FileNotFoundError):
            waiting.add(name)
            if before is None and (good := _copied(known, name)):
                known.files[name] = _File(_UNREAD, good, good)
    return waiting


def _file(known: _Folder, name: str, stamp: Stamp) -> _File:
    """What the file says now; with what it said when it was last good, where it cannot be read."""
    said: tuple[Entry, ...] = ()
    try:
        data = content(known.path, name, stamp)
        document = _parsed(known, name, data)
        problems = [f"{shown(name)}: {note}" for note in document.notes]
        said = document.entries
        if not document.lost:
            if known.copies is not None:
                known.copies.put(name, data, stamp)
            return _File(stamp, said, said, tuple(problems))
    except (ChangingError, FileNotFoundError):
        raise
    except Garbled as error:
        problems = [f"{shown(name)}: {error.why}"]
    except OSError as error:
        problems = [f"{shown(name)}: cannot be read: {error.strerror or 'no answer'}"]
        stamp = _UNREAD
    good = _good(known, name)
    uids = {entry.meeting.uid for entry in said}
    kept = tuple(entry for entry in good if entry.meeting.uid not in uids)
    if kept:
        problems.append(f"{shown(name)}: what it said when it was last good still counts")
    return _File(stamp, (*said, *kept), good, tuple(problems))


def _parsed(known: _Folder, name: str, data: bytes) -> formats.Document:
    """Raises Garbled when the file breaks off or holds no meeting with a time."""
    document = formats.parse(data, name, known.zone)
    if not document.whole:
        raise Garbled(name, "it breaks off in the middle")
    if any(not entry.dated and not entry.meeting.cancelled for entry in document.entries):
        raise Garbled(name, "it holds no calendar part")
    return replace(document, entries=tuple(_accepted(entry, name) for entry in document.entries))


def _accepted(entry: Entry, source: str) -> Entry:
    meeting = entry.meeting
    if meeting.response == "unanswered":
        meeting = replace(meeting, response="accepted")
    return replace(entry, meeting=meeting, source=source)


def _good(known: _Folder, name: str) -> tuple[Entry, ...]:
    """What the file said when it was last good. Raises Garbled when there is no telling whether it ever was."""
    before = known.files.get(name)
    found = before.good if before is not None else _copied(known, name)
    if found is not None:
        return found
    if known.copies is not None and known.copies.reliable and known.copies.get(name) is None:
        return ()
    why = f"{shown(name)} cannot be read, and no copy tells what it said before"
    raise Garbled(str(known.path), why, "mend that file or take it away; let OTD write in the folder")


def _copied(known: _Folder, name: str) -> tuple[Entry, ...] | None:
    """What the copy of the file says, None when there is none that can be read."""
    copy = known.copies.get(name) if known.copies is not None else None
    try:
        return _parsed(known, name, copy).entries if copy is not None else None
    except Garbled:
        return None


def _too_slow(known: _Folder) -> OtdError:
    return Unreachable(str(known.path), "it could not be read in the time that there was")


def _few(problems: Iterable[str]) -> tuple[str, ...]:
    found = list(dict.fromkeys(problems))
    more = len(found) - _PROBLEMS_LIMIT
    return tuple(found) if more <= 0 else (*found[:_PROBLEMS_LIMIT], f"and {more} more")
