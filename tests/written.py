"""The same invitation written down in every format that is read, as the programs that use it write it."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from html import escape
from zoneinfo import ZoneInfo

from otd.formats.hidden import PUBLIC_STRINGS
from tests.icalendar_text import folded, ics, vevent

T0 = datetime(2026, 11, 24, 9, tzinfo=UTC)
HOUR = timedelta(hours=1)
OUTLOOK_UID = "040000008200E00074C5B7101A82E008" + "00000000" + "AB" * 32
ROOM = "room1@example.com"


@dataclass(frozen=True, slots=True, kw_only=True)
class Invitation:
    """What all formats can say. `hidden` are hidden properties by their MAPI names; `instance` marks an exception."""

    uid: str = "m1@example.com"
    start: datetime = T0
    end: datetime = T0 + HOUR
    subject: str = "Weekly review"
    body: str = "<html><body><p>Agenda &amp; minutes</p></body></html>"
    html: bool = True
    location: str = "Room 1"
    organizer: tuple[str, str] = ("Ann Example", "ann@example.com")
    attendees: tuple[tuple[str, str], ...] = (("Bo Example", "bo@example.org"),)
    hidden: tuple[tuple[str, str], ...] = ()
    answer: str = "accepted"  # the room's
    sensitivity: str = "normal"
    show_as: str = "busy"
    cancelled: bool = False
    all_day: bool = False
    zone: str = "UTC"  # the room's
    instance: datetime | None = None


def an_invitation(**overrides: object) -> Invitation:
    return replace(Invitation(), **overrides)  # type: ignore[arg-type]


def as_ics(one: Invitation) -> bytes:
    """As Outlook sends it."""
    zone = ZoneInfo(one.zone)

    def at(time: datetime) -> str:
        local = time.astimezone(zone)
        return f";VALUE=DATE:{local:%Y%m%d}" if one.all_day else f";TZID={one.zone}:{local:%Y%m%dT%H%M%S}"

    busy = {"busy": "BUSY", "free": "FREE", "tentative": "TENTATIVE", "oof": "OOF", "elsewhere": "WORKINGELSEWHERE"}
    answers = {"accepted": "ACCEPTED", "declined": "DECLINED", "tentative": "TENTATIVE", "unanswered": "NEEDS-ACTION"}
    people = [f'ATTENDEE;CN="{name}";PARTSTAT=NEEDS-ACTION:mailto:{address}' for name, address in one.attendees]
    lines = [
        f'ORGANIZER;CN="{one.organizer[0]}":mailto:{one.organizer[1]}',
        *people,
        f"ATTENDEE;CN=Room 1;CUTYPE=RESOURCE;PARTSTAT={answers[one.answer]}:mailto:{ROOM}",
        f"CLASS:{'PUBLIC' if one.sensitivity == 'normal' else one.sensitivity.upper()}",
        f"LOCATION:{_escaped(one.location)}",
        f"X-MICROSOFT-CDO-BUSYSTATUS:{busy[one.show_as]}",
        f"{'X-ALT-DESC;FMTTYPE=text/html' if one.html else 'DESCRIPTION'}:{_escaped(one.body)}",
        *(f"X-MICROSOFT-{name.upper()}:{_escaped(value)}" for name, value in one.hidden),
    ]
    if one.instance:
        lines.append(f"RECURRENCE-ID{at(one.instance)}")
    text = vevent(*lines, uid=one.uid, start=at(one.start), end=at(one.end), summary=_escaped(one.subject))
    return folded(ics(text, method="CANCEL" if one.cancelled else "PUBLISH").decode()).encode()


def as_eml(one: Invitation) -> bytes:
    """As it lies in a mailbox, with a picture of it that a filter on the way has rewritten."""
    mail = EmailMessage()
    mail["From"] = f"{one.organizer[0]} <{one.organizer[1]}>"
    mail["To"] = ROOM
    mail["Subject"] = one.subject
    mail["Date"] = "Mon, 23 Nov 2026 10:00:00 +0100"
    mail.set_content("CAUTION: this mail comes from outside.")
    mail.add_alternative("<p>CAUTION: this mail comes from outside.</p>", subtype="html")
    mail.add_alternative(as_ics(one).decode(), subtype="calendar", cte="base64", params={"method": "PUBLISH"})
    return mail.as_bytes()


def as_graph(one: Invitation) -> bytes:
    """As Microsoft Graph gives it in a calendarView."""

    def at(time: datetime) -> dict[str, str]:
        shown = time.astimezone(ZoneInfo(one.zone)) if one.all_day else time
        return {"dateTime": f"{shown:%Y-%m-%dT%H:%M:%S}.0000000", "timeZone": "UTC"}

    def person(name: str, address: str) -> dict[str, object]:
        return {"emailAddress": {"name": name, "address": address}}

    answers = {"tentative": "tentativelyAccepted", "unanswered": "notResponded"}
    event = {
        "id": "AAMkAGraph=",
        "changeKey": "graph",
        "iCalUId": _dated(one),
        "subject": one.subject,
        "sensitivity": one.sensitivity,
        "isAllDay": one.all_day,
        "isCancelled": one.cancelled,
        "isOrganizer": False,
        "showAs": {"elsewhere": "workingElsewhere"}.get(one.show_as, one.show_as),
        "type": "exception" if one.instance else "singleInstance",
        "responseStatus": {"response": answers.get(one.answer, one.answer), "time": "0001-01-01T00:00:00Z"},
        "body": {"contentType": "html" if one.html else "text", "content": one.body},
        "start": at(one.start),
        "end": at(one.end),
        "location": {"displayName": one.location, "locationUri": ROOM, "uniqueId": ROOM},
        "attendees": [*(person(*who) for who in one.attendees), person("Room 1", ROOM)],
        "organizer": person(*one.organizer),
        "singleValueExtendedProperties": [
            {"id": f"String {{{PUBLIC_STRINGS.lower()}}} Name {name}", "value": value} for name, value in one.hidden
        ],
    }
    if one.instance:
        event["originalStart"] = f"{one.instance:%Y-%m-%dT%H:%M:%SZ}"
    return json.dumps({"@odata.context": "x", "value": [event]}).encode()


def as_ews(one: Invitation) -> bytes:
    """As Exchange Server answers a GetItem."""
    answers = {
        "accepted": "Accept",
        "declined": "Decline",
        "tentative": "Tentative",
        "unanswered": "NoResponseReceived",
    }
    shown = {"oof": "OOF", "elsewhere": "WorkingElsewhere"}

    def tag(name: str, text: str, more: str = "") -> str:
        return f"<t:{name}{more}>{escape(text, quote=False)}</t:{name}>"

    def mailbox(name: str, address: str) -> str:
        return f"<t:Mailbox>{tag('Name', name)}{tag('EmailAddress', address)}{tag('RoutingType', 'SMTP')}</t:Mailbox>"

    def hidden(name: str, value: str) -> str:
        named = f'DistinguishedPropertySetId="PublicStrings" PropertyName="{name}" PropertyType="String"'
        uri = f"<t:ExtendedFieldURI {named}/>"
        return f"<t:ExtendedProperty>{uri}{tag('Value', value)}</t:ExtendedProperty>"

    def people(group: str, *members: tuple[str, str]) -> str:
        inside = "".join(f"<t:Attendee>{mailbox(*who)}</t:Attendee>" for who in members)
        return f"<t:{group}>{inside}</t:{group}>"

    item = "".join(
        (
            '<t:ItemId Id="AAMkAEws=" ChangeKey="ews"/>',
            tag("Subject", one.subject),
            tag("Sensitivity", one.sensitivity.capitalize()),
            tag("Body", one.body, f' BodyType="{"HTML" if one.html else "Text"}"'),
            *(hidden(*pair) for pair in one.hidden),
            tag("UID", one.uid),
            tag("RecurrenceId", f"{one.instance:%Y-%m-%dT%H:%M:%SZ}") if one.instance else "",
            tag("Start", f"{one.start:%Y-%m-%dT%H:%M:%SZ}"),
            tag("End", f"{one.end:%Y-%m-%dT%H:%M:%SZ}"),
            tag("IsAllDayEvent", str(one.all_day).lower()),
            tag("LegacyFreeBusyStatus", shown.get(one.show_as, one.show_as.capitalize())),
            tag("Location", one.location),
            tag("IsCancelled", str(one.cancelled).lower()),
            tag("CalendarItemType", "Exception" if one.instance else "Single"),
            tag("MyResponseType", answers[one.answer]),
            f"<t:Organizer>{mailbox(*one.organizer)}</t:Organizer>",
            people("RequiredAttendees", *one.attendees),
            people("Resources", ("Room 1", ROOM)),
        )
    )
    return _ENVELOPE.replace("@", f"<t:CalendarItem>{item}</t:CalendarItem>").encode()


WRITTEN = {"x.ics": as_ics, "x.eml": as_eml, "x.json": as_graph, "x.xml": as_ews}

_ENVELOPE = (
    '<?xml version="1.0" encoding="utf-8"?><s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>'
    '<m:GetItemResponse xmlns:m="http://schemas.microsoft.com/exchange/services/2006/messages" '
    'xmlns:t="http://schemas.microsoft.com/exchange/services/2006/types"><m:ResponseMessages>'
    '<m:GetItemResponseMessage ResponseClass="Success"><m:ResponseCode>NoError</m:ResponseCode><m:Items>@</m:Items>'
    "</m:GetItemResponseMessage></m:ResponseMessages></m:GetItemResponse></s:Body></s:Envelope>"
)


def _escaped(text: str) -> str:
    """RFC 5545 section 3.3.11."""
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace(",", "\\,").replace(";", "\\;")


def _dated(one: Invitation) -> str:
    """Graph's iCalUId: Outlook's own hold the date of the occurrence in their bytes 16 to 19 (MS-OXOCAL)."""
    if not one.instance or not one.uid.startswith(OUTLOOK_UID[:32]):
        return one.uid
    day = one.instance
    return f"{one.uid[:32]}{day.year:04X}{day.month:02X}{day.day:02X}{one.uid[40:]}"
