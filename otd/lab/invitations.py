"""Puts iCalendar invitations into a simulated mailbox, as Exchange keeps them when they arrive.

Series stay series: their rule, exceptions and deleted occurrences are the mailbox's to expand. The X- properties that
Outlook sends become the named properties that they are in Exchange (MS-OXCICAL, section 2.1.3.1.1.20).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from icalendar import Calendar

from otd.lab.mailboxes import Mailbox
from otd.lab.zones import zone as zone_named
from otd.model import Meeting, Person, Response, Sensitivity, ShowAs

_NAMED = {
    f"X-MICROSOFT-{name.upper()}": name
    for name in (
        "SkypeTeamsMeetingUrl",
        "SkypeTeamsProperties",
        "SchedulingServiceUpdateUrl",
        "OnlineMeetingConfLink",
        "OnlineMeetingExternalLink",
        "OnlineMeetingInternalLink",
        "OnlineMeetingConferenceId",
        "OnlineMeetingTollNumber",
        "OnlineMeetingInformation",
        "ConferenceTelURI",
    )
}
_SENSITIVITIES: Mapping[str, Sensitivity] = {"PRIVATE": "private", "CONFIDENTIAL": "confidential"}
_BUSY: Mapping[str, ShowAs] = {"FREE": "free", "TENTATIVE": "tentative", "OOF": "oof", "WORKINGELSEWHERE": "elsewhere"}
_STATUSES: Mapping[str, Response] = {"ACCEPTED": "accepted", "TENTATIVE": "tentative", "DECLINED": "declined"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Invitation:
    """One uid of an iCalendar file: a single meeting, or a series with its exceptions."""

    meeting: Meeting
    rule: str = ""
    timezone: str = "UTC"
    exceptions: Mapping[datetime, Meeting | None] = field(default_factory=dict)

    def shifted(self, by: timedelta) -> Invitation:
        """So much later by the clock in its zone; a series keeps its weekdays only when that is whole weeks."""
        zone = ZoneInfo(self.timezone)

        def later(time: datetime) -> datetime:
            return (time.astimezone(zone) + by).astimezone(UTC)

        def at(meeting: Meeting) -> Meeting:
            return replace(meeting, start=later(meeting.start), end=later(meeting.end))

        return replace(
            self,
            meeting=at(self.meeting),
            rule=_until(self.rule, later),
            exceptions={later(start): meeting and at(meeting) for start, meeting in self.exceptions.items()},
        )


def put(mailbox: Mailbox, data: bytes, *, shift: timedelta = timedelta(0)) -> tuple[str, ...]:
    """Every invitation of an iCalendar file, moved by `shift`; returns the ids. Raises ValueError for other bytes."""
    return tuple(
        mailbox.add(one.meeting, rule=one.rule, timezone=one.timezone, exceptions=one.exceptions)
        for one in (invitation.shifted(shift) for invitation in read(data, timezone=mailbox.timezone))
    )


def read(data: bytes, *, timezone: str = "UTC") -> Iterator[Invitation]:
    """What the file holds. `timezone` is that of floating times and of dates."""
    calendar = Calendar.from_ical(data)
    cancelled = str(calendar.get("METHOD", "")).upper() == "CANCEL"
    by_uid: dict[str, list[Any]] = {}
    for event in calendar.walk("VEVENT"):
        by_uid.setdefault(str(event.get("UID", "")), []).append(event)
    for events in by_uid.values():
        yield _invitation(events, timezone, cancelled)


def _invitation(events: list[Any], timezone: str, cancelled: bool) -> Invitation:
    first = next((event for event in events if "RECURRENCE-ID" not in event), events[0])
    named = zone_named(str(first["DTSTART"].params.get("TZID", "")))
    zone = named.key if named else timezone
    rule = first["RRULE"].to_ical().decode() if "RRULE" in first else ""
    meeting = _meeting(first, zone, cancelled)
    exceptions: dict[datetime, Meeting | None] = {}
    for dates in _listed(first.get("EXDATE")):
        exceptions |= {_instant(each.dt, zone): None for each in dates.dts}
    for event in events:
        if event is not first:
            exceptions[_instant(event["RECURRENCE-ID"].dt, zone)] = _meeting(event, zone, cancelled)
    return Invitation(meeting=meeting, rule=_in_utc(rule, zone), timezone=zone, exceptions=exceptions if rule else {})


def _meeting(event: Any, zone: str, cancelled: bool) -> Meeting:
    start = event["DTSTART"].dt
    all_day = not isinstance(start, datetime)
    body, body_type = _body(event)
    properties = tuple(_properties(event))
    return Meeting(
        id="",
        uid=str(event.get("UID", "")),
        start=_instant(start, zone),
        end=_instant(_end(event), zone),
        subject=str(event.get("SUMMARY", "")),
        body=body,
        body_type="html" if body_type == "html" else "text",
        location=str(event.get("LOCATION", "")),
        properties=properties,
        organizer=_person(event["ORGANIZER"]) if "ORGANIZER" in event else Person(),
        attendees=tuple(_person(one) for one in _people(event)),
        all_day=all_day,
        cancelled=cancelled or str(event.get("STATUS", "")).upper() == "CANCELLED",
        sensitivity=_SENSITIVITIES.get(str(event.get("CLASS", "")).upper(), "normal"),
        show_as=_BUSY.get(str(event.get("X-MICROSOFT-CDO-BUSYSTATUS", "")).upper(), "busy"),
        response=_response(event),
    )


def _body(event: Any) -> tuple[str, str]:
    for alternative in _listed(event.get("X-ALT-DESC")):
        if str(alternative.params.get("FMTTYPE", "")).casefold() == "text/html":
            return _plain(alternative), "html"
    return str(event.get("DESCRIPTION", "")), "text"


def _properties(event: Any) -> Iterator[tuple[str, str]]:
    for name, mapi in _NAMED.items():
        if name in event:
            yield mapi, _plain(event[name])
    if url := _plain(event.get("X-MICROSOFT-SKYPETEAMSMEETINGURL", "")):
        yield "onlineMeeting.joinUrl", url
        yield "onlineMeeting.provider", "teamsForBusiness"


def _plain(value: Any) -> str:
    """The text of an X- property, which the parser leaves escaped (RFC 5545 section 3.3.11)."""
    return re.sub(r"\\(.)", lambda found: "\n" if found[1] in "nN" else found[1], str(value))


def _end(event: Any) -> date:
    if "DTEND" in event:
        found: date = event["DTEND"].dt
        return found
    start: date = event["DTSTART"].dt
    length: timedelta = event["DURATION"].dt if "DURATION" in event else timedelta(days=not isinstance(start, datetime))
    return start + length


def _people(event: Any) -> list[Any]:
    """Those invited, without rooms."""
    return [
        one for one in _listed(event.get("ATTENDEE")) if str(one.params.get("CUTYPE", "")) not in ("RESOURCE", "ROOM")
    ]


def _response(event: Any) -> Response:
    """What the room answered, when the file says so."""
    for one in _listed(event.get("ATTENDEE")):
        if str(one.params.get("CUTYPE", "")) in ("RESOURCE", "ROOM"):
            return _STATUSES.get(str(one.params.get("PARTSTAT", "")).upper(), "accepted")
    return "accepted"


def _person(address: Any) -> Person:
    mail = str(address)
    mail = mail[7:] if mail.casefold().startswith("mailto:") else mail
    return Person(name=str(address.params.get("CN", mail)), address=mail)


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _instant(when: date, zone: str) -> datetime:
    if not isinstance(when, datetime):
        when = datetime.combine(when, time(0))
    return (when if when.tzinfo else when.replace(tzinfo=ZoneInfo(zone))).astimezone(UTC)


def _in_utc(rule: str, zone: str) -> str:
    """With UNTIL as a time in UTC, as a rule in a zone has it; files also state dates and floating times."""
    found = re.search(r"UNTIL=(\d{8})(T\d{6})?(?=;|$)", rule)
    if found is None:
        return rule
    local = datetime.strptime(found[1] + (found[2] or "T235959"), "%Y%m%dT%H%M%S")  # noqa: DTZ007
    utc = local.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
    return rule.replace(found[0], f"UNTIL={utc:%Y%m%dT%H%M%SZ}")


def _until(rule: str, later: Callable[[datetime], datetime]) -> str:
    found = re.search(r"UNTIL=(\d{8}T\d{6}Z)", rule)
    if found is None:
        return rule
    return rule.replace(found[1], f"{later(datetime.fromisoformat(found[1])):%Y%m%dT%H%M%SZ}")
