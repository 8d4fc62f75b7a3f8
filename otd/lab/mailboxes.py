"""Room mailboxes in memory: what people booked, and the occurrences that a server makes of it.

One directory can stand behind a simulated Graph and a simulated Exchange Server. Everything is safe from several
threads: a reader sees a mailbox before or after a change, never in the middle of one.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, time, timedelta
from functools import lru_cache
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from dateutil.rrule import rrule, rruleset, rrulestr

from otd.lab.identities import (
    Identity,
    ews_change_key,
    ews_id,
    global_object_id,
    mailbox_guid,
    occurrence_uid,
    read_ews_id,
)
from otd.model import Meeting, MeetingKind, Window


@dataclass(frozen=True, slots=True, kw_only=True)
class Processing:
    """What the room does to an invitation when it accepts it (Set-CalendarProcessing).

    The defaults are what OTD asks administrators for; EXCHANGE_DEFAULTS are those of a room nobody looked after.
    """

    delete_comments: bool = False
    delete_subject: bool = False
    add_organizer_to_subject: bool = False
    remove_private_property: bool = False
    accepts: bool = True  # False: AutomateProcessing is AutoUpdate, and everything stays tentative

    def applied(self, meeting: Meeting) -> Meeting:
        """The meeting as the mailbox keeps it."""
        if self == _UNTOUCHED:
            return meeting
        subject = "" if self.delete_subject else meeting.subject
        if self.add_organizer_to_subject:
            subject = f"{meeting.organizer.name} {subject}".strip()
        return replace(
            meeting,
            subject=subject,
            body="" if self.delete_comments else meeting.body,
            sensitivity="normal" if self.remove_private_property else meeting.sensitivity,
            show_as=meeting.show_as if self.accepts else "tentative",
            response=meeting.response if self.accepts else "unanswered",
        )


_UNTOUCHED = Processing()
EXCHANGE_DEFAULTS = Processing(
    delete_comments=True, delete_subject=True, add_organizer_to_subject=True, remove_private_property=True
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Appointment:
    """What lies in the mailbox: one meeting, or a whole series with what became of single occurrences."""

    identity: Identity
    meeting: Meeting  # of a series: its first occurrence
    rule: str = ""  # RFC 5545 section 3.3.10; "" for a single meeting
    timezone: str = "UTC"  # the zone it was booked in: a series recurs in it, all-day means its dates
    changed: Mapping[datetime, Meeting | None] = field(default_factory=dict)  # by original start; None: taken out
    version: int = 0
    created: datetime
    modified: datetime
    draft: bool = False

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.timezone)

    def items(self, window: Window, *, touching: bool) -> Iterator[Item]:
        """Its meetings in the window; with `touching` also those that end exactly when the window begins."""
        if not self.rule:
            if _shown(self.meeting, window, touching):
                yield Item(appointment=self, meeting=self.meeting)
            return
        for exception in self.changed.values():
            if exception is not None and _shown(exception, window, touching):
                yield Item(appointment=self, meeting=exception)
        for original in self._starts(window):
            if original not in self.changed:
                occurrence = self.occurrence(original)
                if _shown(occurrence, window, touching):
                    yield Item(appointment=self, meeting=occurrence)

    def occurrence(self, original: datetime) -> Meeting:
        """The meeting that the rule alone puts at that start."""
        end = original + (self.meeting.end - self.meeting.start)
        if self.meeting.all_day:  # whole days, whatever daylight saving does to their length
            zone = self.zone
            days = self.meeting.end.astimezone(zone).date() - self.meeting.start.astimezone(zone).date()
            end = datetime.combine(original.astimezone(zone).date() + days, time(0), zone).astimezone(UTC)
        identity = replace(self.identity, occurrence=original)
        return replace(
            self.meeting, id=ews_id(identity), kind="occurrence", start=original, end=end, original_start=original
        )

    def at(self, original: datetime) -> Meeting | None:
        """The occurrence or exception with that original start, if the series has one."""
        if original in self.changed:
            return self.changed[original]
        return (
            self.occurrence(original)
            if original in set(self._starts(Window(start=original, end=_after(original))))
            else None
        )

    def _starts(self, window: Window) -> list[datetime]:
        length = max(self.meeting.end - self.meeting.start, timedelta(hours=1)) + timedelta(hours=2)
        found = _recurrence(self.rule, self.meeting.start.astimezone(self.zone)).between(
            window.start - length, window.end, inc=True
        )
        return [start.astimezone(UTC) for start in found]


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One meeting as a server shows it, and the appointment that it comes from."""

    appointment: Appointment
    meeting: Meeting

    @property
    def identity(self) -> Identity:
        return replace(self.appointment.identity, occurrence=self.meeting.original_start)

    @property
    def occurrence_uid(self) -> str:
        """The iCalendar uid with the day of the occurrence in it; that of a single meeting as it is."""
        if self.meeting.original_start is None:
            return self.meeting.uid
        return occurrence_uid(self.meeting.uid, self.meeting.original_start.astimezone(self.appointment.zone).date())


def hidden(meeting: Meeting, name: str) -> str | None:
    """A named property of the PublicStrings set; names of named properties are compared with case."""
    return next((value for known, value in meeting.properties if known == name), None)


def _after(start: datetime) -> datetime:
    return start + timedelta(microseconds=1)


def _shown(meeting: Meeting, window: Window, touching: bool) -> bool:
    return window.overlaps(meeting.start, meeting.end) or (touching and meeting.end == window.start)


@lru_cache(maxsize=4096)
def _recurrence(rule: str, first: datetime) -> rrule | rruleset:
    return rrulestr(rule, dtstart=first, cache=True)


class Mailbox:
    """A room's mailbox. Ids stay, change keys do not: whatever happens to an appointment gives it a new one.

    Methods that take an id take that of a single meeting, of a series, or of one occurrence, which then becomes an
    exception. They raise KeyError for an id that is not here.
    """

    def __init__(self, address: str, *, name: str = "", timezone: str = "UTC", here: bool = True) -> None:
        """`here` is False for a mailbox that this system knows of but another one holds (hybrid)."""
        self.address = address
        self.name = name or address.partition("@")[0]
        self.timezone = timezone
        self.here = here
        self.guid: UUID = mailbox_guid(address)
        self.processing = Processing()
        self.watchers: list[Callable[[Mailbox], None]] = []  # called after every change
        self._appointments: dict[int, Appointment] = {}
        self._last = 0
        self._version = 0
        self._lock = threading.RLock()

    @property
    def version(self) -> int:
        """Grows with every change."""
        return self._version

    def __len__(self) -> int:
        return len(self._appointments)

    def __bool__(self) -> bool:
        return True

    def add(
        self,
        meeting: Meeting,
        *,
        rule: str = "",
        timezone: str = "",
        draft: bool = False,
        exceptions: Mapping[datetime, Meeting | None] | None = None,
        booked_at: datetime | None = None,
    ) -> str:
        """Accept an invitation; returns the id. `exceptions` are by original start, None for one that was taken out.

        The meeting's own id, change key and kind do not matter; without a uid it gets one as Outlook makes them.
        """
        with self._lock:
            self._last += 1
            identity = Identity(self.guid, self._last)
            now = booked_at or datetime.now(UTC)
            uid = meeting.uid or global_object_id(f"{self.address}/{self._last}", meeting.start)
            kind: MeetingKind = "series" if rule else "single"
            appointment = Appointment(
                identity=identity,
                meeting=replace(
                    self.processing.applied(meeting), uid=uid, id=ews_id(identity), kind=kind, original_start=None
                ),
                rule=rule,
                timezone=timezone or self.timezone,
                created=now,
                modified=now,
                draft=draft,
            )
            self._keep(appointment, now)
            for original, exception in (exceptions or {}).items():
                self._put(identity.number, original, exception and replace(self.processing.applied(exception), uid=uid))
            return appointment.meeting.id

    def move(self, item_id: str, start: datetime, end: datetime | None = None) -> None:
        """Give it another time; without `end` it keeps its length."""
        with self._lock:
            meeting = self._require(item_id).meeting
            self.change(item_id, start=start, end=end or start + (meeting.end - meeting.start))

    def cancel(self, item_id: str) -> None:
        """The organiser called it off: it stays in the mailbox, marked and free, as Outlook leaves it.

        A series is called off with its exceptions.
        """
        with self._lock:
            item = self._require(item_id)
            exceptions = item.appointment.changed.values() if item.meeting.kind == "series" else ()
            for meeting in (item.meeting, *(one for one in exceptions if one is not None)):
                self.change(meeting.id, cancelled=True, show_as="free", subject=f"Canceled: {meeting.subject}")

    def change(self, item_id: str, **fields: Any) -> None:
        """Give it other values for these fields of a Meeting. A series that begins at another time loses its
        exceptions, as in Outlook.
        """
        with self._lock:
            item = self._require(item_id)
            meeting = replace(item.meeting, **fields)
            if meeting.original_start is not None:
                self._put(item.appointment.identity.number, meeting.original_start, meeting)
            else:
                kept = item.appointment.changed if meeting.start == item.meeting.start else {}
                self._keep(replace(item.appointment, meeting=meeting, changed=kept))

    def remove(self, item_id: str) -> None:
        """Take it out of the mailbox: a single meeting, a whole series, or one occurrence."""
        with self._lock:
            item = self._require(item_id)
            if item.meeting.original_start is not None:
                self._put(item.appointment.identity.number, item.meeting.original_start, None)
            else:
                del self._appointments[item.appointment.identity.number]
                self._changed()

    def clear(self) -> None:
        """Take everything out."""
        with self._lock:
            self._appointments.clear()
            self._changed()

    def item(self, item_id: str) -> Item | None:
        """What has this id (the EWS form): a single meeting, a series' master, an occurrence or an exception."""
        identity = read_ews_id(item_id)
        return self.at(identity) if identity else None

    def at(self, identity: Identity) -> Item | None:
        appointment = self._appointments.get(identity.number) if identity.mailbox == self.guid else None
        if appointment is None:
            return None
        if identity.occurrence is None:
            return Item(appointment=appointment, meeting=appointment.meeting)
        meeting = appointment.at(identity.occurrence) if appointment.rule else None
        return Item(appointment=appointment, meeting=meeting) if meeting else None

    def view(self, window: Window, *, touching: bool = False) -> tuple[Item, ...]:
        """What a calendar view of the window shows: singles, occurrences, exceptions; by start."""
        with self._lock:
            appointments = tuple(self._appointments.values())
        found = [item for appointment in appointments for item in appointment.items(window, touching=touching)]
        return tuple(sorted(found, key=lambda item: (item.meeting.start, item.appointment.identity.number)))

    def _require(self, item_id: str) -> Item:
        item = self.item(item_id)
        if item is None:
            raise KeyError(f"no such item in {self.address}")
        return item

    def _put(self, number: int, original: datetime, meeting: Meeting | None) -> None:
        appointment = self._appointments[number]
        if meeting is not None:
            identity = replace(appointment.identity, occurrence=original)
            meeting = replace(meeting, id=ews_id(identity), kind="exception", original_start=original)
        self._keep(replace(appointment, changed={**appointment.changed, original: meeting}))

    def _keep(self, appointment: Appointment, at: datetime | None = None) -> None:
        """Store it under a new version; every meeting of it carries that version's change key."""
        self._version += 1
        key = ews_change_key(self.guid, self._version)
        self._appointments[appointment.identity.number] = replace(
            appointment,
            meeting=replace(appointment.meeting, change_key=key),
            changed={start: m and replace(m, change_key=key) for start, m in appointment.changed.items()},
            version=self._version,
            modified=at or datetime.now(UTC),
        )
        for watcher in self.watchers:
            watcher(self)

    def _changed(self) -> None:
        self._version += 1
        for watcher in self.watchers:
            watcher(self)


class Mailboxes:
    """A directory of mailboxes by address; addresses are compared without case."""

    def __init__(self) -> None:
        self._mailboxes: dict[str, Mailbox] = {}

    def add(self, address: str, *, name: str = "", timezone: str = "UTC", here: bool = True) -> Mailbox:
        mailbox = Mailbox(address, name=name, timezone=timezone, here=here)
        self._mailboxes[address.casefold()] = mailbox
        return mailbox

    def get(self, address: str) -> Mailbox | None:
        """By address or by the mailbox's own id."""
        found = self._mailboxes.get(address.casefold())
        return found or next((m for m in tuple(self._mailboxes.values()) if str(m.guid) == address.casefold()), None)

    def __getitem__(self, address: str) -> Mailbox:
        return self._mailboxes[address.casefold()]

    def __iter__(self) -> Iterator[Mailbox]:
        return iter(tuple(self._mailboxes.values()))

    def __len__(self) -> int:
        return len(self._mailboxes)
