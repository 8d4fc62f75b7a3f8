"""What comes out of .ics files, also of those that are not as RFC 5545 wants them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from otd import formats
from otd.errors import Garbled
from otd.model import EPOCH, Meeting, Person
from tests.icalendar_text import folded, ics, vevent, vtimezone

NINE = datetime(2026, 11, 24, 9, tzinfo=UTC)
HOUR = timedelta(hours=1)
OSLO = ZoneInfo("Europe/Oslo")
TOKYO = ZoneInfo("Asia/Tokyo")


def only(data: bytes, name: str = "x.ics", zone: ZoneInfo | None = None) -> Meeting:
    (meeting,) = formats.read(data, name, zone or UTC)
    return meeting


# what it says ---------------------------------------------------------------------------------------------------------


def test_an_invitation_says_what_its_properties_say() -> None:
    text = vevent(
        'ORGANIZER;CN="Doe, Ann":mailto:ann@example.com',
        "ATTENDEE;CN=Bo;PARTSTAT=ACCEPTED:MAILTO:bo@example.com",
        "ATTENDEE;CUTYPE=ROOM;PARTSTAT=TENTATIVE;CN=Room 1:mailto:room1@example.com",
        location="Room 1\\, second floor",
        description="First line\\nSecond\\; line\\NThird \\\\ line",
        status="CONFIRMED",
        **{"class": "PRIVATE"},
        sequence=3,
    )
    meeting = only(ics(text, method="REQUEST"))
    assert (meeting.uid, meeting.id, meeting.kind) == ("m1@example.com", "m1@example.com", "single")
    assert (meeting.start, meeting.end, meeting.original_start) == (NINE, NINE + HOUR, None)
    assert meeting.subject == "Weekly review"
    assert meeting.location == "Room 1, second floor"
    assert (meeting.body, meeting.body_type) == ("First line\nSecond; line\nThird \\ line", "text")
    assert meeting.organizer == Person(name="Doe, Ann", address="ann@example.com")
    assert [p.address for p in meeting.attendees] == ["bo@example.com", "room1@example.com"]
    assert (meeting.private, meeting.sensitivity, meeting.response) == (True, "private", "tentative")
    assert (meeting.cancelled, meeting.all_day, meeting.is_organizer) == (False, False, False)
    assert meeting.change_key.startswith("3/")


def test_the_hidden_properties_come_out_under_their_mapi_names() -> None:
    meeting = only(
        ics(
            vevent(
                "X-MICROSOFT-SKYPETEAMSMEETINGURL:https://teams.microsoft.com/l/meetup-join/x",
                'X-MICROSOFT-SKYPETEAMSPROPERTIES:{"cid":"19:meeting_x@thread.v2"\\,"private":true}',
                "X-MICROSOFT-ONLINEMEETINGCONFLINK:conf:sip:ann@example.com\\;gruu\\;opaque=app:conf:focus:id:A1B2",
                "X-MICROSOFT-ONLINEMEETINGEXTERNALLINK:",
                "X-MICROSOFT-ONLINEMEETINGTOLLNUMBER:+1 555 0100",
                "X-MICROSOFT-CONFERENCETELURI:tel:+15550100\\,\\,12345",
                "X-MICROSOFT-CDO-IMPORTANCE:1",
            )
        )
    )
    assert meeting.properties == (
        ("SkypeTeamsMeetingUrl", "https://teams.microsoft.com/l/meetup-join/x"),
        ("SkypeTeamsProperties", '{"cid":"19:meeting_x@thread.v2","private":true}'),
        ("OnlineMeetingConfLink", "conf:sip:ann@example.com;gruu;opaque=app:conf:focus:id:A1B2"),
        ("OnlineMeetingTollNumber", "+1 555 0100"),
        ("ConferenceTelURI", "tel:+15550100,,12345"),
    )


def test_conference_url_and_what_google_and_zoom_write_are_properties_too() -> None:
    meeting = only(
        ics(
            vevent(
                "CONFERENCE;VALUE=URI;FEATURE=AUDIO,VIDEO;LABEL=Join:https://meet.example.com/abc",
                "CONFERENCE;VALUE=URI;FEATURE=PHONE:tel:+1-555-0100",
                "URL:https://example.zoom.us/j/91234567890",
                "X-GOOGLE-CONFERENCE:https://meet.google.com/abc-defg-hij",
                "X-ZOOM-JOINURL:https://example.zoom.us/j/91234567890?pwd=x",
                "X-EXAMPLE-COLOUR:blue",
            )
        )
    )
    assert [name for name, _ in meeting.properties] == [
        "CONFERENCE",
        "URL",
        "X-GOOGLE-CONFERENCE",
        "X-ZOOM-JOINURL",
    ]
    assert meeting.prop("conference") == "https://meet.example.com/abc"


def test_a_telephone_number_as_conference_is_no_way_to_join_by_video() -> None:
    meeting = only(ics(vevent("CONFERENCE;VALUE=URI;FEATURE=PHONE:tel:+1-555-0100")))
    assert meeting.properties == ()


@pytest.mark.parametrize(
    ("lines", "method", "shown"),
    [
        (("X-MICROSOFT-CDO-BUSYSTATUS:TENTATIVE", "X-MICROSOFT-CDO-INTENDEDSTATUS:BUSY"), "REQUEST", "busy"),
        (("X-MICROSOFT-CDO-BUSYSTATUS:TENTATIVE",), "REQUEST", "busy"),
        (("X-MICROSOFT-CDO-BUSYSTATUS:TENTATIVE", "X-MICROSOFT-CDO-INTENDEDSTATUS:FREE"), "REQUEST", "free"),
        (("X-MICROSOFT-CDO-BUSYSTATUS:TENTATIVE",), "PUBLISH", "tentative"),
        (("X-MICROSOFT-CDO-BUSYSTATUS:OOF",), "", "oof"),
        (("X-MICROSOFT-CDO-BUSYSTATUS:WORKINGELSEWHERE",), "", "elsewhere"),
        (("TRANSP:TRANSPARENT",), "", "free"),
        (("TRANSP:OPAQUE",), "", "busy"),
        (("STATUS:TENTATIVE",), "", "tentative"),
    ],
)
def test_how_it_is_shown_is_what_the_organiser_intends(lines: tuple[str, ...], method: str, shown: str) -> None:
    assert only(ics(vevent(*lines), method=method)).show_as == shown


@pytest.mark.parametrize(
    ("stated", "sensitivity"),
    [("PUBLIC", "normal"), ("PRIVATE", "private"), ("CONFIDENTIAL", "confidential"), ("X-PERSONAL", "personal")],
)
def test_the_class_is_the_sensitivity(stated: str, sensitivity: str) -> None:
    assert only(ics(vevent(f"CLASS:{stated}"))).sensitivity == sensitivity


@pytest.mark.parametrize(
    ("attendees", "response"),
    [
        (("ATTENDEE;CUTYPE=ROOM;PARTSTAT=DECLINED:mailto:r@example.com",), "declined"),
        (("ATTENDEE;CUTYPE=RESOURCE;PARTSTAT=ACCEPTED:mailto:r@example.com",), "accepted"),
        (("ATTENDEE;CUTYPE=ROOM:mailto:r@example.com",), "unanswered"),
        (("ATTENDEE;PARTSTAT=DECLINED:mailto:bo@example.com",), "none"),
        (
            (
                "ATTENDEE;CUTYPE=ROOM;PARTSTAT=DECLINED:mailto:r@example.com",
                "ATTENDEE;CUTYPE=ROOM;PARTSTAT=ACCEPTED:mailto:s@example.com",
            ),
            "none",
        ),
        (("ORGANIZER:mailto:R@example.com", "ATTENDEE;CUTYPE=ROOM:mailto:r@example.com"), "organizer"),
    ],
)
def test_the_answer_is_that_of_the_one_attendee_that_is_a_room(attendees: tuple[str, ...], response: str) -> None:
    assert only(ics(vevent(*attendees))).response == response


def test_an_organiser_without_an_address_keeps_the_name() -> None:
    assert only(ics(vevent("ORGANIZER;CN=Ann:invalid:nomail"))).organizer == Person(name="Ann")
    assert only(ics(vevent("ORGANIZER;CN=Ann;EMAIL=ann@example.com:urn:uuid:1"))).organizer.address == "ann@example.com"


def test_a_name_with_a_circumflex_escape_is_read_as_rfc_6868_says() -> None:
    meeting = only(ics(vevent("ORGANIZER;CN=Ann ^'Doe^':mailto:ann@example.com")))
    assert meeting.organizer.name == 'Ann "Doe"'


def test_further_places_come_from_outlooks_list() -> None:
    rooms = ('{"DisplayName":"Room 1","LocationUri":"room1@example.com"}', '{"DisplayName":"Annex","LocationUri":""}')
    places = f"[{','.join(rooms)}]".replace(",", "\\,")
    meeting = only(ics(vevent(f"X-MICROSOFT-LOCATIONS:{places}", location="Room 1")))
    assert (meeting.location, meeting.locations) == ("Room 1", ("Annex",))


# the body -------------------------------------------------------------------------------------------------------------


def test_the_html_twin_is_the_body_where_there_is_one() -> None:
    text = vevent("X-ALT-DESC;FMTTYPE=text/html:<html><body><p>Join\\, now</p></body></html>", description="Join now")
    meeting = only(ics(text))
    assert (meeting.body, meeting.body_type) == ("<html><body><p>Join, now</p></body></html>", "html")


def test_an_html_twin_that_shows_nothing_does_not_hide_the_description() -> None:
    empty = "<html><head><style>p {color: red}</style></head><body>\\n<!-- x -->\\n&nbsp;</body></html>"
    meeting = only(ics(vevent(f"X-ALT-DESC;FMTTYPE=text/html:{empty}", description="Join now")))
    assert (meeting.body, meeting.body_type) == ("Join now", "text")


def test_the_html_twin_of_rfc_9073_and_of_thunderbird_count_too() -> None:
    styled = only(ics(vevent("STYLED-DESCRIPTION;VALUE=TEXT;FMTTYPE=text/html:<p>Hello</p>", description="Hello")))
    assert (styled.body, styled.body_type) == ("<p>Hello</p>", "html")
    by_uri = only(ics(vevent('DESCRIPTION;ALTREP="data:text/html,%3Cp%3EHello%3C%2Fp%3E":Hello')))
    assert (by_uri.body, by_uri.body_type) == ("<p>Hello</p>", "html")


def test_tags_in_a_description_make_it_html_and_its_lines_stay_apart() -> None:
    meeting = only(ics(vevent(description='First<br><a href="https://example.com/">Join</a>\\nSecond')))
    assert meeting.body_type == "html"
    assert "</a><br>\nSecond" in meeting.body


def test_a_link_in_angle_brackets_does_not_make_a_description_html() -> None:
    assert only(ics(vevent(description="Join<https://example.com/>"))).body_type == "text"


def test_a_body_beyond_the_limit_is_cut_and_that_is_noted() -> None:
    document = formats.parse(ics(vevent(description="a" * 1_500_000)), "x.ics")
    assert len(document.entries[0].meeting.body) == 1_100_000
    assert any("was cut" in note for note in document.notes)


# times ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "tzid",
    [
        "Europe/Oslo",
        "W. Europe Standard Time",
        '"W. Europe Standard Time"',
        "/freeassociation.sourceforge.net/Europe/Oslo",
        "/example.org/20260101_1/Europe/Oslo",
    ],
)
def test_a_zone_is_known_by_its_iana_name_its_windows_name_and_behind_a_prefix(tzid: str) -> None:
    text = vevent(start=f";TZID={tzid}:20260624T110000", end=f";TZID={tzid}:20260624T120000")
    assert only(ics(text)).start == datetime(2026, 6, 24, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    "tzid", ["a." * 1_000, "a/" * 1_000, "x.y/" * 400, "../" * 400, "Europe/Oslo." * 300, "a\x00b", "é/ü"]
)
def test_a_name_that_no_zone_can_have_is_none(tzid: str) -> None:
    text = vevent(start=f";TZID={tzid}:20260624T110000", end=f";TZID={tzid}:20260624T120000")
    assert only(ics(text), zone=TOKYO).start == datetime(2026, 6, 24, 2, tzinfo=UTC)


def test_a_zone_and_a_name_with_a_colon_that_nobody_quoted_are_understood() -> None:
    zone = ";TZID=tzone://Microsoft/Utc:"
    meeting = only(
        ics(
            vevent(
                "ORGANIZER;CN=Office: Ann:mailto:ann@example.com",
                start=f"{zone}20261124T090000",
                end=f"{zone}20261124T1000",
            )
        ),
        zone=TOKYO,
    )
    assert (meeting.start, meeting.end) == (NINE, NINE + HOUR)
    assert meeting.organizer.address == "ann@example.com"


def test_a_zone_that_only_the_file_knows_is_taken_from_its_definition() -> None:
    def text(month: int) -> str:
        tzid = ";TZID=Customized Time Zone:"
        return vevent(start=f"{tzid}2026{month:02}24T110000", end=f"{tzid}2026{month:02}24T120000")

    zone = vtimezone("Customized Time Zone", "+0530", "+0630")
    assert only(ics(text(6), head=zone)).start == datetime(2026, 6, 24, 4, 30, tzinfo=UTC)
    assert only(ics(text(11), head=zone)).start == datetime(2026, 11, 24, 5, 30, tzinfo=UTC)


def test_a_definition_may_come_after_the_event_that_names_it() -> None:
    text = vevent(start=";TZID=Mine:20260624T110000", end=";TZID=Mine:20260624T120000")
    assert only(ics(text, vtimezone("Mine"))).start == datetime(2026, 6, 24, 9, tzinfo=UTC)


def test_a_definition_in_one_file_means_nothing_in_the_next() -> None:
    tzid = ";TZID=Customized Time Zone:20260624T110000"
    first = only(ics(vevent(start=tzid, end=tzid), head=vtimezone("Customized Time Zone", "+0100", "+0200")))
    second = only(ics(vevent(start=tzid, end=tzid), head=vtimezone("Customized Time Zone", "-0500", "-0400")))
    assert second.start - first.start == timedelta(hours=6)


def test_a_well_known_name_wins_over_a_wrong_definition() -> None:
    text = vevent(start=";TZID=Europe/Oslo:20260624T110000", end=";TZID=Europe/Oslo:20260624T120000")
    wrong = vtimezone("Europe/Oslo", "+0900", "+0900")
    assert only(ics(text, head=wrong)).start == datetime(2026, 6, 24, 9, tzinfo=UTC)


def test_a_name_that_states_its_offset_is_understood_without_a_definition() -> None:
    tzid = ';TZID="(UTC+05:30) Chennai, Kolkata, Mumbai, New Delhi":20260624T110000'
    assert only(ics(vevent(start=tzid, end=tzid))).start == datetime(2026, 6, 24, 5, 30, tzinfo=UTC)


def test_an_unknown_zone_is_read_as_the_rooms_and_noted() -> None:
    text = vevent(start=";TZID=Nowhere:20260624T110000", end=";TZID=Nowhere:20260624T120000")
    document = formats.parse(ics(text), "x.ics", OSLO)
    assert document.entries[0].meeting.start == datetime(2026, 6, 24, 9, tzinfo=UTC)
    assert any("nobody knows" in note for note in document.notes)


def test_floating_times_are_meant_in_the_calendars_zone_or_else_in_the_rooms() -> None:
    text = vevent(start="20260624T110000", end="20260624T120000")
    assert only(ics(text), zone=OSLO).start == datetime(2026, 6, 24, 9, tzinfo=UTC)
    assert only(ics(text, head="X-WR-TIMEZONE:Asia/Tokyo"), zone=OSLO).start == datetime(2026, 6, 24, 2, tzinfo=UTC)


def test_an_all_day_meeting_is_dates_in_the_rooms_zone_whoever_booked_it() -> None:
    text = vevent(start=";VALUE=DATE:20261124", end=";VALUE=DATE:20261126")
    for head in ("", "X-WR-TIMEZONE:America/Los_Angeles"):
        meeting = only(ics(text, head=head), zone=TOKYO)
        assert meeting.all_day
        assert meeting.start == datetime(2026, 11, 24, tzinfo=TOKYO)
        assert meeting.end == datetime(2026, 11, 26, tzinfo=TOKYO)


def test_outlooks_all_day_mark_turns_two_midnights_into_dates() -> None:
    zone = ";TZID=W. Europe Standard Time:"
    text = vevent("X-MICROSOFT-CDO-ALLDAYEVENT:TRUE", start=f"{zone}20261124T000000", end=f"{zone}20261125T000000")
    meeting = only(ics(text), zone=TOKYO)
    assert meeting.all_day
    assert (meeting.start, meeting.end) == (
        datetime(2026, 11, 24, tzinfo=TOKYO),
        datetime(2026, 11, 25, tzinfo=TOKYO),
    )


@pytest.mark.parametrize(
    ("lines", "start", "lasts", "all_day"),
    [
        (("DURATION:PT45M",), "20261124T090000Z", timedelta(minutes=45), False),
        (("DURATION:P1D",), ";VALUE=DATE:20261124", timedelta(days=1), True),
        ((), ";VALUE=DATE:20261124", timedelta(days=1), True),
        ((), "20261124T090000Z", timedelta(0), False),
    ],
)
def test_an_end_that_is_not_stated_follows_from_the_start(
    lines: tuple[str, ...], start: str, lasts: timedelta, all_day: bool
) -> None:
    meeting = only(ics(vevent(*lines, start=start, end="")))
    assert (meeting.end - meeting.start, meeting.all_day) == (lasts, all_day)


def test_a_duration_of_a_day_over_a_change_of_the_clocks_ends_at_the_same_time_of_day() -> None:
    meeting = only(ics(vevent("DURATION:P1D", start=";TZID=Europe/Oslo:20261024T120000", end="")))
    assert meeting.end - meeting.start == timedelta(hours=25)


@pytest.mark.parametrize(
    "start",
    [
        "2026-11-24T09:00:00Z",
        "20261124T0900Z",
        "20261124T100000+0100",
        "2026-11-24T10:00:00.000+01:00",
        " 20261124T090000z ",
    ],
)
def test_a_time_in_another_form_of_iso_8601_is_understood(start: str) -> None:
    assert only(ics(vevent(start=start))).start == NINE


def test_an_end_before_the_start_is_ignored_and_noted() -> None:
    document = formats.parse(ics(vevent(end="20261124T080000Z")), "x.ics")
    assert document.entries[0].meeting.end == NINE
    assert any("before it starts" in note for note in document.notes)


@pytest.mark.parametrize("start", ["20261341T090000Z", "99991231T235959Z", "00010101T000000Z", "soon", "20261124T9Z"])
def test_a_meeting_without_a_usable_start_is_left_out_and_the_others_stay(start: str) -> None:
    document = formats.parse(ics(vevent(start=start), vevent(uid="m2")), "x.ics")
    assert [e.meeting.uid for e in document.entries] == ["m2"]
    assert document.lost == 1
    assert any("left out" in note for note in document.notes)


# series and messages --------------------------------------------------------------------------------------------------


def test_a_series_is_one_record_and_its_exceptions_are_records_of_their_own() -> None:
    master = vevent("RRULE:FREQ=DAILY;COUNT=5", "EXDATE:20261126T090000Z")
    moved = vevent(start="20261125T130000Z", end="20261125T140000Z", recurrence_id="20261125T090000Z")
    series, exception = formats.read(ics(master, moved), "x.ics")
    assert (series.kind, series.start, series.original_start) == ("series", NINE, None)
    assert (exception.kind, exception.start) == ("exception", NINE + timedelta(hours=28))
    assert exception.original_start == NINE + timedelta(days=1)
    assert (exception.uid, exception.id != series.id) == (series.uid, True)


def test_outlooks_uid_of_an_occurrence_is_the_uid_of_its_series() -> None:
    clean = "040000008200E00074C5B7101A82E00800000000" + "AB" * 16
    dated = "040000008200E00074C5B7101A82E00807EA0B18" + "AB" * 16
    assert only(ics(vevent(uid=dated))).uid == only(ics(vevent(uid=clean))).uid == clean


def test_a_meeting_without_a_uid_gets_one_that_does_not_depend_on_its_text() -> None:
    first, second = (only(ics(vevent(uid="", description=text))) for text in ("one", "two"))
    assert first.uid
    assert first.uid == second.uid
    assert first.uid != only(ics(vevent(uid="", start="20261125T090000Z", end="20261125T100000Z"))).uid


def test_a_cancellation_without_times_is_read() -> None:
    meeting = only(ics(vevent(start="", end="", sequence=1, summary=None), method="CANCEL"))
    assert (meeting.cancelled, meeting.uid) == (True, "m1@example.com")
    entry = formats.parse(ics(vevent(start="", end=""), method="CANCEL")).entries[0]
    assert not entry.dated


def test_a_cancelled_status_is_a_cancellation() -> None:
    assert only(ics(vevent(status="CANCELLED"))).cancelled


def test_several_calendars_in_one_file_keep_their_own_methods() -> None:
    data = ics(vevent(), method="REQUEST") + ics(vevent(uid="m2"), method="CANCEL")
    assert [m.cancelled for m in formats.read(data, "x.ics")] == [False, True]


def test_a_calendar_without_meetings_has_none() -> None:
    assert formats.read(ics(), "x.ics") == ()


# what real programs get wrong -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("newline", ["\r\n", "\n", "\r", "\r\r\n"])
def test_any_line_end_will_do(newline: str) -> None:
    text = folded(ics(vevent(description="x" * 300)).decode())
    assert only(text.replace("\r\n", newline).encode()).body == "x" * 300


def test_a_line_folded_in_the_middle_of_a_letter_is_whole_again() -> None:
    data = ics(vevent(summary="Møte på Åsen")).replace("ø".encode(), b"\xc3\r\n \xb8")
    assert only(data).subject == "Møte på Åsen"


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"])
def test_any_encoding_that_exports_come_in_will_do(encoding: str) -> None:
    assert only(ics(vevent(summary="Møte på Åsen")).decode().encode(encoding)).subject == "Møte på Åsen"


def test_one_spoiled_letter_does_not_spoil_the_others() -> None:
    data = ics(vevent(summary="Møte på Åsen, møte på Åsen?")).replace(b"?", b"\xff")
    assert only(data).subject == "Møte på Åsen, møte på Åsen\ufffd"


def test_text_that_was_broken_over_raw_lines_stays_together() -> None:
    text = vevent(description="First\r\nPasscode: 123\r\nLocation: not this one\r\nlast", location="Room 1")
    meeting = only(ics(text))
    assert meeting.body == "First\nPasscode: 123\nLocation: not this one\nlast"
    assert meeting.location == "Room 1"


def test_a_line_folded_without_the_space_loses_nothing() -> None:
    address = "https://teams.microsoft.com/l/meetup-join/" + "a" * 100
    line = f"DESCRIPTION:{address}"
    broken = ics(vevent(line)).decode().replace(line, f"{line[:75]}\r\n{line[75:]}")
    assert only(broken.encode()).body == address


def test_properties_without_a_calendar_around_their_event_are_read() -> None:
    assert only(vevent().encode()).uid == "m1@example.com"


def test_a_calendar_that_begins_inside_an_event_is_read_beside_it() -> None:
    torn = ics(vevent()).replace(b"END:VEVENT\r\nEND:VCALENDAR\r\n", b"")
    document = formats.parse(torn + ics() + b"LOCATION:x\r\n" + ics(vevent(uid="m2")), "x.ics")
    assert [entry.meeting.uid for entry in document.entries] == ["m1@example.com", "m2"]
    assert not document.whole


def test_an_alarm_inside_does_not_change_the_meeting() -> None:
    alarm = "BEGIN:VALARM\r\nDESCRIPTION:Reminder\r\nSUMMARY:Alarm\r\nTRIGGER:-PT15M\r\nEND:VALARM"
    meeting = only(ics(vevent(alarm, description="Real")))
    assert (meeting.body, meeting.subject) == ("Real", "Weekly review")


def test_other_components_are_passed_over() -> None:
    todo = "BEGIN:VTODO\r\nUID:t1\r\nSUMMARY:Buy milk\r\nDTSTART:20261124T090000Z\r\nEND:VTODO"
    assert [m.uid for m in formats.read(ics(todo, vevent()), "x.ics")] == ["m1@example.com"]


def test_a_file_that_breaks_off_gives_what_is_there_and_says_so() -> None:
    data = ics(vevent(description="x" * 100))
    document = formats.parse(data[: data.index(b"END:VEVENT")], "x.ics")
    assert not document.whole
    assert document.entries[0].meeting.start == NINE
    assert any("breaks off" in note for note in document.notes)


def test_a_file_without_a_calendar_in_it_is_refused() -> None:
    with pytest.raises(Garbled, match=r"x\.ics: the calendar has no BEGIN:VCALENDAR"):
        formats.read(b"Hello, this is no calendar", "x.ics")


def test_a_number_as_sequence_that_is_none_counts_as_nought() -> None:
    assert formats.parse(ics(vevent(sequence="many"))).entries[0].sequence == 0


def test_without_any_stamp_a_meeting_is_as_old_as_can_be() -> None:
    assert formats.parse(ics(vevent(dtstamp=None))).entries[0].stamp == EPOCH
