"""One event of Microsoft Graph (v1.0, resource type `event`) -> Meeting.

Graph writes times without an offset and with seven digits of a second, beside the name of a zone: the one that was
asked for in the Prefer header, or the organiser's (an IANA or a Windows name). All-day events are midnights that float:
the zone beside them says nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, tzinfo
from typing import Any, cast

from otd.formats.days import day_of, midnight
from otd.formats.document import Notes, trimmed
from otd.formats.hidden import canonical
from otd.formats.uid import series_uid
from otd.formats.zones import named
from otd.model import NOBODY, Meeting, MeetingKind, Person, Response, Sensitivity, ShowAs

Json = Mapping[str, Any]

KINDS: dict[str, MeetingKind] = {
    "singleinstance": "single",
    "occurrence": "occurrence",
    "exception": "exception",
    "seriesmaster": "series",
}
SENSITIVITIES: dict[str, Sensitivity] = {"personal": "personal", "private": "private", "confidential": "confidential"}
SHOWN: dict[str, ShowAs] = {
    "free": "free",
    "tentative": "tentative",
    "busy": "busy",
    "oof": "oof",
    "workingelsewhere": "elsewhere",
}
RESPONSES: dict[str, Response] = {
    "organizer": "organizer",
    "tentativelyaccepted": "tentative",
    "accepted": "accepted",
    "declined": "declined",
    "notresponded": "unanswered",
}

_EXTENDED = re.compile(r"String \{[0-9A-Fa-f-]{36}\} Name (?P<name>\S+)", re.IGNORECASE)
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")


def meeting(event: Json, zone: tzinfo) -> Meeting:
    """The event as a Meeting; `zone` is the room's, in which an all-day event's dates are meant.

    A series master comes out as kind "series". Raises ValueError, in words that quote nothing of the event, when it
    has no id or no times that can be understood.
    """
    try:
        return trimmed(_meeting(event, zone), Notes())
    except _UnusableError:
        raise
    except (TypeError, AttributeError, KeyError, ValueError, OverflowError) as error:
        raise _UnusableError("an event does not have the shape that Microsoft Graph documents") from error


class _UnusableError(ValueError):
    """What is said of an event that cannot be used, without a word of it."""


def is_draft(event: Json) -> bool:
    """Whether it was saved but never sent."""
    return bool(event.get("isDraft"))


def _meeting(event: Json, zone: tzinfo) -> Meeting:
    if not _text(event, "id"):
        raise _UnusableError("an event has no id")
    all_day = bool(event.get("isAllDay"))
    start, end = _time(event["start"], zone, all_day), _time(event["end"], zone, all_day)
    if end < start:
        raise _UnusableError("an event ends before it starts")
    kind = _kind(event)
    body = event.get("body") or {}
    location = event.get("location") or {}
    shown = _text(location, "displayName")
    return Meeting(
        id=event["id"],
        uid=series_uid(_text(event, "uid") or _text(event, "iCalUId")) or event["id"],
        start=start,
        end=end,
        change_key=_text(event, "changeKey") or _text(event, "@odata.etag"),
        kind=kind,
        original_start=_original(event, start, zone, all_day) if kind in ("occurrence", "exception") else None,
        subject=_text(event, "subject"),
        body=_text(body, "content"),
        body_type="html" if _text(body, "contentType").casefold() == "html" else "text",
        location=shown,
        locations=_others(location, event.get("locations") or (), shown),
        properties=tuple(_properties(event)),
        organizer=_person(event.get("organizer")),
        is_organizer=bool(event.get("isOrganizer")),
        attendees=tuple(_person(one) for one in event.get("attendees") or ()),
        all_day=all_day,
        cancelled=bool(event.get("isCancelled")),
        sensitivity=SENSITIVITIES.get(_text(event, "sensitivity").casefold(), "normal"),
        show_as=SHOWN.get(_text(event, "showAs").casefold(), "unknown"),
        response=RESPONSES.get(_text(event.get("responseStatus") or {}, "response").casefold(), "none"),
    )


def _text(holder: Json, key: str) -> str:
    value = holder.get(key)
    return value if isinstance(value, str) else ""


def _kind(event: Json) -> MeetingKind:
    """An event without a type is an occurrence if it names its master, a series if it says how it recurs."""
    stated = KINDS.get(_text(event, "type").casefold())
    if stated is not None:
        return stated
    if event.get("recurrence"):
        return "series"
    return "occurrence" if event.get("seriesMasterId") else "single"


def _time(stated: Json, zone: tzinfo, all_day: bool) -> datetime:
    text = cast(str, stated["dateTime"])
    if all_day:
        return midnight(date.fromisoformat(text[:10]), zone)
    return _instant(text, _text(stated, "timeZone"))


def _instant(text: str, zone: str) -> datetime:
    time = datetime.fromisoformat(text)  # which drops the seventh digit of a second
    if time.tzinfo is None:
        time = time.replace(tzinfo=UTC if zone in ("", "UTC") else _zone(zone))
    return time.astimezone(UTC)


def _zone(name: str) -> tzinfo:
    zone = named(name)
    if zone is None:
        raise _UnusableError("an event's time zone has a name that nobody knows")
    return zone


def _original(event: Json, start: datetime, zone: tzinfo, all_day: bool) -> datetime:
    """When this occurrence was to start before it was moved; an occurrence that says nothing was not moved."""
    stated = _text(event, "originalStart")
    if not stated:
        return start
    instant = _instant(stated, "UTC")
    return midnight(day_of(instant, zone), zone) if all_day else instant


def _others(location: Json, locations: Any, shown: str) -> tuple[str, ...]:
    """Further names of places, and what is an address with a scheme; a room's own mailbox is not one."""
    texts = [
        _text(place, key) for place in (location, *locations) for key in ("displayName", "locationUri", "uniqueId")
    ]
    names = {_text(place, "displayName") for place in (location, *locations)}
    return tuple(dict.fromkeys(t for t in texts if t and t != shown and (t in names or _SCHEME.match(t))))


def _person(holder: Json | None) -> Person:
    address = (holder or {}).get("emailAddress") or {}
    name, mail = _text(address, "name"), _text(address, "address")
    return Person(name=name, address=mail) if name or mail else NOBODY


def _properties(event: Json) -> Iterator[tuple[str, str]]:
    for one in event.get("singleValueExtendedProperties") or ():
        found = _EXTENDED.fullmatch(_text(one, "id"))
        if found and _text(one, "value"):
            yield canonical(found["name"]), _text(one, "value")
    online = event.get("onlineMeeting") or {}
    provider = _text(event, "onlineMeetingProvider")
    stated = (
        ("onlineMeeting.joinUrl", _text(online, "joinUrl")),
        ("onlineMeeting.provider", "" if provider.casefold() == "unknown" else provider),
        ("onlineMeeting.conferenceId", _text(online, "conferenceId")),
        ("onlineMeetingUrl", _text(event, "onlineMeetingUrl")),
    )
    yield from (pair for pair in stated if pair[1])
