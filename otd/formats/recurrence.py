"""From a series and its exceptions to the occurrences in a window, through recurring-ical-events.

The library works on the wall clock of the series' own zone, without zones: a meeting at nine is at nine on both sides
of a change to summer time. Zones come back in at the end. Every series is expanded by itself, so that a bad one spoils
nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta, tzinfo
from typing import Any, NamedTuple

from otd.formats.document import Entry, Recurrence, Standing, utc
from otd.formats.rules import RefusedError, brought_near, fit
from otd.model import Meeting, Window

OCCURRENCE_LIMIT = 2_000  # of one series in one window
_INDEX = "X-OTD-ENTRY"
_LONGEST = timedelta(days=366)  # that an occurrence may last, or be moved together with those that follow it
_MARGIN = 2 * _LONGEST + timedelta(days=7)  # what is further before the window cannot reach into it
_DAY = timedelta(days=1)
_LIBRARY_ERRORS = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError)


class Expanded(NamedTuple):
    """The meetings in a window, soonest first, and what is wrong with series that were not followed as written."""

    meetings: tuple[Meeting, ...]
    problems: tuple[str, ...] = ()


def occurrences(standing: Standing, window: Window) -> Expanded:
    """What of one uid overlaps the window: kinds single, occurrence and exception, cancelled ones too."""
    master = standing.master
    if master is None or (master.recurrence is None and not standing.exceptions):
        alone = (master, *standing.exceptions) if master else standing.exceptions
        return _within((entry.meeting for entry in alone), window, ())
    series = _Series(master, standing.exceptions)
    try:
        return _within(series.between(window), window, series.problems)
    except _LIBRARY_ERRORS:
        known = (_first(master), *(entry.meeting for entry in standing.exceptions))
        return _within(known, window, ("a series cannot be followed; only what is stated by itself is shown",))


def taking_place(master: Entry, instants: Iterable[datetime]) -> frozenset[datetime]:
    """Those of the instants at which the series by itself has an occurrence."""
    series = _Series(master, ())
    try:
        return frozenset(instant for instant in instants if series.starts_at(instant))
    except _LIBRARY_ERRORS:
        return frozenset()


class _Series:
    """A series as recurring-ical-events wants it."""

    def __init__(self, master: Entry, exceptions: tuple[Entry, ...]) -> None:
        self._entries = (master, *exceptions)
        self._plan = master.recurrence or Recurrence(start=master.meeting.start, end=master.meeting.end)
        self._zone = self._plan.start.tzinfo
        self.problems: tuple[str, ...] = ()
        self._rules = tuple(self._fitted())

    def between(self, window: Window) -> list[Meeting]:
        """Meetings that overlap the window, and perhaps some beside it."""
        start, end = self._wall(window.start) - _DAY, self._wall(window.end) + _DAY
        found = self._query(start).between(start, end)
        return [self._meeting(component) for component in found[: 2 * OCCURRENCE_LIMIT]]

    def starts_at(self, instant: datetime) -> bool:
        """Whether an occurrence starts just then."""
        wall = self._wall(instant)
        return any(one["DTSTART"].dt == wall for one in self._query(wall).between(wall, wall + timedelta(seconds=1)))

    def _fitted(self) -> Iterable[str]:
        if self._plan.end - self._plan.start > _LONGEST and self._plan.rules:
            self.problems = ("a series was not followed: its meetings last longer than a year",)
            return
        for rule in self._plan.rules:
            try:
                yield fit(rule, self._plan.start)
            except RefusedError as error:
                self.problems = (f"a series has a rule that was not followed: it {error}",)

    def _wall(self, time: datetime) -> datetime:
        return time.astimezone(self._zone).replace(tzinfo=None)

    def _query(self, start: datetime) -> Any:
        from icalendar import Calendar
        from recurring_ical_events import CalendarQuery

        calendar = Calendar()
        calendar.add_component(self._master(start))
        for index in range(1, len(self._entries)):
            calendar.add_component(self._exception(index))
        return CalendarQuery(calendar)

    def _master(self, needed_from: datetime) -> Any:
        from icalendar.prop import vDDDLists, vRecur

        first = self._plan.start.replace(tzinfo=None)
        lasts = self._plan.end.replace(tzinfo=None) - first
        near = brought_near(self._rules, first, needed_from - _MARGIN)
        event = _component(0, near, near + max(lasts, timedelta(0)))
        if self._rules:
            event["RRULE"] = [vRecur.from_ical(rule) for rule in self._rules]
        if self._plan.added:
            event["RDATE"] = vDDDLists([self._wall(time) for time in self._plan.added])
        if self._plan.left_out:
            event["EXDATE"] = vDDDLists(
                [self._wall(time) if isinstance(time, datetime) else time for time in self._plan.left_out]
            )
        return event

    def _exception(self, index: int) -> Any:
        from icalendar.prop import vDDDTypes

        entry = self._entries[index]
        event = _component(index, self._wall(entry.meeting.start), self._wall(entry.meeting.end))
        event["RECURRENCE-ID"] = vDDDTypes(self._wall(_original(entry.meeting)))
        if self._moves_all(entry):
            event["RECURRENCE-ID"].params["RANGE"] = "THISANDFUTURE"
        return event

    def _moves_all(self, entry: Entry) -> bool:
        return entry.following and abs(entry.meeting.start - _original(entry.meeting)) < _LONGEST

    def _meeting(self, component: Any) -> Meeting:
        entry = self._entries[int(component[_INDEX])]
        start: datetime = component["DTSTART"].dt
        stated = entry.meeting
        if entry.instance is not None:
            if start == self._wall(stated.start) or not self._moves_all(entry):
                return stated
            moved = self._wall(stated.start) - self._wall(_original(stated))
            return _occurrence(stated, start, start - moved, self._zone)
        if entry.recurrence is None:
            return stated
        return _occurrence(stated, start, start, self._zone)


def _component(index: int, start: datetime, end: datetime) -> Any:
    from icalendar import Event
    from icalendar.prop import vDDDTypes

    event = Event()
    event["UID"] = "series"
    event[_INDEX] = index
    event["DTSTART"], event["DTEND"] = vDDDTypes(start), vDDDTypes(max(start, end))
    return event


def _occurrence(stated: Meeting, start: datetime, original: datetime, zone: tzinfo | None) -> Meeting:
    """The meeting at another time. Its length is exact, but an all-day meeting lasts until midnight."""
    begins, was = utc(start.replace(tzinfo=zone)), utc(original.replace(tzinfo=zone))
    if stated.all_day:
        lasts = stated.end.astimezone(zone).replace(tzinfo=None) - stated.start.astimezone(zone).replace(tzinfo=None)
        ends = utc((start + lasts).replace(tzinfo=zone))
    else:
        ends = begins + (stated.end - stated.start)
    identity = f"{stated.uid}/{was:%Y%m%dT%H%M%SZ}"
    return replace(stated, id=identity, kind="occurrence", start=begins, end=ends, original_start=was)


def _original(meeting: Meeting) -> datetime:
    return meeting.original_start or meeting.start


def _first(master: Entry) -> Meeting:
    """The first occurrence of a series that cannot be followed."""
    stated = master.meeting
    if master.recurrence is None:
        return stated
    identity = f"{stated.uid}/{stated.start:%Y%m%dT%H%M%SZ}"
    return replace(stated, id=identity, kind="occurrence", original_start=stated.start)


def _within(meetings: Iterable[Meeting], window: Window, problems: tuple[str, ...]) -> Expanded:
    found = sorted((m for m in meetings if window.overlaps(m.start, m.end)), key=lambda m: (m.start, m.id))
    if len(found) > OCCURRENCE_LIMIT:
        problems += (f"a series has more than {OCCURRENCE_LIMIT} occurrences; the later ones are not shown",)
    return Expanded(tuple(found[:OCCURRENCE_LIMIT]), problems)
