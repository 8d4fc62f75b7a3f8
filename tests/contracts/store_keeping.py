"""Readings that are kept for replay."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from otd.errors import Missing
from otd.model import Complete, Empty, KeptMeeting, Meeting, Person
from tests.contracts.store_case import DAY, StoreCase
from tests.values import HOUR, MINUTE, T0, WINDOW

KEEP = 14 * DAY


def a_meeting(name: str = "m1", **overrides: Any) -> Meeting:
    usual = Meeting(
        id=name,
        uid=f"{name}@example.com",
        start=T0 + HOUR,
        end=T0 + 2 * HOUR,
        original_start=T0,
        subject="Budget \U0001f600 \ud800",
        body="Join: sip:weekly@video.example.com",
        properties=(("SkypeTeamsMeetingUrl", "https://example.com/x"),),
        organizer=Person(name="Ann Example", address="ann@example.com"),
    )
    return replace(usual, **overrides)


def a_read(*meetings: Meeting, room: str = "room1") -> Complete | Empty:
    if not meetings:
        return Empty(room=room, window=WINDOW, taken_at=T0)
    return Complete(room=room, window=WINDOW, taken_at=T0, meetings=meetings)


class KeepingContract(StoreCase):
    """Readings that are kept for replay."""

    def kept(self, room: str = "room1") -> tuple[KeptMeeting, ...]:
        reading = self.store.last_reading(room)
        assert reading is not None
        return reading.meetings

    def subjects(self, id: str) -> list[str]:
        return [one.meeting.subject for one in self.store.reading(id).meetings]

    def test_a_reading_is_kept_as_it_was(self) -> None:
        self.adopt()
        assert self.store.last_reading("room1") is None
        assert self.store.keep_reading(a_read(a_meeting(), a_meeting("m2", body="")))
        reading = self.store.last_reading("room1")
        assert reading is not None
        assert (reading.room, reading.at, reading.window) == ("room1", T0, WINDOW)
        assert reading.meetings == (
            KeptMeeting(meeting=a_meeting()),
            KeptMeeting(meeting=a_meeting("m2", body="")),
        )

    def test_an_unchanged_reading_is_not_kept_again(self) -> None:
        self.adopt()
        first, second = a_meeting("m1"), a_meeting("m2")
        assert self.store.keep_reading(a_read(first, second))
        self.pass_time(MINUTE)
        assert not self.store.keep_reading(a_read(second, first))
        known = self.store.standing("room1").reading
        assert known
        assert not self.store.keep_reading(a_read(first, second), known=known)
        assert self.store.keep_reading(a_read(first), known=known)
        assert self.store.standing("room1").reading != known
        assert self.store.keep_reading(a_read(first, replace(second, subject="Moved")), known=known)
        assert [mark.meetings for mark in self.store.readings("room1", T0, T0 + DAY)] == [2, 1, 2]

    def test_an_empty_reading_is_a_change_too(self) -> None:
        self.adopt()
        assert self.store.keep_reading(a_read())
        assert not self.store.keep_reading(a_read())
        assert self.kept() == ()
        assert self.store.keep_reading(a_read(a_meeting()))
        assert self.store.keep_reading(a_read())

    def test_attendees_are_reduced_to_their_domains(self) -> None:
        self.adopt()
        people = (Person(name="Bo", address="bo@Example.com"), Person(address="cy@other.test"), Person(name="Di"))
        more = (*people, Person(name="Ed", address="ed@example.com"))
        assert self.store.keep_reading(a_read(a_meeting(attendees=people)))
        assert not self.store.keep_reading(a_read(a_meeting(attendees=more)))
        ((one,),) = (self.kept(),)
        assert one.meeting.attendees == (Person(address="@example.com"), Person(address="@other.test"))

    def test_bodies_of_private_meetings_are_not_kept(self) -> None:
        self.adopt()
        self.store.keep_reading(a_read(a_meeting("m1", sensitivity="private"), a_meeting("m2", sensitivity="personal")))
        first, second = self.kept()
        assert (first.meeting.body, first.body_left_out) == ("", True)
        assert (second.meeting.body, second.body_left_out) == (a_meeting().body, False)

    def test_no_body_is_kept_where_none_is_to_be(self) -> None:
        self.adopt()
        self.store.keep_reading(a_read(a_meeting("m1"), a_meeting("m2", body=" ")), bodies=False)
        first, second = self.kept()
        assert (first.meeting.body, first.body_left_out) == ("", True)
        assert (second.meeting.body, second.body_left_out) == ("", False)

    def test_meetings_that_are_as_they_were_are_known(self) -> None:
        self.adopt()
        assert self.store.unchanged(a_read(a_meeting())) == frozenset()
        self.store.keep_reading(a_read(a_meeting("m1"), a_meeting("m2")))
        assert self.store.unchanged(a_read(a_meeting("m1"), a_meeting("m2", body="other"))) == {"m1"}

    def test_rooms_do_not_share_what_is_kept(self) -> None:
        self.adopt(rooms=2)
        self.store.keep_reading(a_read(a_meeting()))
        self.store.keep_reading(a_read(a_meeting(), room="room2"))
        assert self.kept("room1") == self.kept("room2")
        self.store.keep_reading(a_read())
        self.pass_time(2 * KEEP)
        assert not self.store.tidy(KEEP)
        assert self.kept("room2") == (KeptMeeting(meeting=a_meeting()),)

    def test_the_readings_of_a_span_begin_with_the_one_that_held_at_its_start(self) -> None:
        self.adopt()
        for number in range(4):
            self.store.keep_reading(a_read(a_meeting(subject=f"version {number}")))
            self.pass_time(HOUR)
        marks = self.store.readings("room1", T0 + 90 * MINUTE, T0 + 150 * MINUTE)
        assert [mark.at for mark in marks] == [T0 + HOUR, T0 + 2 * HOUR]
        assert [self.subjects(mark.id) for mark in marks] == [["version 1"], ["version 2"]]
        assert self.store.readings("room1", T0 - HOUR, T0 - MINUTE) == ()

    def test_two_changes_in_one_instant_are_two_readings(self) -> None:
        self.adopt()
        self.store.keep_reading(a_read(a_meeting(subject="one")))
        self.store.keep_reading(a_read(a_meeting(subject="two")))
        self.pass_time(-HOUR)
        self.store.keep_reading(a_read(a_meeting(subject="three")))
        marks = self.store.readings("room1", T0 - HOUR, T0 + HOUR)
        assert [self.subjects(mark.id) for mark in marks] == [["one"], ["two"], ["three"]]

    @pytest.mark.parametrize("id", ["room1/1", "room1", "", "room1/x", "/", "room1/99999999999999999999"])
    def test_a_reading_that_is_not_kept_is_missing(self, id: str) -> None:
        self.adopt()
        with pytest.raises(Missing):
            self.store.reading(id)

    def test_a_room_that_is_not_configured_keeps_nothing(self) -> None:
        self.adopt(rooms=0)
        with pytest.raises(Missing):
            self.store.keep_reading(a_read(a_meeting()))

    def test_superseded_readings_go_when_their_time_is_over(self) -> None:
        self.adopt()
        self.store.keep_reading(a_read(a_meeting("m1"), a_meeting("m2")))
        self.pass_time(DAY)
        self.store.keep_reading(a_read(a_meeting("m2")))
        self.pass_time(KEEP - MINUTE)
        self.store.tidy(KEEP)
        first, second = self.store.readings("room1", T0, T0 + KEEP)
        assert len(self.store.reading(first.id).meetings) == 2
        self.pass_time(2 * MINUTE)
        self.store.tidy(KEEP)
        assert self.store.readings("room1", T0, T0 + KEEP) == (second,)
        assert [one.meeting.id for one in self.kept()] == ["m2"]
        assert [one.meeting.id for one in self.store.reading(second.id).meetings] == ["m2"]
        with pytest.raises(Missing):
            self.store.reading(first.id)

    def test_what_the_newest_reading_holds_stays_however_old_it_is(self) -> None:
        self.adopt()
        self.store.keep_reading(a_read(a_meeting()))
        for _ in range(3):
            self.pass_time(2 * KEEP)
            self.store.tidy(KEEP)
        assert self.kept() == (KeptMeeting(meeting=a_meeting()),)

    def test_a_meeting_that_comes_back_is_whole(self) -> None:
        self.adopt()
        self.store.keep_reading(a_read(a_meeting()))
        self.pass_time(HOUR)
        self.store.keep_reading(a_read())
        self.pass_time(KEEP + HOUR)
        self.store.tidy(KEEP)
        self.store.keep_reading(a_read(a_meeting()))
        assert self.kept() == (KeptMeeting(meeting=a_meeting()),)

    def test_readings_of_a_room_that_was_removed_go_when_their_time_is_over(self) -> None:
        self.adopt()
        self.store.keep_reading(a_read(a_meeting()))
        self.adopt(rooms=0)
        self.pass_time(KEEP - MINUTE)
        self.store.tidy(KEEP)
        assert self.kept() == (KeptMeeting(meeting=a_meeting()),)
        self.pass_time(timedelta(hours=1))
        self.store.tidy(KEEP)
        assert self.store.last_reading("room1") is None

    def test_the_house_has_its_work_once(self) -> None:
        self.adopt(rooms=0)
        self.store.add_work("tidy", "house", "house")
        work = self.run(after=HOUR)
        assert (work.kind, work.name, work.lane) == ("tidy", "house", "house")
        self.store.add_work("tidy", "house", "house")
        assert self.claim() == ()

    # what was seen when -------------------------------------------------------------------------------------------

    def test_every_version_of_a_meeting_was_seen_from_when_to_when(self) -> None:
        self.adopt()
        first, other = a_meeting("m1"), a_meeting("m2")
        self.store.keep_reading(a_read(first))
        self.pass_time(MINUTE)
        self.store.keep_reading(a_read(first, other))
        self.pass_time(MINUTE)
        self.store.keep_reading(a_read(replace(first, subject="Moved"), other))
        seen = self.store.sightings("room1")
        assert [(s.kept.meeting.id, s.kept.meeting.subject, s.first, s.last, s.before) for s in seen] == [
            ("m1", first.subject, T0, T0 + MINUTE, None),
            ("m2", other.subject, T0 + MINUTE, T0 + 2 * MINUTE, WINDOW.end),
            ("m1", "Moved", T0 + 2 * MINUTE, T0 + 2 * MINUTE, WINDOW.end),
        ]
        assert self.store.sightings("room2") == ()

    def test_versions_that_differ_in_their_change_key_only_are_one(self) -> None:
        self.adopt()
        self.store.keep_reading(a_read(a_meeting(change_key="1")))
        self.pass_time(MINUTE)
        self.store.keep_reading(a_read(a_meeting(change_key="2")))
        (seen,) = self.store.sightings("room1")
        assert (seen.first, seen.last) == (T0, T0 + MINUTE)

    def test_a_secret_of_the_installation_is_made_once(self) -> None:
        assert self.store.kept_secret("signing", lambda: "first") == "first"
        assert self.store.kept_secret("signing", lambda: "second") == "first"
        assert self.store.kept_secret("another", lambda: "second") == "second"
