"""A copy of the log in a file that does not grow for ever: a JSON object a line, without what is private."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, MutableMapping
from pathlib import Path
from threading import Lock
from typing import Any

LARGEST = 1024 * 1024  # bytes of one file
FILES = 5  # the one that is written, and older ones: relay.log.1 is the newest of them


class LogFile:
    """A processor of structlog that writes each event and hands it on. A full disk is no reason to stop."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = Lock()
        path.parent.mkdir(parents=True, exist_ok=True)

    def __call__(self, _: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        line = json.dumps(dict(event), default=str).encode() + b"\n"
        with self._lock:
            try:
                handle = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
                try:
                    os.write(handle, line)
                    size = os.fstat(handle).st_size
                finally:
                    os.close(handle)
                if size > LARGEST:
                    self._turn_over()
            except OSError:
                pass
        return event

    def _turn_over(self) -> None:
        for number in range(FILES - 1, 0, -1):
            older = self._path if number == 1 else numbered(self._path, number - 1)
            if older.exists():
                older.replace(numbered(self._path, number))


def numbered(path: Path, number: int) -> Path:
    """The name of an older file."""
    return path.with_name(f"{path.name}.{number}")


def events(path: Path) -> Iterator[dict[str, Any]]:
    """What was logged, the oldest first. Lines that cannot be read are passed over."""
    for file in (*(numbered(path, number) for number in range(FILES - 1, 0, -1)), path):
        try:
            lines = file.read_text("utf-8", errors="replace").splitlines()
        except OSError:
            continue
        for line in lines:
            try:
                found = json.loads(line)
            except ValueError:
                continue
            if isinstance(found, dict):
                yield found
