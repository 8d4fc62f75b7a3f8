"""iCalendar (RFC 5545) -> Entries: which meetings there are and when they take place."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo
from hashlib import sha256

from icalendar.prop import vDuration

from otd.errors import Garbled
from otd.formats.days import midnight
from otd.formats.document import ENTRY_LIMIT, LINE_LIMIT, Document, Entry, Notes, Recurrence, line, trimmed, utc
from otd.formats.ical_content import SENSITIVITIES, body, person, places, properties, response, shown
from otd.formats.lines import CalendarObject, Component, Value, objects
from otd.formats.uid import series_uid
from otd.formats.zones import Zones, named
from otd.model import EPOCH, Meeting, MeetingKind

DATES_LIMIT = 5_000  # dates of RDATE and EXDATE in one event

_TIME = re.compile(r"(\d{4})-?(\d\d)-?(\d\d)(?:[T ](\d\d):?(\d\d)(?::?(\d\d)(?:\.\d+)?)?(Z|[+-]\d\d:?\d\d)?)?", re.I)
_YEARS = range(1900, 2200)


def read(text: str, zone: tzinfo, method: str = "") -> Document:
    """Every VEVENT of a text whose lines are unfolded (see detection.calendar_text).

    `zone` is the room's: what floats and what lasts all day is meant in it. `method` holds where the text states none,
    as when the mail around it does. Raises Garbled when there is no calendar in it or more than anybody reads.
    """
    if text.count("\n") > LINE_LIMIT:
        raise Garbled("the calendar", f"has more than {LINE_LIMIT} lines", "split it into several files")
    found, whole = objects(text)
    if not found:
        raise Garbled("the calendar", "has no BEGIN:VCALENDAR", "export the meeting again as .ics")
    notes = Notes()
    if not whole:
        notes.add("it breaks off in the middle")
    entries: list[Entry] = []
    for one in found:
        entries.extend(_Events(one, zone, method, notes).entries(ENTRY_LIMIT - len(entries)))
    lost = sum(len(one.events) for one in found) - len(entries)
    return Document(entries=tuple(entries), notes=notes.all(), whole=whole, lost=lost)


@dataclass(frozen=True, slots=True)
class _Times:
    """When an event takes place, in its own zone."""

    start: datetime
    end: datetime
    all_day: bool
    dated: bool = True


class _Events:
    """The events of one VCALENDAR."""

    def __init__(self, calendar: CalendarObject, zone: tzinfo, method: str, notes: Notes) -> None:
        self._events = calendar.events
        self._method = (calendar.values.get("METHOD", "") or method).strip().upper()
        self._here = zone
        self._zones = Zones(named(calendar.values.get("X-WR-TIMEZONE", "")) or zone, calendar.zones)
        self._notes = notes

    def entries(self, limit: int) -> Iterator[Entry]:
        if len(self._events) > limit:
            self._notes.add(f"it holds more than {ENTRY_LIMIT} meetings; the rest was left out")
        for event in self._events[: max(0, limit)]:
            try:
                yield self._entry(event)
            except (ValueError, OverflowError) as error:
                reason = str(error) if isinstance(error, _UnusableError) else "what is not a time"
                self._notes.add(f"a meeting was left out: it has {reason}")

    def _entry(self, event: Component) -> Entry:
        sequence = event.get("SEQUENCE").text.strip()
        stamp = self._stamp(event)
        instance = self._instance(event)
        cancelled = self._method == "CANCEL" or event.get("STATUS").text.strip().upper() == "CANCELLED"
        times = self._times(event, instance, stamp if cancelled else None)
        recurrence = self._recurrence(event, times) if instance is None else None
        uid = series_uid(line(event.get("UID").plain())) or _made_uid(event)
        number = int(sequence) if sequence.isdecimal() and len(sequence) < 10 else 0
        meeting = self._meeting(event, uid, times, instance, recurrence is not None, cancelled)
        return Entry(
            meeting=trimmed(meeting, self._notes),
            method=self._method,
            sequence=number,
            stamp=stamp,
            instance=instance,
            following=event.get("RECURRENCE-ID").param("RANGE").upper() == "THISANDFUTURE",
            dated=times.dated,
            recurrence=recurrence,
        )

    def _meeting(
        self,
        event: Component,
        uid: str,
        times: _Times,
        instance: datetime | date | None,
        recurs: bool,
        cancelled: bool,
    ) -> Meeting:
        text, html = body(event)
        organizer = person(event.get("ORGANIZER"))
        original = instance if isinstance(instance, datetime) or instance is None else midnight(instance, self._here)
        kind: MeetingKind = "exception" if original is not None else "series" if recurs else "single"
        answer = response(event, organizer)
        return Meeting(
            id=uid if original is None else f"{uid}/{original:%Y%m%dT%H%M%SZ}",
            uid=uid,
            start=utc(times.start),
            end=utc(times.end),
            change_key=f"{event.get('SEQUENCE').text.strip()}/{event.get('DTSTAMP').text.strip()}"[:60],
            kind=kind,
            original_start=original,
            subject=event.get("SUMMARY").plain(),
            body=text,
            body_type="html" if html else "text",
            location=event.get("LOCATION").plain(),
            locations=places(event),
            properties=tuple(properties(event)),
            organizer=organizer,
            is_organizer=answer == "organizer",
            attendees=tuple(person(one) for one in event.all("ATTENDEE")),
            all_day=times.all_day,
            cancelled=cancelled,
            sensitivity=SENSITIVITIES.get(event.get("CLASS").text.strip().upper(), "normal"),
            show_as=shown(event, self._method),
            response=answer,
        )

    # times --------------------------------------------------------------------------------------------------------

    def _stamp(self, event: Component) -> datetime:
        for name in ("DTSTAMP", "LAST-MODIFIED", "CREATED"):
            try:
                stated = self._time(event.get(name))
            except ValueError:
                continue
            if isinstance(stated, datetime):
                return utc(stated)
        return EPOCH

    def _instance(self, event: Component) -> datetime | date | None:
        value = event.get("RECURRENCE-ID")
        if value.text.strip():
            stated = self._time(value)
            return utc(stated) if isinstance(stated, datetime) else stated
        if self._method == "ADD":  # one more instance of a series that is there already (RFC 5546 section 3.2.4)
            stated = self._time(event.get("DTSTART"))
            return utc(stated) if isinstance(stated, datetime) else stated
        return None

    def _times(self, event: Component, instance: datetime | date | None, stand_in: datetime | None) -> _Times:
        """When it takes place. A cancellation need not say so: then its instance or `stand_in` has to do."""
        if not event.get("DTSTART").text.strip():
            if stand_in is None:
                raise _UnusableError("no start")
            at = stand_in if instance is None else self._at(instance)
            return _Times(at, at, all_day=False, dated=False)
        start = self._time(event.get("DTSTART"))
        end = self._end(event, start)
        if not isinstance(start, datetime):
            return self._days(start, end.date() if isinstance(end, datetime) else end)
        until = end if isinstance(end, datetime) else self._at(end)
        if event.get("X-MICROSOFT-CDO-ALLDAYEVENT").text.strip().upper() == "TRUE" and start.time() == time():
            last = until.astimezone(start.tzinfo)
            if last.time() == time():
                return self._days(start.date(), last.date())
        if until < start:
            self._notes.add("a meeting ends before it starts; its end was ignored")
            until = start
        return _Times(start, until, all_day=False)

    def _end(self, event: Component, start: datetime | date) -> datetime | date:
        if event.get("DTEND").text.strip():
            return self._time(event.get("DTEND"))
        if event.get("DURATION").text.strip():
            try:
                lasts = vDuration.from_ical(event.get("DURATION").text.strip().upper())  # type: ignore[no-untyped-call]
            except ValueError:
                raise _UnusableError("a duration that is none") from None
            if isinstance(start, datetime):
                return _later(start, lasts)
            return start + timedelta(days=max(1, lasts.days))
        return start

    def _days(self, first: date, after: date) -> _Times:
        return _Times(
            datetime.combine(first, time(), self._here),
            datetime.combine(max(after, first + timedelta(days=1)), time(), self._here),
            all_day=True,
        )

    def _at(self, stated: datetime | date) -> datetime:
        return stated if isinstance(stated, datetime) else datetime.combine(stated, time(), self._here)

    def _time(self, value: Value) -> datetime | date:
        """A date, or an aware time in the zone that is stated with it. Raises ValueError."""
        found = _TIME.fullmatch(value.text.strip())
        if not found and ":" in value.text:  # a zone with a colon in its name that nobody quoted
            before, _, text = value.text.rpartition(":")
            value, found = Value(f"{value.params}:{before}", text), _TIME.fullmatch(text.strip())
        if not found:
            raise _UnusableError("a time that is none")
        year, month, day = int(found[1]), int(found[2]), int(found[3])
        if year not in _YEARS:
            raise _UnusableError("a date that is out of range")
        if found[4] is None:
            return date(year, month, day)
        second = min(int(found[6] or 0), 59)  # a leap second
        return datetime(year, month, day, int(found[4]), int(found[5]), second, tzinfo=self._zone(value, found[7]))

    def _zone(self, value: Value, suffix: str | None) -> tzinfo:
        if suffix:
            zone = named("UTC") if suffix in "Zz" else datetime.strptime(suffix, "%z").tzinfo
            return zone or self._here
        name = value.param("TZID") if value.params else ""
        zone = self._zones.get(name)
        if zone is None:
            self._notes.add("a time zone has a name that nobody knows; its times were read in the room's zone")
        return zone or self._here

    # recurrence ---------------------------------------------------------------------------------------------------

    def _recurrence(self, event: Component, times: _Times) -> Recurrence | None:
        rules = tuple(text for one in event.all("RRULE")[:4] if (text := one.text.strip()))
        added = tuple(self._at(stated) for stated in self._dates(event.all("RDATE")))
        if not rules and not added:
            return None
        return Recurrence(
            start=times.start,
            end=times.end.astimezone(times.start.tzinfo),
            rules=rules,
            added=added,
            left_out=tuple(self._dates(event.all("EXDATE"))),
        )

    def _dates(self, values: Sequence[Value]) -> Iterator[datetime | date]:
        left = DATES_LIMIT
        for value in values:
            for text in value.text.split(",", left)[:left]:
                left -= 1
                try:  # of a period only the start counts
                    yield self._time(Value(value.params, text.partition("/")[0]))
                except ValueError:
                    if text.strip():
                        self._notes.add("a date of a series cannot be read; it was ignored")


class _UnusableError(ValueError):
    """What a meeting that had to be left out has, without a word of it."""


def _later(start: datetime, lasts: timedelta) -> datetime:
    """Days are days of the calendar, hours are exact (RFC 5545 section 3.3.6)."""
    days = timedelta(days=lasts.days)
    return (utc(start + days) + (lasts - days)).astimezone(start.tzinfo)


def _made_uid(event: Component) -> str:
    parts = "\n".join(event.get(name).text for name in ("DTSTART", "SUMMARY", "ORGANIZER"))
    return sha256(parts.encode("utf-8", "replace")).hexdigest()[:40]
