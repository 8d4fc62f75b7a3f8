"""Calendar items as XML, in the shape that a request asks for.

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
    """A booking as an item of a calendar. Its XML is made when it is first asked for: a list has many items and shapes,
    of which an endpoint asks for few."""

    id: str
    key: str
    start: datetime
    end: datetime
    booking: Booking
    endpoint: Endpoint
    folder: str


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


def item(booking: Booking, endpoint: Endpoint, folder: str) -> Item:
    """A booking made ready. Of two relays that were given the same booking both make the same item."""
    words = body.strategy(endpoint)
    lines, place = body.lines(booking, words), body.location(booking, endpoint, words)
    start, end = booking.start.replace(microsecond=0), booking.end.replace(microsecond=0)
    times = (start, end, booking.start_buffer)
    key = ids.change_key(
        _title(booking), booking.private, lines, place, _organizer_name(booking, endpoint), times, words
    )
    return Item(
        id=ids.item_id(booking.id),
        key=key,
        start=start,
        end=end,
        booking=booking,
        endpoint=endpoint,
        folder=folder,
    )


def xml(item: Item, shape: Shape) -> str:
    """The item in this shape."""
    own = _own(item, shape.body)
    return f"<t:CalendarItem>{''.join(own.get(name) or _ALIKE[name] for name in shape.names)}</t:CalendarItem>"


def _own(item: Item, body_type: str) -> dict[str, str]:
    """The elements in which items differ, by name."""
    booking, endpoint = item.booking, item.endpoint
    words = body.strategy(endpoint)
    lines, place = body.lines(booking, words), body.location(booking, endpoint, words)
    text, title = body.text(lines), _title(booking)
    is_html = body_type == "HTML" or (body_type == "Best" and "html" in words)
    said = _utc(item.start - timedelta(days=1))  # when the invitation came is not known; it must be the same everywhere
    plain = {
        "Subject": title,
        "Sensitivity": "Private" if booking.private else "Normal",
        "Size": str(len(text) + len(title) + len(place)),
        "ReminderMinutesBeforeStart": str(booking.start_buffer // timedelta(minutes=1)),
        "DisplayTo": endpoint.label or endpoint.mailbox,
        "UID": booking.id,
        "Start": _utc(item.start),
        "End": _utc(item.end),
        "Location": place,
        "Duration": duration(item.end - item.start),
        **dict.fromkeys(_SAID, said),
    }
    return {name: _element(name, value) for name, value in plain.items()} | {
        "ItemId": f'<t:ItemId Id="{item.id}" ChangeKey="{item.key}"/>',
        "ParentFolderId": f'<t:ParentFolderId Id="{item.folder}"/>',
        "Organizer": _organizer(booking, endpoint),
        "Body": _body("Body", "HTML", body.html(lines)) if is_html else _body("Body", "Text", text),
        "TextBody": _body("TextBody", "Text", text),
    }


def _title(booking: Booking) -> str:
    """Never empty: some endpoints drop an item without a subject."""
    return booking.title.strip() or ("Private" if booking.private else "Meeting")


def _organizer_name(booking: Booking, endpoint: Endpoint) -> str:
    """Never empty, for the same reason."""
    return booking.organizer or endpoint.label or endpoint.mailbox


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


def _organizer(booking: Booking, endpoint: Endpoint) -> str:
    """The organiser's name; an address must be there, and it is never theirs but when it is all that is known."""
    address = booking.organizer if "@" in booking.organizer else endpoint.mailbox
    return (
        f"<t:Organizer><t:Mailbox><t:Name>{xml_text(_organizer_name(booking, endpoint))}</t:Name>"
        f"<t:EmailAddress>{xml_text(address)}</t:EmailAddress><t:RoutingType>SMTP</t:RoutingType></t:Mailbox>"
        "</t:Organizer>"
    )


_SAID = ("DateTimeReceived", "DateTimeSent", "DateTimeCreated", "LastModifiedTime", "DateTimeStamp")
_ALIKE = {
    name: _element(name, value)
    for name, value in {
        "ItemClass": "IPM.Appointment",
        "Importance": "Normal",
        "IsDraft": "false",
        "ReminderIsSet": "true",
        "DisplayCc": "",
        "HasAttachments": "false",
        "IsAllDayEvent": "false",
        "LegacyFreeBusyStatus": "Busy",
        "IsMeeting": "true",
        "IsCancelled": "false",
        "IsRecurring": "false",
        "MeetingRequestWasSent": "true",
        "IsResponseRequested": "false",
        "CalendarItemType": "Single",
        "MyResponseType": "Accept",
        "TimeZone": "(UTC) Coordinated Universal Time",
        "AppointmentSequenceNumber": "0",
        "AppointmentState": "3",  # a meeting that was received
        "AllowNewTimeProposal": "false",
        "IsOnlineMeeting": "false",
        "StartTimeZoneId": "UTC",
        "EndTimeZoneId": "UTC",
        "IsOrganizer": "false",
    }.items()
}
