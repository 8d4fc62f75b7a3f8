"""Calendar items as XML: every element rendered once when a list comes in, and picked by each request.

The EWS schema is a sequence, so the order of ORDER is binding, whatever order a client asks in.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from otd.model import Booking, Endpoint
from otd.quoting import xml_text
from otd.relay.face import body, ids

ORDER = (
    *("ItemId", "ParentFolderId", "ItemClass", "Subject", "Sensitivity", "Body", "DateTimeReceived", "Size"),
    *("Importance", "IsDraft", "DateTimeSent", "DateTimeCreated", "ReminderIsSet", "ReminderMinutesBeforeStart"),
    *("DisplayCc", "DisplayTo", "HasAttachments", "LastModifiedTime", "TextBody"),
    *("UID", "DateTimeStamp", "Start", "End", "IsAllDayEvent", "LegacyFreeBusyStatus", "Location", "IsMeeting"),
    *("IsCancelled", "IsRecurring", "MeetingRequestWasSent", "IsResponseRequested", "CalendarItemType"),
    *("MyResponseType", "Organizer", "Duration", "TimeZone", "AppointmentSequenceNumber", "AppointmentState"),
    *("AllowNewTimeProposal", "IsOnlineMeeting", "StartTimeZoneId", "EndTimeZoneId", "IsOrganizer"),
)
ALWAYS = frozenset(
    (
        *("ItemId", "ItemClass", "Subject", "Sensitivity", "UID", "Start", "End", "IsAllDayEvent"),
        *("LegacyFreeBusyStatus", "Location", "IsMeeting", "IsCancelled", "IsRecurring", "CalendarItemType"),
        *("MyResponseType", "Organizer", "Duration"),
    )
)
FROM_2013 = frozenset(("TextBody", "StartTimeZoneId", "EndTimeZoneId", "IsOrganizer"))
BODIES = frozenset(("Body", "TextBody"))
ONLY_WHEN_ASKED = frozenset(("TextBody",))


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A booking, ready to be served. `parts` holds XML by element; "Body" is there by type, too."""

    id: str
    key: str
    start: datetime
    end: datetime
    parts: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """Which elements an item is given with, in the order of the schema, and the type of its body."""

    names: tuple[str, ...]
    body: str  # Best | HTML | Text


def shape(
    asked: frozenset[str], base: str, body_type: str, generation: int, *, found: bool, bodyless: bool, uid: bool
) -> Shape:
    """What to give for a base shape and the fields asked for beside it. `found`: it is for FindItem. `bodyless`: the
    body is left out. `uid`: a client of Exchange 2007 gets the UID."""
    names = set(asked) if base == "IdOnly" else set(asked) | (frozenset(ORDER) - ONLY_WHEN_ASKED)
    names |= {"ItemId"} if found and base == "IdOnly" else ALWAYS
    if bodyless:
        names -= BODIES
    if generation < 2013:
        names -= FROM_2013
    if generation < 2010 and not uid:
        names -= {"UID"}
    return Shape(names=tuple(name for name in ORDER if name in names), body=body_type)


def xml(item: Item, shape: Shape) -> str:
    """The item in this shape."""
    parts = item.parts
    chosen = (parts[f"Body:{shape.body}"] if name == "Body" else parts[name] for name in shape.names)
    return f"<t:CalendarItem>{''.join(chosen)}</t:CalendarItem>"


def item(booking: Booking, endpoint: Endpoint, folder: str) -> Item:
    """A booking made ready. Of two relays that were given the same booking both make the same item."""
    words = body.strategy(endpoint)
    lines = body.lines(booking, words)
    text, html, place = body.text(lines), body.html(lines), body.location(booking, endpoint, words)
    name = booking.organizer or endpoint.label or endpoint.mailbox
    start, end = booking.start.replace(microsecond=0), booking.end.replace(microsecond=0)
    sensitivity = "Private" if booking.private else "Normal"
    id = ids.item_id(booking.id)
    key = ids.change_key(booking.title, sensitivity, text, html, place, name, start, end, booking.start_buffer, words)
    said = _utc(start - timedelta(days=1))  # when the invitation came is not known; it must be the same everywhere
    title = booking.title.strip() or sensitivity
    values = {
        "ItemClass": "IPM.Appointment",
        "Subject": title,
        "Sensitivity": sensitivity,
        "DateTimeReceived": said,
        "Size": str(len(text) + len(title) + len(place)),
        "Importance": "Normal",
        "IsDraft": "false",
        "DateTimeSent": said,
        "DateTimeCreated": said,
        "ReminderIsSet": "true",
        "ReminderMinutesBeforeStart": str(booking.start_buffer // timedelta(minutes=1)),
        "DisplayCc": "",
        "DisplayTo": endpoint.label or endpoint.mailbox,
        "HasAttachments": "false",
        "LastModifiedTime": said,
        "UID": booking.id,
        "DateTimeStamp": said,
        "Start": _utc(start),
        "End": _utc(end),
        "IsAllDayEvent": "false",
        "LegacyFreeBusyStatus": "Busy",
        "Location": place,
        "IsMeeting": "true",
        "IsCancelled": "false",
        "IsRecurring": "false",
        "MeetingRequestWasSent": "true",
        "IsResponseRequested": "false",
        "CalendarItemType": "Single",
        "MyResponseType": "Accept",
        "Duration": duration(end - start),
        "TimeZone": "(UTC) Coordinated Universal Time",
        "AppointmentSequenceNumber": "0",
        "AppointmentState": "3",  # a meeting that was received
        "AllowNewTimeProposal": "false",
        "IsOnlineMeeting": "false",
        "StartTimeZoneId": "UTC",
        "EndTimeZoneId": "UTC",
        "IsOrganizer": "false",
    }
    parts = {name: _element(name, value) for name, value in values.items()}
    parts["ItemId"] = f'<t:ItemId Id="{id}" ChangeKey="{key}"/>'
    parts["ParentFolderId"] = f'<t:ParentFolderId Id="{folder}"/>'
    parts["Organizer"] = _organizer(name, booking, endpoint)
    parts["Body:Text"] = _body("Body", "Text", text)
    parts["Body:HTML"] = _body("Body", "HTML", html)
    parts["Body:Best"] = parts["Body:HTML" if "html" in words else "Body:Text"]
    parts["TextBody"] = _body("TextBody", "Text", text)
    return Item(id=id, key=key, start=start, end=end, parts=parts)


def duration(span: timedelta) -> str:
    """As XML Schema writes it, in the form of Exchange: PT1H30M, P1DT2H."""
    minutes, seconds = divmod(span // timedelta(seconds=1), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    time = "".join(f"{number}{unit}" for number, unit in ((hours, "H"), (minutes, "M"), (seconds, "S")) if number)
    return f"P{days}D{'T' + time if time else ''}" if days else f"PT{time or '0S'}"


def _utc(time: datetime) -> str:
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _element(name: str, value: str) -> str:
    return f"<t:{name}>{xml_text(value)}</t:{name}>" if value else f"<t:{name}/>"


def _body(name: str, kind: str, value: str) -> str:
    opening = f'<t:{name} BodyType="{kind}"'
    return f"{opening}>{xml_text(value)}</t:{name}>" if value else f"{opening}/>"


def _organizer(name: str, booking: Booking, endpoint: Endpoint) -> str:
    """The organiser's name; an address must be there, and it is never theirs but when it is all that is known."""
    address = booking.organizer if "@" in booking.organizer else endpoint.mailbox
    return (
        f"<t:Organizer><t:Mailbox><t:Name>{xml_text(name)}</t:Name><t:EmailAddress>{xml_text(address)}"
        "</t:EmailAddress><t:RoutingType>SMTP</t:RoutingType></t:Mailbox></t:Organizer>"
    )
