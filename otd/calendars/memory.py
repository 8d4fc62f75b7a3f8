"""A calendar that lives in memory: for tests, and to try things out."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from threading import Lock

from otd.errors import Missing, OtdError, Unreachable
from otd.model import Complete, Empty, Failed, Meeting, Reading, Room, Window
from otd.ports import Clock


class MemoryCalendar:
    """What `put` laid into its mailboxes, or the error that `fail` prepared."""

    def __init__(self, name: str, *, clock: Clock, mailboxes: Mapping[str, tuple[Meeting, ...]] | None = None) -> None:
        self.name = name
        self._clock = clock
        self._lock = Lock()
        self._mailboxes = dict(mailboxes or {})
        self._errors: dict[str, OtdError] = {}

    def put(self, mailbox: str, *meetings: Meeting) -> None:
        """From now on the mailbox holds exactly these meetings; none makes it an empty mailbox."""
        with self._lock:
            self._mailboxes[mailbox] = meetings

    def fail(self, error: OtdError, *, mailbox: str = "") -> None:
        """Every read of the mailbox (of all of them, when none is named) fails so, until `heal`."""
        with self._lock:
            self._errors[mailbox] = error

    def heal(self) -> None:
        """Nothing fails any more."""
        with self._lock:
            self._errors.clear()

    def read(self, room: Room, window: Window, *, within: timedelta) -> Reading:
        """See otd.ports.Calendar."""
        taken_at = self._clock.now()
        with self._lock:
            error = self._errors.get(room.mailbox) or self._errors.get("")
            held = self._mailboxes.get(room.mailbox)
        if error is None and within <= timedelta(0):
            error = Unreachable(self.name, "there was no time left to read it")
        if error is None and held is None:
            error = Missing(self.name, f"there is no mailbox {room.mailbox}", "correct the room's mailbox")
        if error is not None:
            return Failed(room=room.name, taken_at=taken_at, error=error)
        meetings = tuple(m for m in held or () if m.kind != "series" and window.overlaps(m.start, m.end))
        if not meetings:
            return Empty(room=room.name, window=window, taken_at=taken_at)
        return Complete(room=room.name, window=window, taken_at=taken_at, meetings=meetings)

    def close(self) -> None:
        """Nothing to give back."""
