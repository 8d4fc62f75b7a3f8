"""Exchange Server through Exchange Web Services: look at the window, then fetch what is new or changed in it.

The look (FindItem with a CalendarView) gives ids, change keys and times. A view that is full is not a complete one: it
is repeated in halves. What an earlier reading gave under the same change key is kept; the rest is fetched (GetItem).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta, tzinfo
from typing import Any

from lxml import etree

from otd.calendars.access import EwsAccess
from otd.calendars.ews_errors import FullViewError, translated
from otd.calendars.ews_lines import Line, Lines
from otd.calendars.ews_soap import FindItem, GetItem, find_payload, get_payload
from otd.calendars.ews_transport import TooLargeError
from otd.calendars.memo import Memo
from otd.calendars.owners import Owners
from otd.calendars.zone import zone_of
from otd.errors import Garbled, OtdError, Truncated, Unreachable
from otd.formats.ews_item import TYPES, is_draft, key_of, meeting
from otd.model import Complete, Empty, Failed, Meeting, Reading, Room, Window
from otd.outbound import Deadline
from otd.ports import Clock, Secrets

LOOKS = 32  # of one read, before a calendar that never fits is given up
SHORTEST = timedelta(minutes=1)

Found = dict[str, "_Seen"]  # by id


@dataclass(frozen=True, slots=True)
class _Seen:
    """What a look tells of an item."""

    change_key: str
    start: str
    end: str


@dataclass(frozen=True, slots=True)
class _Kept:
    """A meeting, and what the look told of it when it was fetched."""

    seen: _Seen
    meeting: Meeting | None  # None for a draft


@dataclass(slots=True)
class _Tally:
    """How many requests a reading took; each counts against the calendar's budget."""

    requests: int = 0


class EwsCalendar:
    """Room mailboxes on an Exchange Server."""

    def __init__(self, name: str, access: EwsAccess, *, secrets: Secrets, clock: Clock) -> None:
        self.name = name
        self._access, self._clock = access, clock
        self._lines = Lines(access, secrets=secrets, clock=clock, where=name)
        self._memo: Memo[dict[str, _Kept]] = Memo()
        self._owners = Owners()

    def read(self, room: Room, window: Window, *, within: timedelta) -> Reading:
        """See otd.ports.Calendar."""
        taken_at, where, tally = self._clock.now(), f"{self.name}: {room.mailbox}", _Tally()
        try:
            found = self._meetings(room, window, where, Deadline.after(within), tally)
        except OtdError as error:
            error.requests = tally.requests
            return Failed(room=room.name, taken_at=taken_at, error=error)
        except TimeoutError:
            late = Unreachable(where, f"no whole answer within {within.total_seconds():g} s")
            late.requests = tally.requests
            return Failed(room=room.name, taken_at=taken_at, error=late)
        meetings = tuple(m for m in found if window.overlaps(m.start, m.end))
        if not meetings:
            return Empty(room=room.name, window=window, taken_at=taken_at, requests=tally.requests)
        return Complete(room=room.name, window=window, taken_at=taken_at, meetings=meetings, requests=tally.requests)

    def close(self) -> None:
        """Give the connections back."""
        self._memo.clear()
        self._lines.close()

    def _meetings(self, room: Room, window: Window, where: str, deadline: Deadline, tally: _Tally) -> Iterator[Meeting]:
        """All that the server gives for the window, or for a little more. Raises OtdError and TimeoutError."""
        zone, key = zone_of(room), (room.mailbox, room.timezone)
        kept = self._memo.get(key) or {}
        with self._lines.one(deadline, where) as line:
            call = _Call(line, room.mailbox, where, deadline, self._access, tally)
            seen = call.look(window)
            new = [i for i, one in seen.items() if i not in kept or kept[i].seen != one]
            items = call.fetch([(i, seen[i].change_key) for i in new])
        made = {i: _Kept(seen[i], _as_meeting(items[i], zone, where)) for i in new}
        now = {i: made[i] if i in made else kept[i] for i in seen}
        if made or len(now) != len(kept):
            self._owners.claim(room.mailbox, now, where)
            self._memo.put(key, now, sum(_size(one.meeting) for one in now.values()))
        return (one.meeting for one in now.values() if one.meeting is not None)


@dataclass(frozen=True, slots=True)
class _Call:
    """One reading of one mailbox over one line."""

    line: Line
    mailbox: str
    where: str
    deadline: Deadline
    access: EwsAccess
    tally: _Tally

    def look(self, window: Window) -> Found:
        """Everything that overlaps the window. Raises Truncated when the server does not show it all, however little
        is asked at once."""
        found: Found = {}
        waiting = [window]
        for _ in range(LOOKS):
            if not waiting:
                return found
            part = waiting.pop()
            seen = self._seen(part)
            if seen is None:
                waiting += _halves(part, self.where)
                continue
            for identity, one in seen.items():
                if found.setdefault(identity, one) != one:
                    raise Truncated(self.where, "the mailbox changed while it was read")
        if waiting:
            raise Truncated(self.where, f"the server did not show the whole window in {LOOKS} looks")
        return found

    def _seen(self, window: Window) -> Found | None:
        """None when the view does not hold all of the window."""
        try:
            (root,) = self._ask(FindItem, find_payload(self.mailbox, window, self.access.view_size))
        except FullViewError:
            return None
        except ValueError:
            raise Garbled(self.where, "the answer does not hold one view of the calendar") from None
        items = root.find(f"{{{TYPES}}}Items")
        listed: Sequence[etree._Element] = () if items is None else items
        if not _is_whole(root, len(listed), self.access.view_size):
            return None
        return dict(self._key(item) for item in listed)

    def _key(self, item: etree._Element) -> tuple[str, _Seen]:
        try:
            identity, change_key = key_of(item)
        except ValueError as error:
            raise Garbled(self.where, str(error)) from error
        start, end = (item.findtext(f"{{{TYPES}}}{name}") or "" for name in ("Start", "End"))
        return identity, _Seen(change_key, start, end)

    def fetch(self, keys: Sequence[tuple[str, str]]) -> dict[str, etree._Element]:
        """These items, by id. Raises OtdError when one of them cannot be had."""
        found: dict[str, etree._Element] = {}
        for begin in range(0, len(keys), self.access.chunk):
            found |= self._fetched(keys[begin : begin + self.access.chunk])
        return found

    def _fetched(self, keys: Sequence[tuple[str, str]]) -> dict[str, etree._Element]:
        try:
            items = self._ask(GetItem, get_payload(keys))
        except TooLargeError:
            if len(keys) == 1:
                raise
            middle = len(keys) // 2
            return self._fetched(keys[:middle]) | self._fetched(keys[middle:])
        found = {}
        for item in items:
            if isinstance(item, Exception):
                raise translated(item, where=self.where)
            if not isinstance(item, etree._Element) or item.tag != f"{{{TYPES}}}CalendarItem":
                raise Garbled(self.where, "the answer holds something that is no calendar item")
            found[key_of(item)[0]] = item
        if found.keys() != {identity for identity, _ in keys}:
            raise Truncated(self.where, "the server did not give all the items that it was asked for")
        return found

    def _ask(self, service: type[Any], payload: etree._Element) -> list[Any]:
        self.tally.requests += 1
        return self.line.ask(service, payload, mailbox=self.mailbox, where=self.where, deadline=self.deadline)


def _is_whole(root: etree._Element, count: int, limit: int) -> bool:
    """Whether a view holds all there is: it says so, and neither the count nor the limit speaks against it."""
    stated = root.get("TotalItemsInView", "")
    total = int(stated) if stated.isascii() and stated.isdigit() else count
    return root.get("IncludesLastItemInRange", "").lower() in ("true", "1") and total <= count < limit


def _halves(window: Window, where: str) -> list[Window]:
    if window.end - window.start <= SHORTEST:
        raise Truncated(where, f"the server does not show all meetings of {SHORTEST.total_seconds():g} s at once")
    middle = window.start + (window.end - window.start) / 2
    return [Window(start=middle, end=window.end), Window(start=window.start, end=middle)]


def _as_meeting(item: etree._Element, zone: tzinfo, where: str) -> Meeting | None:
    try:
        if is_draft(item):
            return None
        return meeting(item, zone)
    except ValueError as error:
        raise Garbled(where, str(error)) from error


def _size(meeting: Meeting | None) -> int:
    """About what it takes to keep."""
    return 1000 + (len(meeting.body) if meeting else 0)
