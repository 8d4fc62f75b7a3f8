"""A room's folder of invitations: its marker, what lies in it, and the last good copy of every file.

The marker proves that the folder is the one that was meant, and that it is there: an empty mount point or a folder that
somebody made by mistake has none. What a file last said when it could be read is kept in a folder beside the marker, so
that a file that is spoiled while OTD does not run keeps its meetings too.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Set
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from otd.errors import Denied, Garbled, Missing, OtdError, Truncated, Unreachable
from otd.formats import SIZE_LIMIT

MARKER = ".otd-calendar"
KEPT = ".otd-last-good"
ENDINGS = (".ics", ".eml")
FILES_LIMIT = 20_000  # in one room's folder

_MARKER_TEXT = """This folder is the calendar of a room of One Touch Dial (OTD).

Invitations (.ics, .eml) that are put here show on the room's endpoints; one that is deleted is gone there. OTD reads
the folder only as long as this file is in it: a folder without it counts as unreadable, not as empty.
"""
_OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC  # a pipe with the name of a file blocks nobody
_WRITE = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC


class Stamp(NamedTuple):
    """What tells a changed file from an unchanged one."""

    modified: int  # nanoseconds since 1970
    size: int
    inode: int


class Listing(NamedTuple):
    """The invitations in a folder by name, and what lies there but cannot be one."""

    files: dict[str, Stamp]
    problems: tuple[str, ...]


class ChangingError(OSError):
    """The file is another one than was listed: somebody is at work on it."""


def write_marker(folder: Path) -> None:
    """Make the folder, if need be, and put the marker in it. One that is there already stays as it is."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with open(folder / MARKER, "x", encoding="utf-8") as file:
            file.write(_MARKER_TEXT)
    except FileExistsError:
        return


def listing(folder: Path, most: int = FILES_LIMIT) -> Listing:
    """The invitations in it. Raises an OtdError when the folder, or its marker, is not there or cannot be read."""
    files: dict[str, Stamp] = {}
    problems: list[str] = []
    marked = False
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                marked = marked or (entry.name == MARKER and entry.is_file())
                if entry.name.startswith(".") or not entry.name.lower().endswith(ENDINGS):
                    continue
                found = _stamp(folder, entry)
                if isinstance(found, Stamp):
                    files[entry.name] = found
                elif found:
                    problems.append(f"{shown(entry.name)}: {found}")
                if len(files) > most:
                    raise Truncated(str(folder), f"it holds more than {most} files", "move old ones elsewhere")
    except OSError as error:
        raise folder_error(folder, error) from error
    if not marked:
        why = f"it has no file {MARKER}, so it may not be the room's folder"
        raise Missing(str(folder), why, "if it is, run `otd rooms import` again, which writes that file")
    return Listing(files, tuple(sorted(problems)))


def folder_error(folder: Path, error: OSError) -> OtdError:
    """What an operating system's error about the folder means."""
    if isinstance(error, PermissionError):
        return Denied(str(folder), "it may not be read", "give the user that OTD runs as the right to read it")
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return Missing(str(folder), "there is no such folder", "run `otd rooms import`, which makes it")
    return Unreachable(str(folder), f"it cannot be read: {error.strerror or 'no answer'}")


def content(folder: Path, name: str, expected: Stamp) -> bytes:
    """The file's bytes. Raises ChangingError when it is not the listed one from beginning to end, Garbled when it is
    too large, OSError when it cannot be read."""
    if expected.size > SIZE_LIMIT:
        raise Garbled(shown(name), f"is larger than {SIZE_LIMIT // 2**20} MiB", "save the invitation alone as .ics")
    path = os.path.realpath(folder / name) if (folder / name).is_symlink() else folder / name
    descriptor = os.open(path, _OPEN)
    with open(descriptor, "rb") as file:
        before = _of(os.fstat(descriptor))
        data = file.read(expected.size + 1)
        if not before == _of(os.fstat(descriptor)) == expected or len(data) != expected.size:
            raise ChangingError
    return data


def shown(name: str) -> str:
    """A file's name for a message: on one line, in characters that can be written down."""
    plain = name.encode("utf-8", "replace").decode()
    return "".join(letter if letter.isprintable() else "?" for letter in plain)[:120]


def _stamp(folder: Path, entry: os.DirEntry[str]) -> Stamp | str:
    """What the file is now; or why it is none, "" when it has just gone."""
    try:
        if entry.is_symlink() and not _leads_inside(folder, entry.path):
            return "is a link that leaves the folder; it is not followed"
        found = entry.stat()
    except FileNotFoundError:
        return "is a link to nothing" if entry.is_symlink() else ""
    except OSError as error:
        return f"cannot be looked at: {error.strerror or 'no answer'}"
    return _of(found) if stat.S_ISREG(found.st_mode) else "is not a file"


def _leads_inside(folder: Path, link: str) -> bool:
    home = os.path.realpath(folder)
    return os.path.commonpath((home, os.path.realpath(link))) == home


def _of(found: os.stat_result) -> Stamp:
    return Stamp(found.st_mtime_ns, found.st_size, found.st_ino)


class LastGood:
    """Copies of a folder's files as they were when they could last be read, in a folder beside the marker.

    `reliable` is False once a copy could not be written: then a missing copy proves nothing. Nothing is done through a
    link that somebody put in the place of the folder.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder / KEPT
        self.reliable = True
        try:
            self._folder.mkdir(mode=0o700, exist_ok=True)
            with self._opened():
                self.reliable = os.access(self._folder, os.W_OK | os.X_OK)
        except OSError:
            self.reliable = False

    def get(self, name: str) -> bytes | None:
        """The copy, None when there is none."""
        try:
            with self._opened() as here, open(os.open(name, _OPEN, dir_fd=here), "rb") as file:
                return file.read(SIZE_LIMIT + 1)
        except OSError:
            return None

    def put(self, name: str, data: bytes, stamp: Stamp) -> None:
        """Keep it, unless the copy that is there is of the same file."""
        draft = ".draft"
        try:
            with self._opened() as here:
                if self._is_kept(here, name, stamp):
                    return
                with open(os.open(draft, _WRITE, 0o600, dir_fd=here), "wb") as file:
                    file.write(data)
                os.utime(draft, ns=(stamp.modified, stamp.modified), dir_fd=here)
                os.replace(draft, name, src_dir_fd=here, dst_dir_fd=here)
        except OSError:
            self.reliable = False

    def keep_only(self, names: Set[str]) -> None:
        """Drop the copies of all other files: whoever deletes an invitation wants it gone."""
        try:
            with self._opened() as here:
                for name in os.listdir(here):
                    if name not in names:
                        os.unlink(name, dir_fd=here)
        except OSError:
            return

    @contextmanager
    def _opened(self) -> Iterator[int]:
        here = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            yield here
        finally:
            os.close(here)

    @staticmethod
    def _is_kept(here: int, name: str, stamp: Stamp) -> bool:
        try:
            there = os.stat(name, dir_fd=here, follow_symlinks=False)
        except FileNotFoundError:
            return False
        return (there.st_mtime_ns, there.st_size) == (stamp.modified, stamp.size)
