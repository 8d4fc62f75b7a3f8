"""Calendar items as Exchange Server writes them: what was asked for, in the order of the schema, absent when unset."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from otd.lab import bodies
from otd.lab.ews_soap import attribute, text
from otd.lab.identities import folder_id
from otd.lab.mailboxes import Appointment, Item, Mailbox, hidden
from otd.lab.zones import display_name, windows_name
from otd.model import Meeting, Person

BodyType = Literal["Best", "HTML", "Text"]
_SHOW_AS = {"oof": "OOF", "elsewhere": "WorkingElsewhere", "unknown": "NoData"}
_RESPONSES = {
    "none": "Unknown",
    "organizer": "Organizer",
    "tentative": "Tentative",
    "accepted": "Accept",
    "declined": "Decline",
    "unanswered": "NoResponseReceived",
}
_KINDS = {"single": "Single", "occurrence": "Occurrence", "exception": "Exception", "series": "RecurringMaster"}
_EXTENDED = "extended"  # the place of the extended properties among the elements


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What an item is written from. `found` is True in FindItem, which tells less."""

    item: Item
    mailbox: Mailbox
    body_type: BodyType = "Best"
    found: bool = False
    zone_name: str | None = None  # fault: in place of the zone's own name

    @property
    def meeting(self) -> Meeting:
        return self.item.meeting

    @property
    def appointment(self) -> Appointment:
        return self.item.appointment


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The elements to write, in the schema's order, and the extended properties as (name, their ExtendedFieldURI)."""

    elements: tuple[str, ...]
    extended: tuple[tuple[str, str], ...] = ()


def wanted(shape: str, fields: Iterable[str], extended: tuple[tuple[str, str], ...], *, find: bool) -> Wanted:
    """What a shape and further FieldURIs come to. FindItem leaves out what Exchange does not keep at hand there."""
    asked = {*_SHAPES[shape], *fields} - (_NOT_FOUND if find else frozenset())
    return Wanted(elements=tuple(name for name in ELEMENTS if name in asked or name == _EXTENDED), extended=extended)


def calendar_item(source: Source, wanted: Wanted) -> str:
    """One t:CalendarItem."""
    parts = [
        _extended(source.meeting, wanted.extended) if name == _EXTENDED else ELEMENTS[name](source)
        for name in wanted.elements
    ]
    return f"<t:CalendarItem>{_item_id(source)}{''.join(parts)}</t:CalendarItem>"


def _item_id(source: Source) -> str:
    return f'<t:ItemId Id="{source.meeting.id}" ChangeKey="{source.meeting.change_key}"/>'


def _extended(meeting: Meeting, asked: tuple[tuple[str, str], ...]) -> str:
    found = ((uri, hidden(meeting, name)) for name, uri in asked)
    return "".join(
        f"<t:ExtendedProperty>{uri}<t:Value>{text(value)}</t:Value></t:ExtendedProperty>"
        for uri, value in found
        if value is not None
    )


def _element(name: str, value: Callable[[Source], str]) -> Callable[[Source], str]:
    return lambda source: f"<t:{name}>{text(value(source))}</t:{name}>"


def _flag(name: str, value: Callable[[Source], bool]) -> Callable[[Source], str]:
    return lambda source: f"<t:{name}>{'true' if value(source) else 'false'}</t:{name}>"


def _time(name: str, value: Callable[[Source], datetime | None]) -> Callable[[Source], str]:
    def written(source: Source) -> str:
        at = value(source)
        return f"<t:{name}>{at:%Y-%m-%dT%H:%M:%SZ}</t:{name}>" if at else ""

    return written


def _zone(name: str) -> Callable[[Source], str]:
    def written(source: Source) -> str:
        zone = source.appointment.timezone
        id = windows_name(zone) if source.zone_name is None else source.zone_name
        return f"<t:{name} Name={attribute(display_name(zone))} Id={attribute(id)}/>"

    return written


def _mailbox(person: Person, *, name_only: bool = False) -> str:
    if name_only:
        return f"<t:Mailbox><t:Name>{text(person.name)}</t:Name></t:Mailbox>"
    return (
        f"<t:Mailbox><t:Name>{text(person.name)}</t:Name><t:EmailAddress>{text(person.address)}</t:EmailAddress>"
        "<t:RoutingType>SMTP</t:RoutingType><t:MailboxType>Mailbox</t:MailboxType></t:Mailbox>"
    )


def _organizer(source: Source) -> str:
    organizer = source.meeting.organizer
    if not organizer.name and not organizer.address:
        organizer = _room(source)
    return f"<t:Organizer>{_mailbox(organizer, name_only=source.found)}</t:Organizer>"


def _room(source: Source) -> Person:
    return Person(name=source.mailbox.name, address=source.mailbox.address)


def _attendees(name: str, people: Callable[[Source], Iterable[tuple[Person, str]]]) -> Callable[[Source], str]:
    def written(source: Source) -> str:
        attendees = "".join(
            f"<t:Attendee>{_mailbox(person)}<t:ResponseType>{response}</t:ResponseType></t:Attendee>"
            for person, response in people(source)
        )
        return f"<t:{name}>{attendees}</t:{name}>" if attendees else ""

    return written


def _body(source: Source) -> str:
    kind = source.body_type
    if kind == "Best":
        kind = "HTML" if source.meeting.body_type == "html" else "Text"
    content = bodies.as_html(source.meeting) if kind == "HTML" else bodies.as_text(source.meeting)
    return f'<t:Body BodyType="{kind}" IsTruncated="false">{text(content)}</t:Body>'


def _duration(source: Source) -> str:
    minutes = int((source.meeting.end - source.meeting.start) / timedelta(minutes=1))
    days, rest = divmod(minutes, 1440)
    hours, minutes = divmod(rest, 60)
    clock = "".join(f"{value}{unit}" for value, unit in ((hours, "H"), (minutes, "M")) if value)
    if not days and not clock:
        return "PT0S"
    return "P" + (f"{days}D" if days else "") + (f"T{clock}" if clock else "")


def _state(source: Source) -> str:
    """Bits: 1 a meeting, 2 received, 4 cancelled (MS-OXOCAL 2.2.1.10)."""
    meeting = _is_meeting(source)
    received = meeting and not source.meeting.is_organizer
    return str(meeting + 2 * received + 4 * source.meeting.cancelled)


def _is_meeting(source: Source) -> bool:
    return bool(source.meeting.attendees or source.meeting.organizer.address)


def _is_online(source: Source) -> bool:
    return any(hidden(source.meeting, name) for name in ("onlineMeeting.joinUrl", "OnlineMeetingConfLink"))


def _join_url(source: Source) -> str:
    url = hidden(source.meeting, "onlineMeeting.joinUrl")
    return f"<t:JoinOnlineMeetingUrl>{text(url)}</t:JoinOnlineMeetingUrl>" if url else ""


def _optional(name: str, value: Callable[[Source], str]) -> Callable[[Source], str]:
    """An element that Exchange leaves out when it would be empty."""
    return lambda source: f"<t:{name}>{text(value(source))}</t:{name}>" if value(source) else ""


# In the order of the schema (types.xsd: ItemType, then CalendarItemType).
ELEMENTS: Mapping[str, Callable[[Source], str]] = {
    "item:ParentFolderId": lambda s: (
        f'<t:ParentFolderId Id="{folder_id(s.mailbox.guid, "calendar")}" ChangeKey="AQAAAA=="/>'
    ),
    "item:ItemClass": _element("ItemClass", lambda s: "IPM.Appointment"),
    "item:Subject": _optional("Subject", lambda s: s.meeting.subject),
    "item:Sensitivity": _element("Sensitivity", lambda s: s.meeting.sensitivity.capitalize()),
    "item:Body": _body,
    "item:DateTimeReceived": _time("DateTimeReceived", lambda s: s.appointment.created),
    "item:Size": _element("Size", lambda s: str(2048 + len(s.meeting.body))),
    "item:Importance": _element("Importance", lambda s: "Normal"),
    "item:IsSubmitted": _flag("IsSubmitted", lambda s: False),
    "item:IsDraft": _flag("IsDraft", lambda s: s.appointment.draft),
    "item:IsFromMe": _flag("IsFromMe", lambda s: False),
    "item:IsResend": _flag("IsResend", lambda s: False),
    "item:IsUnmodified": _flag("IsUnmodified", lambda s: False),
    "item:DateTimeSent": _time("DateTimeSent", lambda s: s.appointment.created),
    "item:DateTimeCreated": _time("DateTimeCreated", lambda s: s.appointment.created),
    "item:ReminderDueBy": _time("ReminderDueBy", lambda s: s.meeting.start),
    "item:ReminderIsSet": _flag("ReminderIsSet", lambda s: False),
    "item:ReminderMinutesBeforeStart": _element("ReminderMinutesBeforeStart", lambda s: "15"),
    "item:DisplayCc": lambda s: "<t:DisplayCc/>",
    "item:DisplayTo": _element("DisplayTo", lambda s: "; ".join(p.name for p in (*s.meeting.attendees, _room(s)))),
    "item:HasAttachments": _flag("HasAttachments", lambda s: False),
    _EXTENDED: lambda s: "",
    "item:Culture": _element("Culture", lambda s: "en-US"),
    "item:LastModifiedName": _element("LastModifiedName", lambda s: s.mailbox.name),
    "item:LastModifiedTime": _time("LastModifiedTime", lambda s: s.appointment.modified),
    "item:TextBody": lambda s: (
        f'<t:TextBody BodyType="Text" IsTruncated="false">{text(bodies.as_text(s.meeting))}</t:TextBody>'
    ),
    "calendar:UID": _element("UID", lambda s: s.meeting.uid),
    "calendar:RecurrenceId": _time("RecurrenceId", lambda s: s.meeting.original_start),
    "calendar:DateTimeStamp": _time("DateTimeStamp", lambda s: s.appointment.modified),
    "calendar:Start": _time("Start", lambda s: s.meeting.start),
    "calendar:End": _time("End", lambda s: s.meeting.end),
    "calendar:OriginalStart": _time("OriginalStart", lambda s: s.meeting.original_start),
    "calendar:IsAllDayEvent": _flag("IsAllDayEvent", lambda s: s.meeting.all_day),
    "calendar:LegacyFreeBusyStatus": _element(
        "LegacyFreeBusyStatus", lambda s: _SHOW_AS.get(s.meeting.show_as, s.meeting.show_as.capitalize())
    ),
    "calendar:Location": _optional(
        "Location", lambda s: "; ".join(place for place in (s.meeting.location, *s.meeting.locations) if place)
    ),
    "calendar:IsMeeting": _flag("IsMeeting", _is_meeting),
    "calendar:IsCancelled": _flag("IsCancelled", lambda s: s.meeting.cancelled),
    "calendar:IsRecurring": _flag("IsRecurring", lambda s: bool(s.appointment.rule)),
    "calendar:MeetingRequestWasSent": _flag("MeetingRequestWasSent", lambda s: s.meeting.is_organizer),
    "calendar:IsResponseRequested": _flag("IsResponseRequested", lambda s: True),
    "calendar:CalendarItemType": _element("CalendarItemType", lambda s: _KINDS[s.meeting.kind]),
    "calendar:MyResponseType": _element("MyResponseType", lambda s: _RESPONSES[s.meeting.response]),
    "calendar:Organizer": _organizer,
    "calendar:RequiredAttendees": _attendees(
        "RequiredAttendees", lambda s: ((person, "Unknown") for person in s.meeting.attendees)
    ),
    "calendar:Resources": _attendees("Resources", lambda s: ((_room(s), _RESPONSES[s.meeting.response]),)),
    "calendar:ConflictingMeetingCount": _element("ConflictingMeetingCount", lambda s: "0"),
    "calendar:AdjacentMeetingCount": _element("AdjacentMeetingCount", lambda s: "0"),
    "calendar:Duration": _element("Duration", _duration),
    "calendar:TimeZone": _element("TimeZone", lambda s: display_name(s.appointment.timezone)),
    "calendar:AppointmentReplyTime": _time("AppointmentReplyTime", lambda s: s.appointment.modified),
    "calendar:AppointmentSequenceNumber": _element("AppointmentSequenceNumber", lambda s: "0"),
    "calendar:AppointmentState": _element("AppointmentState", _state),
    "calendar:StartTimeZone": _zone("StartTimeZone"),
    "calendar:EndTimeZone": _zone("EndTimeZone"),
    "calendar:ConferenceType": _element("ConferenceType", lambda s: "0"),
    "calendar:AllowNewTimeProposal": _flag("AllowNewTimeProposal", lambda s: True),
    "calendar:IsOnlineMeeting": _flag("IsOnlineMeeting", _is_online),
    "calendar:StartTimeZoneId": _element("StartTimeZoneId", lambda s: windows_name(s.appointment.timezone)),
    "calendar:EndTimeZoneId": _element("EndTimeZoneId", lambda s: windows_name(s.appointment.timezone)),
    "calendar:JoinOnlineMeetingUrl": _join_url,
    "calendar:IsOrganizer": _flag("IsOrganizer", lambda s: s.meeting.is_organizer),
}
_DEFAULT = (
    "item:Subject item:Body item:HasAttachments item:Sensitivity calendar:Start calendar:End "
    "calendar:LegacyFreeBusyStatus calendar:Location calendar:IsMeeting calendar:IsCancelled "
    "calendar:IsRecurring calendar:CalendarItemType calendar:MyResponseType calendar:Organizer "
    "calendar:RequiredAttendees calendar:Resources"
)
_SHAPES: Mapping[str, frozenset[str]] = {
    "IdOnly": frozenset(),
    "Default": frozenset(_DEFAULT.split()),
    "AllProperties": frozenset(ELEMENTS),
}
# FindItem reads a table of the store: bodies, people and what is worked out per item are not in it.
_NOT_FOUND = frozenset(
    ("item:Body", "item:TextBody", "calendar:RequiredAttendees", "calendar:Resources", "calendar:JoinOnlineMeetingUrl")
)
