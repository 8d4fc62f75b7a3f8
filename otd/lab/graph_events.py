"""Events as Microsoft Graph v1.0 writes them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, time
from typing import Any
from urllib.parse import quote

from otd.lab import bodies
from otd.lab.graph_query import Preferences, Selection
from otd.lab.identities import rest_change_key, rest_id
from otd.lab.mailboxes import Appointment, Item, Mailbox, hidden
from otd.lab.zones import windows_name
from otd.model import Meeting, Person

_NEVER = "0001-01-01T00:00:00Z"
_SHOW_AS = {"elsewhere": "workingElsewhere"}
_RESPONSES = {"tentative": "tentativelyAccepted", "unanswered": "notResponded"}
_KINDS = {"single": "singleInstance", "series": "seriesMaster"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What an event is written from."""

    item: Item
    mailbox: Mailbox
    preferences: Preferences

    @property
    def meeting(self) -> Meeting:
        return self.item.meeting

    @property
    def appointment(self) -> Appointment:
        return self.item.appointment

    @property
    def key(self) -> str:
        return rest_change_key(self.mailbox.guid, self.appointment.version)

    @property
    def id(self) -> str:
        return rest_id(self.item.identity, immutable=self.preferences.immutable)

    @property
    def series(self) -> str | None:
        if self.meeting.original_start is None:
            return None
        return rest_id(replace(self.item.identity, occurrence=None), immutable=self.preferences.immutable)


def event(source: Source, selection: Selection) -> dict[str, Any]:
    """One event with what was selected and expanded; its id and etag always."""
    answer: dict[str, Any] = {"@odata.etag": f'W/"{source.key}"', "id": source.id}
    for name in selection.properties:
        if name != "originalStart" or source.meeting.original_start:  # single meetings have none
            answer[name] = PROPERTIES[name](source)
    extended = list(_extended(source.meeting, selection.extended))
    if extended:  # left out when none of those asked for is set
        answer["singleValueExtendedProperties"] = extended
    return answer


def _extended(meeting: Meeting, asked: tuple[tuple[str, str], ...]) -> Iterator[dict[str, str]]:
    for prefix, name in asked:
        value = hidden(meeting, name)
        if value is not None:
            yield {"id": f"{prefix}{name}", "value": value}


def _moment(at: datetime) -> str:
    """An instant: UTC, seven digits."""
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond:06}0Z"


def _time(source: Source, at: datetime) -> dict[str, str]:
    """A time in the zone that the client prefers. All-day meetings are floating: midnight in whatever zone that is."""
    if source.meeting.all_day:
        local = datetime.combine(at.astimezone(source.appointment.zone).date(), time(0))
    else:
        local = at.astimezone(source.preferences.zone)
    stated = f"{local:%Y-%m-%dT%H:%M:%S}.{local.microsecond:06}0"
    return {"dateTime": stated, "timeZone": source.preferences.zone_name}


def _address(person: Person) -> dict[str, Any]:
    return {"emailAddress": {"name": person.name, "address": person.address}}


def _organizer(source: Source) -> dict[str, Any]:
    organizer = source.meeting.organizer
    if not organizer.name and not organizer.address:
        organizer = Person(name=source.mailbox.name, address=source.mailbox.address)
    return _address(organizer)


def _attendees(source: Source) -> list[dict[str, Any]]:
    nothing = {"response": "none", "time": _NEVER}
    people = [{"type": "required", "status": nothing, **_address(person)} for person in source.meeting.attendees]
    room = Person(name=source.mailbox.name, address=source.mailbox.address)
    return [*people, {"type": "resource", "status": _response(source), **_address(room)}]


def _response(source: Source) -> dict[str, str]:
    response = source.meeting.response
    answered = response not in ("none", "organizer", "unanswered")
    return {
        "response": _RESPONSES.get(response, response),
        "time": f"{source.appointment.modified:%Y-%m-%dT%H:%M:%SZ}" if answered else _NEVER,
    }


def _location(name: str) -> dict[str, Any]:
    if not name:
        return {
            "displayName": "",
            "locationType": "default",
            "uniqueIdType": "unknown",
            "address": {},
            "coordinates": {},
        }
    place: dict[str, Any] = {
        "displayName": name,
        "locationType": "default",
        "uniqueId": name,
        "uniqueIdType": "private",
    }
    if "://" in name:
        place["locationUri"] = name
    return place


def _locations(source: Source) -> list[dict[str, Any]]:
    names = [source.meeting.location, *source.meeting.locations]
    return [_location(name) for name in names if name]


def _online(source: Source) -> dict[str, Any] | None:
    url = hidden(source.meeting, "onlineMeeting.joinUrl")
    if url is None:
        return None
    online = {"joinUrl": url}
    for key, name in (("conferenceId", "OnlineMeetingConferenceId"), ("tollNumber", "OnlineMeetingTollNumber")):
        if (value := hidden(source.meeting, name)) is not None:
            online[key] = value
    return online


def _provider(source: Source) -> str:
    return hidden(source.meeting, "onlineMeeting.provider") or (
        "teamsForBusiness" if hidden(source.meeting, "onlineMeeting.joinUrl") else "unknown"
    )


def _legacy_url(source: Source) -> str | None:
    """Null for Teams; Skype for Business still fills it."""
    return hidden(source.meeting, "onlineMeeting.joinUrl") if _provider(source) == "skypeForBusiness" else None


def _body(source: Source) -> dict[str, str]:
    text = source.preferences.text_body
    return {
        "contentType": "text" if text else "html",
        "content": bodies.as_text(source.meeting) if text else bodies.as_html(source.meeting),
    }


# In the order in which Graph writes them.
PROPERTIES: Mapping[str, Callable[[Source], Any]] = {
    "createdDateTime": lambda s: _moment(s.appointment.created),
    "lastModifiedDateTime": lambda s: _moment(s.appointment.modified),
    "changeKey": lambda s: s.key,
    "categories": lambda s: [],
    "transactionId": lambda s: None,
    "originalStartTimeZone": lambda s: windows_name(s.appointment.timezone),
    "originalEndTimeZone": lambda s: windows_name(s.appointment.timezone),
    "originalStart": lambda s: f"{s.meeting.original_start:%Y-%m-%dT%H:%M:%SZ}",
    "iCalUId": lambda s: s.item.occurrence_uid,
    "reminderMinutesBeforeStart": lambda s: 15,
    "isReminderOn": lambda s: False,
    "hasAttachments": lambda s: False,
    "subject": lambda s: s.meeting.subject,
    "bodyPreview": lambda s: bodies.preview(s.meeting),
    "importance": lambda s: "normal",
    "sensitivity": lambda s: s.meeting.sensitivity,
    "isAllDay": lambda s: s.meeting.all_day,
    "isCancelled": lambda s: s.meeting.cancelled,
    "isOrganizer": lambda s: s.meeting.is_organizer,
    "responseRequested": lambda s: True,
    "seriesMasterId": lambda s: s.series,
    "showAs": lambda s: _SHOW_AS.get(s.meeting.show_as, s.meeting.show_as),
    "type": lambda s: _KINDS.get(s.meeting.kind, s.meeting.kind),
    "webLink": lambda s: (
        f"https://outlook.office365.com/owa/?itemid={quote(s.id, safe='')}&exvsurl=1&path=/calendar/item"
    ),
    "onlineMeetingUrl": _legacy_url,
    "isOnlineMeeting": lambda s: hidden(s.meeting, "onlineMeeting.joinUrl") is not None,
    "onlineMeetingProvider": _provider,
    "allowNewTimeProposals": lambda s: True,
    "occurrenceId": lambda s: None,
    "isDraft": lambda s: s.appointment.draft,
    "hideAttendees": lambda s: False,
    "responseStatus": _response,
    "body": _body,
    "start": lambda s: _time(s, s.meeting.start),
    "end": lambda s: _time(s, s.meeting.end),
    "location": lambda s: _location(s.meeting.location),
    "locations": _locations,
    "recurrence": lambda s: None,
    "attendees": _attendees,
    "organizer": _organizer,
    "onlineMeeting": _online,
}
