"""A CalendarItem of Exchange Web Services, as a Meeting."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from lxml import etree

from otd.formats.ews_item import TYPES, is_draft, key_of, meeting
from otd.model import Meeting, Person
from tests.unit.test_uid import SERIES

BERLIN = ZoneInfo("Europe/Berlin")
USUAL = {
    "ItemId": '<t:ItemId Id="AAMk1=" ChangeKey="DwAA1"/>',
    "Subject": "<t:Subject>Design review</t:Subject>",
    "Body": '<t:Body BodyType="HTML">&lt;p&gt;Hello&lt;/p&gt;</t:Body>',
    "UID": f"<t:UID>{SERIES}</t:UID>",
    "Start": "<t:Start>2026-11-24T09:00:00Z</t:Start>",
    "End": "<t:End>2026-11-24T10:30:00Z</t:End>",
    "LegacyFreeBusyStatus": "<t:LegacyFreeBusyStatus>Busy</t:LegacyFreeBusyStatus>",
    "Location": "<t:Location>Room 1</t:Location>",
    "CalendarItemType": "<t:CalendarItemType>Single</t:CalendarItemType>",
    "MyResponseType": "<t:MyResponseType>Accept</t:MyResponseType>",
    "Organizer": "<t:Organizer><t:Mailbox><t:Name>Ann Example</t:Name><t:EmailAddress>ann@example.com</t:EmailAddress>"
    "<t:RoutingType>SMTP</t:RoutingType></t:Mailbox></t:Organizer>",
}


def an_item(**overrides: str) -> etree._Element:
    parts = USUAL | {name: f"<t:{name}>{value}</t:{name}>" for name, value in overrides.items() if value[:1] != "<"}
    parts |= {name: value for name, value in overrides.items() if value[:1] == "<"}
    return etree.fromstring(f'<t:CalendarItem xmlns:t="{TYPES}">{"".join(parts.values())}</t:CalendarItem>')


def read(zone: ZoneInfo = BERLIN, **overrides: str) -> Meeting:
    return meeting(an_item(**overrides), zone)


def all_day(start: str, end: str, booked_in: str, zone: ZoneInfo) -> Meeting:
    return read(
        zone,
        IsAllDayEvent="true",
        Start=start,
        End=end,
        StartTimeZone=f'<t:StartTimeZone Id="{booked_in}"/>',
        EndTimeZone=f'<t:EndTimeZone Id="{booked_in}"/>',
    )


def test_a_single_item_says_who_what_when_and_where() -> None:
    assert read() == Meeting(
        id="AAMk1=",
        uid=SERIES,
        start=datetime(2026, 11, 24, 9, tzinfo=UTC),
        end=datetime(2026, 11, 24, 10, 30, tzinfo=UTC),
        change_key="DwAA1",
        subject="Design review",
        body="<p>Hello</p>",
        body_type="html",
        location="Room 1",
        organizer=Person(name="Ann Example", address="ann@example.com"),
    )


@pytest.fixture(params=["UTC", "America/Los_Angeles", "Pacific/Auckland"])
def process_zone(request: pytest.FixtureRequest) -> Iterator[str]:
    before = os.environ.get("TZ")
    os.environ["TZ"] = request.param
    time.tzset()
    yield request.param
    if before is None:
        del os.environ["TZ"]
    else:
        os.environ["TZ"] = before
    time.tzset()


@pytest.mark.usefixtures("process_zone")
@pytest.mark.parametrize(
    ("start", "end", "booked_in"),
    [
        ("2026-11-24T00:00:00Z", "2026-11-25T00:00:00Z", "UTC"),
        ("2026-11-24T00:00:00Z", "2026-11-25T00:00:00Z", "Customized Time Zone"),
        ("2026-11-23T23:00:00Z", "2026-11-24T23:00:00Z", "W. Europe Standard Time"),
        ("2026-11-23T23:00:00Z", "2026-11-24T23:00:00Z", "Mitteleuropäische Zeit"),
        ("2026-11-24T08:00:00Z", "2026-11-25T08:00:00Z", "Pacific Standard Time"),
        ("2026-11-24T08:00:00Z", "2026-11-25T08:00:00Z", "tzone://Microsoft/Custom"),
        ("2026-11-23T11:00:00Z", "2026-11-24T11:00:00Z", "New Zealand Standard Time"),
    ],
)
def test_an_all_day_item_is_the_day_it_was_booked_for_in_the_rooms_zone(start: str, end: str, booked_in: str) -> None:
    found = all_day(start, end, booked_in, BERLIN)
    assert (found.start, found.end) == (datetime(2026, 11, 24, tzinfo=BERLIN), datetime(2026, 11, 25, tzinfo=BERLIN))


def test_an_all_day_item_lasts_a_day_at_least() -> None:
    found = all_day("2026-11-24T00:00:00Z", "2026-11-24T00:00:00Z", "UTC", BERLIN)
    assert found.end == datetime(2026, 11, 25, tzinfo=BERLIN)


def test_an_occurrence_says_when_it_was_to_start() -> None:
    moved = read(CalendarItemType="Exception", RecurrenceId="2026-11-23T09:00:00Z")
    assert (moved.kind, moved.original_start) == ("exception", datetime(2026, 11, 23, 9, tzinfo=UTC))
    assert read(
        CalendarItemType="Occurrence", OriginalStart="2026-11-24T09:00:00Z"
    ).original_start == moved.end.replace(hour=9, minute=0)
    assert read(CalendarItemType="Occurrence").original_start == datetime(2026, 11, 24, 9, tzinfo=UTC)
    assert read(OriginalStart="2026-11-24T09:00:00Z").original_start is None


def test_a_recurring_master_is_a_series() -> None:
    assert read(CalendarItemType="RecurringMaster").kind == "series"


def test_a_meeting_is_cancelled_by_its_flag_or_by_its_state() -> None:
    assert read(IsCancelled="true").cancelled
    assert read(AppointmentState="7").cancelled  # meeting, received, cancelled
    assert not read(AppointmentState="3", IsCancelled="false").cancelled


def test_hidden_properties_come_under_their_mapi_names() -> None:
    prop = (
        '<t:ExtendedProperty><t:ExtendedFieldURI DistinguishedPropertySetId="PublicStrings" PropertyName="{}" '
        'PropertyType="String"/><t:Value>{}</t:Value></t:ExtendedProperty>'
    )
    found = read(
        X=prop.format("skypeteamsmeetingurl", "https://teams.example.com/1"),
        Y=prop.format("OnlineMeetingExternalLink", ""),
        JoinOnlineMeetingUrl="https://meet.example.com/ann/1",
    )
    assert found.properties == (
        ("SkypeTeamsMeetingUrl", "https://teams.example.com/1"),
        ("onlineMeeting.joinUrl", "https://meet.example.com/ann/1"),
    )


@pytest.mark.parametrize(
    ("stated", "meant"),
    [("Decline", "declined"), ("Tentative", "tentative"), ("NoResponseReceived", "unanswered"), ("Unknown", "none")],
)
def test_the_rooms_answer_is_translated(stated: str, meant: str) -> None:
    assert read(MyResponseType=stated).response == meant


def test_a_room_that_books_for_itself_is_the_organiser() -> None:
    found = read(MyResponseType="Organizer", LegacyFreeBusyStatus="OOF", Sensitivity="Private")
    assert (found.is_organizer, found.response, found.show_as, found.private) == (True, "organizer", "oof", True)


def test_an_organiser_without_a_mail_address_has_a_name_only() -> None:
    found = read(
        Organizer="<t:Organizer><t:Mailbox><t:Name>Ann</t:Name><t:EmailAddress>/O=EX/CN=ANN</t:EmailAddress>"
        "</t:Mailbox></t:Organizer>"
    )
    assert found.organizer == Person(name="Ann")


def test_a_time_with_an_offset_is_understood() -> None:
    assert read(Start="2026-11-24T10:00:00+01:00").start == datetime(2026, 11, 24, 9, tzinfo=UTC)


def test_an_item_has_a_key_and_may_be_a_draft() -> None:
    assert key_of(an_item()) == ("AAMk1=", "DwAA1")
    assert is_draft(an_item(IsDraft="true"))
    assert not is_draft(an_item())


@pytest.mark.parametrize(
    "broken",
    [
        {"ItemId": "<t:ItemId/>"},
        {"Start": "secret-subject"},
        {"Start": ""},
        {"End": "2026-11-24T08:00:00Z"},
        {"AppointmentState": "secret-subject"},
        {"Start": "0001-01-01T00:00:00+14:00"},
    ],
)
def test_what_is_no_item_is_refused_without_being_quoted(broken: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"^an item") as refused:
        read(**broken)
    assert "secret" not in str(refused.value)
