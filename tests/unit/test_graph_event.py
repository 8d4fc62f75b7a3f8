"""An event of Microsoft Graph, as a Meeting."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otd.formats.graph_event import is_draft, meeting
from otd.model import Meeting, Person
from tests.unit.test_uid import OF_24_NOVEMBER, SERIES

BERLIN = ZoneInfo("Europe/Berlin")
PUBLIC = "String {00020329-0000-0000-c000-000000000046} Name "


def an_event(**overrides: Any) -> dict[str, Any]:
    usual = {
        "@odata.etag": 'W/"zQhO1w=="',
        "id": "AAMkAGI1=",
        "changeKey": "zQhO1w==",
        "iCalUId": OF_24_NOVEMBER,
        "subject": "Design review",
        "sensitivity": "normal",
        "isAllDay": False,
        "isCancelled": False,
        "isOrganizer": False,
        "isDraft": False,
        "seriesMasterId": None,
        "showAs": "busy",
        "type": "singleInstance",
        "onlineMeetingProvider": "unknown",
        "onlineMeetingUrl": None,
        "responseStatus": {"response": "accepted", "time": "0001-01-01T00:00:00Z"},
        "body": {"contentType": "html", "content": "<html>Hello</html>"},
        "start": {"dateTime": "2026-11-24T09:00:00.0000000", "timeZone": "UTC"},
        "end": {"dateTime": "2026-11-24T10:30:00.1234567", "timeZone": "UTC"},
        "location": {"displayName": "Room 1", "uniqueId": "room1@example.com", "locationUri": "room1@example.com"},
        "locations": [{"displayName": "Room 1"}],
        "attendees": [{"emailAddress": {"name": "Room 1", "address": "room1@example.com"}, "type": "resource"}],
        "organizer": {"emailAddress": {"name": "Ann Example", "address": "ann@example.com"}},
        "onlineMeeting": None,
    }
    return usual | overrides


def read(**overrides: Any) -> Meeting:
    return meeting(an_event(**overrides), BERLIN)


def test_a_single_event_says_who_what_when_and_where() -> None:
    assert read() == Meeting(
        id="AAMkAGI1=",
        uid=SERIES,
        start=datetime(2026, 11, 24, 9, tzinfo=UTC),
        end=datetime(2026, 11, 24, 10, 30, 0, 123456, tzinfo=UTC),
        change_key="zQhO1w==",
        subject="Design review",
        body="<html>Hello</html>",
        body_type="html",
        location="Room 1",
        organizer=Person(name="Ann Example", address="ann@example.com"),
        attendees=(Person(name="Room 1", address="room1@example.com"),),
    )


def test_the_uid_of_the_series_is_taken_when_graph_states_one() -> None:
    assert read(uid="series@example.org").uid == "series@example.org"


def test_an_event_without_any_uid_is_known_by_its_id() -> None:
    assert read(iCalUId=None).uid == "AAMkAGI1="


def test_ids_keep_their_letters() -> None:
    assert {read(id="AAMkAGI1=").id, read(id="aamkAGI1=").id} == {"AAMkAGI1=", "aamkAGI1="}


def test_an_all_day_event_is_dates_in_the_rooms_zone_whatever_zone_stands_beside_it() -> None:
    for zone in ("UTC", "Pacific Standard Time", "tzone://Microsoft/Custom"):
        found = read(
            isAllDay=True,
            start={"dateTime": "2026-11-24T00:00:00.0000000", "timeZone": zone},
            end={"dateTime": "2026-11-25T00:00:00.0000000", "timeZone": zone},
        )
        assert found.all_day
        assert (found.start, found.end) == (
            datetime(2026, 11, 24, tzinfo=BERLIN),
            datetime(2026, 11, 25, tzinfo=BERLIN),
        )


@pytest.mark.parametrize("zone", ["W. Europe Standard Time", "Europe/Berlin"])
def test_a_time_in_the_organisers_zone_is_understood(zone: str) -> None:
    found = read(
        start={"dateTime": "2026-11-24T10:00:00.0000000", "timeZone": zone},
        end={"dateTime": "2026-11-24T11:00:00.0000000", "timeZone": zone},
    )
    assert found.start == datetime(2026, 11, 24, 9, tzinfo=UTC)


def test_an_occurrence_says_when_it_was_to_start() -> None:
    found = read(type="exception", seriesMasterId="AAMkM=", originalStart="2026-11-23T09:00:00Z")
    assert (found.kind, found.original_start) == ("exception", datetime(2026, 11, 23, 9, tzinfo=UTC))


def test_an_occurrence_that_was_never_moved_was_to_start_when_it_starts() -> None:
    found = read(type="occurrence", seriesMasterId="AAMkM=")
    assert found.original_start == found.start


def test_an_all_day_occurrence_was_to_start_on_a_day_in_the_rooms_zone() -> None:
    found = read(
        type="occurrence",
        isAllDay=True,
        originalStart="2026-11-23T23:00:00Z",  # midnight of 24 November in Berlin
        start={"dateTime": "2026-11-24T00:00:00.0000000", "timeZone": "UTC"},
        end={"dateTime": "2026-11-25T00:00:00.0000000", "timeZone": "UTC"},
    )
    assert found.original_start == found.start


def test_a_series_master_is_a_series() -> None:
    found = read(type="seriesMaster", recurrence={"pattern": {"type": "daily"}})
    assert (found.kind, found.original_start) == ("series", None)


@pytest.mark.parametrize(
    ("event", "kind"),
    [({"recurrence": {}}, "single"), ({"recurrence": {"x": 1}}, "series"), ({"seriesMasterId": "M"}, "occurrence")],
)
def test_an_event_without_a_type_shows_its_kind_otherwise(event: dict[str, Any], kind: str) -> None:
    assert read(type=None, **event).kind == kind


def test_hidden_properties_come_under_their_mapi_names_in_the_order_of_the_answer() -> None:
    found = read(
        singleValueExtendedProperties=[
            {"id": PUBLIC + "OnlineMeetingConfLink", "value": "conf:sip:x"},
            {"id": PUBLIC.lower() + "skypeteamsmeetingurl", "value": "https://teams.example.com/1"},
            {"id": PUBLIC + "UCOpenedConferenceID", "value": ""},
            {"id": "Integer 0x8205", "value": "1"},
        ],
        onlineMeetingProvider="teamsForBusiness",
        onlineMeeting={"joinUrl": "https://teams.example.com/2", "conferenceId": "123456789"},
    )
    assert found.properties == (
        ("OnlineMeetingConfLink", "conf:sip:x"),
        ("SkypeTeamsMeetingUrl", "https://teams.example.com/1"),
        ("onlineMeeting.joinUrl", "https://teams.example.com/2"),
        ("onlineMeeting.provider", "teamsForBusiness"),
        ("onlineMeeting.conferenceId", "123456789"),
    )


def test_further_locations_and_their_urls_are_kept_but_not_the_mailbox_of_a_room() -> None:
    url = "https://zoom.example.com/j/1"
    found = read(
        location={"displayName": "Room 1", "locationUri": "room1@example.com"},
        locations=[
            {"displayName": "Room 1"},
            {"displayName": "Annexe", "uniqueId": url, "locationUri": "x@example.com"},
        ],
    )
    assert (found.location, found.locations) == ("Room 1", ("Annexe", url))


@pytest.mark.parametrize(
    ("stated", "meant"),
    [
        ("organizer", "organizer"),
        ("tentativelyAccepted", "tentative"),
        ("declined", "declined"),
        ("notResponded", "unanswered"),
        ("none", "none"),
    ],
)
def test_the_rooms_answer_is_translated(stated: str, meant: str) -> None:
    assert read(responseStatus={"response": stated}).response == meant


def test_show_as_and_sensitivity_are_translated() -> None:
    found = read(showAs="workingElsewhere", sensitivity="confidential", isCancelled=True, isOrganizer=True)
    assert (found.show_as, found.private, found.cancelled, found.is_organizer) == ("elsewhere", True, True, True)


def test_a_draft_is_known_as_one() -> None:
    assert is_draft(an_event(isDraft=True))
    assert not is_draft(an_event())


@pytest.mark.parametrize(
    "broken",
    [
        {"id": None},
        {"start": None},
        {"start": {"dateTime": "secret-subject", "timeZone": "UTC"}},
        {"start": {"dateTime": "2026-11-24T09:00:00", "timeZone": "secret-subject"}},
        {"end": {"dateTime": "2026-11-24T08:00:00", "timeZone": "UTC"}},
        {"body": "secret-subject"},
        {"isAllDay": True, "start": {"dateTime": "secret-subject"}},
        {"end": {"dateTime": "9999-12-31T23:59:59", "timeZone": "America/Los_Angeles"}},
    ],
)
def test_what_is_no_event_is_refused_without_being_quoted(broken: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"^an event") as refused:
        read(**broken)
    assert "secret" not in str(refused.value)


_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@settings(deadline=None)  # the machine may be busy
@given(st.dictionaries(st.sampled_from(sorted(an_event())), _values, max_size=4))
def test_no_event_makes_it_raise_anything_else(broken: dict[str, Any]) -> None:
    with contextlib.suppress(ValueError):
        assert isinstance(read(**broken), Meeting)
