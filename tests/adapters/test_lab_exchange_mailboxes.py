"""Simulated mailboxes: what a room holds, the occurrences that come of it, and what changes do to ids and keys."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest

from otd.lab import invitations
from otd.lab.identities import (
    Identity,
    ews_id,
    global_object_id,
    mailbox_guid,
    occurrence_uid,
    read_ews_id,
    read_rest_id,
    rest_id,
)
from otd.lab.mailboxes import EXCHANGE_DEFAULTS, Item, Mailbox, Mailboxes
from otd.model import Meeting, Person, Window

T0 = datetime(2026, 11, 24, 9, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
AROUND = Window(start=T0 - 90 * DAY, end=T0 + 90 * DAY)


def a_meeting(start: datetime = T0, **overrides: object) -> Meeting:
    usual: dict[str, object] = {"id": "", "uid": "", "start": start, "end": start + HOUR, "subject": "Planning"}
    return Meeting(**{**usual, **overrides})  # type: ignore[arg-type]


def a_room() -> Mailbox:
    return Mailboxes().add("Room1@contoso.example", name="Room 1", timezone="Europe/Berlin")


def starts(items: tuple[Item, ...]) -> list[str]:
    return [f"{item.meeting.start:%d.%m. %H:%M}" for item in items]


# --- ids ----------------------------------------------------------------------------------------------------------


def test_an_id_leads_back_to_its_item_in_every_form() -> None:
    for occurrence in (None, T0):
        identity = Identity(mailbox_guid("room1@contoso.example"), 7, occurrence)
        assert read_ews_id(ews_id(identity)) == identity
        assert read_rest_id(rest_id(identity)) == identity
        assert read_rest_id(rest_id(identity, immutable=True)) == identity


def test_ids_have_the_lengths_and_letters_of_exchange() -> None:
    identity = Identity(mailbox_guid("room1@contoso.example"), 7, T0)
    assert ews_id(identity).startswith("AAMk")
    assert rest_id(identity).startswith("AAMk")
    assert rest_id(identity, immutable=True).startswith("AAkALg")
    assert 140 <= len(ews_id(identity)) <= 168
    assert not set("+/") & set(rest_id(identity))


@pytest.mark.parametrize("damage", [str.swapcase, str.lower, lambda text: text[:-4], lambda text: text + "AAAA"])
def test_ids_are_compared_to_the_letter(damage: object) -> None:
    text = ews_id(Identity(mailbox_guid("room1@contoso.example"), 7))
    assert read_ews_id(damage(text)) is None  # type: ignore[operator]


def test_an_outlook_uid_carries_the_day_of_the_occurrence_in_bytes_16_to_19() -> None:
    uid = global_object_id("seed", T0)
    assert uid[32:40] == "00000000"
    of_day = occurrence_uid(uid, T0.date())
    assert (of_day[32:40], of_day[:32], of_day[40:]) == ("07EA0B18", uid[:32], uid[40:])


def test_a_foreign_uid_is_the_same_for_every_occurrence() -> None:
    assert occurrence_uid("abc@calendar.example", T0.date()) == "abc@calendar.example"


# --- what a view shows --------------------------------------------------------------------------------------------


def test_a_view_shows_what_overlaps_it_by_start() -> None:
    room = a_room()
    for hours in (3, -1, 0, 1):
        room.add(a_meeting(T0 + hours * HOUR))
    shown = room.view(Window(start=T0, end=T0 + 2 * HOUR))
    assert starts(shown) == ["24.11. 09:00", "24.11. 10:00"]


def test_exchange_server_also_shows_what_ends_as_the_view_begins() -> None:
    room = a_room()
    room.add(a_meeting(T0 - HOUR))
    assert room.view(Window(start=T0, end=T0 + HOUR)) == ()
    assert len(room.view(Window(start=T0, end=T0 + HOUR), touching=True)) == 1


def test_a_series_keeps_its_local_time_across_the_end_of_summer_time() -> None:
    room = a_room()
    room.add(a_meeting(datetime(2026, 10, 20, 8, tzinfo=UTC)), rule="FREQ=WEEKLY;COUNT=3")
    assert starts(room.view(AROUND)) == ["20.10. 08:00", "27.10. 09:00", "03.11. 09:00"]


def test_an_all_day_series_is_whole_days_even_when_the_clock_changes() -> None:
    room = a_room()
    first = datetime(2026, 10, 23, 22, tzinfo=UTC)
    room.add(a_meeting(first, end=first + DAY, all_day=True), rule="FREQ=DAILY;COUNT=3")
    lengths = [item.meeting.end - item.meeting.start for item in room.view(AROUND)]
    assert lengths == [DAY, DAY + HOUR, DAY]


def test_occurrences_name_their_series_and_have_ids_of_their_own() -> None:
    room = a_room()
    series = room.add(a_meeting(), rule="FREQ=DAILY;COUNT=2")
    first, second = room.view(AROUND)
    assert first.meeting.kind == second.meeting.kind == "occurrence"
    assert len({series, first.meeting.id, second.meeting.id}) == 3
    assert first.meeting.uid == second.meeting.uid
    assert first.occurrence_uid != second.occurrence_uid
    found = room.item(second.meeting.id)
    assert found is not None
    assert found.meeting == second.meeting


def test_a_moved_occurrence_is_an_exception_that_remembers_where_it_was() -> None:
    room = a_room()
    room.add(a_meeting(), rule="FREQ=DAILY;COUNT=3")
    second = room.view(AROUND)[1].meeting
    room.move(second.id, T0 + 10 * DAY)
    moved = room.view(AROUND)[-1].meeting
    assert (moved.id, moved.kind, moved.original_start) == (second.id, "exception", T0 + DAY)
    assert (moved.start, moved.end) == (T0 + 10 * DAY, T0 + 10 * DAY + HOUR)
    assert len(room.view(AROUND)) == 3
    assert len(room.view(Window(start=T0, end=T0 + 3 * DAY))) == 2


def test_a_removed_occurrence_is_gone_and_the_others_stay() -> None:
    room = a_room()
    room.add(a_meeting(), rule="FREQ=DAILY;COUNT=3")
    second = room.view(AROUND)[1].meeting
    room.remove(second.id)
    assert starts(room.view(AROUND)) == ["24.11. 09:00", "26.11. 09:00"]
    assert room.item(second.id) is None


def test_a_series_without_end_is_seen_only_in_the_window() -> None:
    room = a_room()
    room.add(a_meeting(T0 - 700 * DAY), rule="FREQ=DAILY")
    assert len(room.view(Window(start=T0, end=T0 + 7 * DAY))) == 7


# --- changes ------------------------------------------------------------------------------------------------------


def test_a_change_gives_a_new_change_key_and_leaves_the_id() -> None:
    room = a_room()
    item_id = room.add(a_meeting())
    before = room.view(AROUND)[0].meeting
    room.move(item_id, T0 + HOUR)
    after = room.view(AROUND)[0].meeting
    assert (before.id, after.id) == (item_id, item_id)
    assert before.change_key != after.change_key
    assert after.end == T0 + 2 * HOUR


def test_changing_one_occurrence_gives_all_of_the_series_a_new_change_key() -> None:
    room = a_room()
    room.add(a_meeting(), rule="FREQ=DAILY;COUNT=3")
    before = room.view(AROUND)
    room.change(before[1].meeting.id, subject="Elsewhere")
    after = room.view(AROUND)
    assert {item.meeting.change_key for item in before}.isdisjoint({item.meeting.change_key for item in after})


def test_a_cancelled_meeting_stays_marked_and_free() -> None:
    room = a_room()
    room.cancel(room.add(a_meeting()))
    meeting = room.view(AROUND)[0].meeting
    assert (meeting.cancelled, meeting.show_as, meeting.subject) == (True, "free", "Canceled: Planning")


def test_a_series_is_cancelled_with_its_exceptions() -> None:
    room = a_room()
    series = room.add(a_meeting(), rule="FREQ=DAILY;COUNT=3")
    room.move(room.view(AROUND)[1].meeting.id, T0 + 10 * DAY)
    room.remove(room.view(AROUND)[1].meeting.id)
    room.cancel(series)
    assert [item.meeting.cancelled for item in room.view(AROUND)] == [True, True]
    assert {item.meeting.subject for item in room.view(AROUND)} == {"Canceled: Planning"}


def test_a_series_that_moves_loses_its_exceptions() -> None:
    room = a_room()
    series = room.add(a_meeting(), rule="FREQ=DAILY;COUNT=2")
    room.move(room.view(AROUND)[1].meeting.id, T0 + 10 * DAY)
    room.change(series, subject="Another name")
    assert starts(room.view(AROUND)) == ["24.11. 09:00", "04.12. 09:00"]
    room.move(series, T0 + HOUR)
    assert starts(room.view(AROUND)) == ["24.11. 10:00", "25.11. 10:00"]


def test_what_was_removed_is_an_error_to_change() -> None:
    room = a_room()
    item_id = room.add(a_meeting())
    room.remove(item_id)
    assert room.view(AROUND) == ()
    with pytest.raises(KeyError):
        room.move(item_id, T0)


def test_ids_of_another_mailbox_mean_nothing_here() -> None:
    rooms = Mailboxes()
    item_id = rooms.add("one@contoso.example").add(a_meeting())
    assert rooms.add("two@contoso.example").item(item_id) is None


def test_a_room_with_exchanges_defaults_wipes_the_body_and_shows_the_organiser() -> None:
    room = a_room()
    room.processing = EXCHANGE_DEFAULTS
    room.add(a_meeting(body="join here", sensitivity="private", organizer=Person(name="Ann Example")))
    meeting = room.view(AROUND)[0].meeting
    assert (meeting.subject, meeting.body, meeting.sensitivity) == ("Ann Example", "", "normal")


def test_addresses_are_compared_without_case_and_ids_lead_there_too() -> None:
    rooms = Mailboxes()
    room = rooms.add("Room1@contoso.example")
    assert rooms.get("rOOM1@CONTOSO.example") is room
    assert rooms.get(str(room.guid)) is room
    assert rooms.get("room2@contoso.example") is None


def test_readers_see_a_mailbox_before_or_after_a_change() -> None:
    room = a_room()
    item_id = room.add(a_meeting(body="0"), rule="FREQ=DAILY;COUNT=20")
    seen: list[set[str]] = []
    done = threading.Event()

    def look() -> None:
        while not done.is_set():
            seen.append({item.meeting.body for item in room.view(AROUND)})

    looking = threading.Thread(target=look)
    looking.start()
    for number in range(50):
        room.change(item_id, body=str(number))
    done.set()
    looking.join()
    assert seen
    assert all(len(bodies) == 1 for bodies in seen)


# --- iCalendar ----------------------------------------------------------------------------------------------------

SERIES = rb"""BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//Example//EN
METHOD:REQUEST
BEGIN:VEVENT
UID:weekly@contoso.example
ORGANIZER;CN=Ann Example:mailto:ann@contoso.example
ATTENDEE;CUTYPE=RESOURCE;PARTSTAT=TENTATIVE;CN=Room 1:mailto:room1@contoso.example
ATTENDEE;CN=Bo Sample:mailto:bo@contoso.example
DTSTART;TZID=W. Europe Standard Time:20261020T100000
DTEND;TZID=W. Europe Standard Time:20261020T110000
RRULE:FREQ=WEEKLY;UNTIL=20261117T090000Z;BYDAY=TU
EXDATE;TZID=W. Europe Standard Time:20261103T100000
SUMMARY:Plan\, weekly
DESCRIPTION:in text
X-ALT-DESC;FMTTYPE=text/html:<html><body>in HTML\, as sent</body></html>
X-MICROSOFT-ONLINEMEETINGCONFLINK:conf:sip:ann@contoso.example\;gruu\;opaque=app:conf:focus:id:ABC
X-MICROSOFT-SKYPETEAMSMEETINGURL:https://teams.microsoft.com/l/meetup-join/19%3ameeting_x
CLASS:PRIVATE
END:VEVENT
BEGIN:VEVENT
UID:weekly@contoso.example
RECURRENCE-ID;TZID=W. Europe Standard Time:20261027T100000
DTSTART;TZID=W. Europe Standard Time:20261028T100000
DTEND;TZID=W. Europe Standard Time:20261028T113000
SUMMARY:Plan\, on Wednesday
END:VEVENT
END:VCALENDAR
""".replace(b"\n", b"\r\n")


def test_an_ics_file_becomes_a_series_with_its_exceptions() -> None:
    room = a_room()
    invitations.put(room, SERIES)
    shown = room.view(AROUND)
    assert starts(shown) == ["20.10. 08:00", "28.10. 09:00", "10.11. 09:00", "17.11. 09:00"]
    assert [item.meeting.kind for item in shown] == ["occurrence", "exception", "occurrence", "occurrence"]
    assert shown[0].appointment.timezone == "Europe/Berlin"


def test_an_ics_file_keeps_what_outlook_sends_in_x_properties() -> None:
    room = a_room()
    invitations.put(room, SERIES)
    meeting = room.view(AROUND)[0].meeting
    assert meeting.prop("OnlineMeetingConfLink") == "conf:sip:ann@contoso.example;gruu;opaque=app:conf:focus:id:ABC"
    assert meeting.prop("onlineMeeting.joinUrl") == meeting.prop("SkypeTeamsMeetingUrl") != ""
    assert (meeting.body, meeting.body_type) == ("<html><body>in HTML, as sent</body></html>", "html")
    assert (meeting.subject, meeting.sensitivity, meeting.response) == ("Plan, weekly", "private", "tentative")
    assert [person.address for person in meeting.attendees] == ["bo@contoso.example"]


def test_an_ics_file_can_be_put_at_another_time() -> None:
    room = a_room()
    invitations.put(room, SERIES, shift=timedelta(weeks=4))
    assert starts(room.view(AROUND))[:2] == ["17.11. 09:00", "25.11. 09:00"]


def test_dates_and_durations_are_read_in_the_rooms_zone() -> None:
    room = a_room()
    lines = "BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:a\nDTSTART;VALUE=DATE:20261124\nEND:VEVENT\n"
    lines += (
        "BEGIN:VEVENT\nUID:b\nDTSTART:20261124T120000\nDURATION:PT45M\nSTATUS:CANCELLED\nEND:VEVENT\nEND:VCALENDAR\n"
    )
    invitations.put(room, lines.encode())
    day, cancelled = (item.meeting for item in room.view(AROUND))
    assert (day.all_day, day.start, day.end - day.start) == (True, datetime(2026, 11, 23, 23, tzinfo=UTC), DAY)
    assert (cancelled.cancelled, cancelled.start.hour) == (True, 11)
    assert cancelled.end - cancelled.start == timedelta(minutes=45)


@pytest.mark.parametrize("until", ["20261126", "20261126T100000", "20261126T090000Z"])
def test_until_is_read_as_a_date_as_local_time_and_as_utc(until: str) -> None:
    room = a_room()
    lines = "BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:a\nDTSTART;TZID=Europe/Berlin:20261124T100000\n"
    lines += f"DURATION:PT1H\nRRULE:FREQ=DAILY;UNTIL={until}\nEND:VEVENT\nEND:VCALENDAR\n"
    invitations.put(room, lines.encode())
    assert len(room.view(AROUND)) == 3
