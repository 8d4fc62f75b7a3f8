"""One CalendarItem of Exchange Web Services (schema Exchange2013 and later) -> Meeting.

Times carry a Z: Exchange states them in the zone that the request's TimeZoneContext asked for, which is UTC. An all-day
item is two midnights of the zone it was booked in, stated as instants; that zone's name may be one that nobody knows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta, tzinfo

from lxml import etree

from otd.formats.days import day_of, midnight
from otd.formats.document import Notes, trimmed
from otd.formats.hidden import canonical
from otd.formats.uid import series_uid
from otd.formats.zones import named
from otd.model import NOBODY, Meeting, MeetingKind, Person, Response, Sensitivity, ShowAs

TYPES = "http://schemas.microsoft.com/exchange/services/2006/types"
T = f"{{{TYPES}}}"

KINDS: dict[str, MeetingKind] = {
    "Single": "single",
    "Occurrence": "occurrence",
    "Exception": "exception",
    "RecurringMaster": "series",
}
SENSITIVITIES: dict[str, Sensitivity] = {"Personal": "personal", "Private": "private", "Confidential": "confidential"}
SHOWN: dict[str, ShowAs] = {
    "Free": "free",
    "Tentative": "tentative",
    "Busy": "busy",
    "OOF": "oof",
    "WorkingElsewhere": "elsewhere",
}
RESPONSES: dict[str, Response] = {
    "Organizer": "organizer",
    "Tentative": "tentative",
    "Accept": "accepted",
    "Decline": "declined",
    "NoResponseReceived": "unanswered",
}
_CANCELLED = 4  # a bit of AppointmentState (MS-OXOCAL, PidLidAppointmentStateFlags)

Children = Mapping[str, etree._Element]


class _UnusableError(ValueError):
    """What is said of an item that cannot be used, without a word of it."""


def meeting(item: etree._Element, zone: tzinfo) -> Meeting:
    """The item as a Meeting; `zone` is the room's, in which an all-day item's dates are meant.

    A recurring master comes out as kind "series". Raises ValueError, in words that quote nothing of the item, when it
    has no id or no times that can be understood.
    """
    try:
        return trimmed(_meeting(item, zone), Notes())
    except _UnusableError:
        raise
    except (ValueError, KeyError, OverflowError) as error:
        raise _UnusableError("an item does not have the shape that Exchange documents") from error


def is_draft(item: etree._Element) -> bool:
    """Whether it was saved but never sent."""
    return item.findtext(f"{T}IsDraft") == "true"


def key_of(item: etree._Element) -> tuple[str, str]:
    """Its id and its change key. Raises ValueError when it has none."""
    found = item.find(f"{T}ItemId")
    if found is None or not found.get("Id"):
        raise _UnusableError("an item has no id")
    return found.get("Id", ""), found.get("ChangeKey", "")


def _meeting(item: etree._Element, zone: tzinfo) -> Meeting:
    has: dict[str, etree._Element] = {child.tag: child for child in item if isinstance(child.tag, str)}
    identity, change_key = key_of(item)
    all_day = _text(has, "IsAllDayEvent") == "true"
    start, end = _span(has, zone, all_day)
    kind = KINDS.get(_text(has, "CalendarItemType"), "single")
    body = has.get(f"{T}Body")
    response = RESPONSES.get(_text(has, "MyResponseType"), "none")
    return Meeting(
        id=identity,
        uid=series_uid(_text(has, "UID")) or identity,
        start=start,
        end=end,
        change_key=change_key,
        kind=kind,
        original_start=_original(has, start, zone, all_day) if kind in ("occurrence", "exception") else None,
        subject=_text(has, "Subject"),
        body=_text(has, "Body"),
        body_type="html" if body is not None and body.get("BodyType", "").upper() == "HTML" else "text",
        location=_text(has, "Location"),
        properties=tuple(_properties(item, has)),
        organizer=_person(has.get(f"{T}Organizer")),
        is_organizer=response == "organizer",
        attendees=tuple(_attendees(has)),
        all_day=all_day,
        cancelled=_text(has, "IsCancelled") == "true" or bool(int(_text(has, "AppointmentState") or "0") & _CANCELLED),
        sensitivity=SENSITIVITIES.get(_text(has, "Sensitivity"), "normal"),
        show_as=SHOWN.get(_text(has, "LegacyFreeBusyStatus"), "unknown"),
        response=response,
    )


def _text(has: Children, name: str) -> str:
    found = has.get(T + name)
    return (found.text or "") if found is not None else ""


def _instant(text: str) -> datetime:
    stated = datetime.fromisoformat(text)
    return stated.astimezone(UTC) if stated.tzinfo else stated.replace(tzinfo=UTC)


def _span(has: Children, zone: tzinfo, all_day: bool) -> tuple[datetime, datetime]:
    start, end = _instant(_text(has, "Start")), _instant(_text(has, "End"))
    if end < start:
        raise _UnusableError("an item ends before it starts")
    if not all_day:
        return start, end
    first, after = _booked_day(has, "StartTimeZone", start, zone), _booked_day(has, "EndTimeZone", end, zone)
    return midnight(first, zone), midnight(max(after, first + timedelta(days=1)), zone)


def _booked_day(has: Children, field: str, instant: datetime, zone: tzinfo) -> date:
    """The day in the zone that the item was booked in, when that is known and the instant is a midnight there."""
    stated = has.get(T + field)
    booked_in = named(stated.get("Id", "")) if stated is not None else None
    if booked_in is not None:
        there = instant.astimezone(booked_in)
        if there.time() == time():
            return there.date()
    return day_of(instant, zone)


def _original(has: Children, start: datetime, zone: tzinfo, all_day: bool) -> datetime:
    """When this occurrence was to start before it was moved; an occurrence that says nothing was not moved."""
    stated = _text(has, "RecurrenceId") or _text(has, "OriginalStart")
    if not stated:
        return start
    instant = _instant(stated)
    return midnight(_booked_day(has, "StartTimeZone", instant, zone), zone) if all_day else instant


def _person(holder: etree._Element | None) -> Person:
    mailbox = holder.find(f"{T}Mailbox") if holder is not None else None
    if mailbox is None:
        return NOBODY
    address = mailbox.findtext(f"{T}EmailAddress") or ""
    name = mailbox.findtext(f"{T}Name") or ""
    return Person(name=name, address=address if "@" in address else "")  # an address of type EX is of no use outside


def _attendees(has: Children) -> Iterator[Person]:
    for group in ("RequiredAttendees", "OptionalAttendees", "Resources"):
        for attendee in has.get(T + group, ()):
            yield _person(attendee)


def _properties(item: etree._Element, has: Children) -> Iterator[tuple[str, str]]:
    for one in item.iterfind(f"{T}ExtendedProperty"):
        field, value = one.find(f"{T}ExtendedFieldURI"), one.findtext(f"{T}Value")
        if field is not None and value and field.get("PropertyName"):
            yield canonical(field.get("PropertyName", "")), value
    if join := _text(has, "JoinOnlineMeetingUrl"):
        yield "onlineMeeting.joinUrl", join
