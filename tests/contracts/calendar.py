"""What every Calendar promises (otd.ports.Calendar), as tests that each kind of calendar inherits."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from otd.errors import Missing, OtdError
from otd.model import Complete, Empty, Failed, Meeting, Reading, Room, Window
from otd.ports import Calendar

T0 = datetime(2026, 11, 24, 9, tzinfo=UTC)  # a Tuesday
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
SOON = timedelta(seconds=10)
WINDOW = Window(start=T0 - HOUR, end=T0 + 2 * DAY)


@dataclass(frozen=True, kw_only=True)
class FixedClock:
    """It is always this time."""

    at: datetime = T0

    def now(self) -> datetime:
        return self.at


@dataclass(frozen=True, kw_only=True)
class Planned:
    """A meeting as a test thinks of it; every kind of calendar lays it into its mailbox in its own way.

    With `daily`, it is a series of so many days; `moved` then is the start of its second occurrence, which is an
    exception. With `all_day`, start and end are midnights in `zone`. `cancelled` and `declined` ones are still in the
    mailbox, as Exchange keeps them.
    """

    key: str  # unique in its mailbox; what uid and id are made of
    start: datetime
    end: datetime
    subject: str = "Weekly review"
    body: str = "<p>Agenda &amp; <b>minutes</b></p>"  # HTML
    location: str = "Room 1"
    organizer: str = "ann@example.com"
    daily: int = 0
    moved: datetime | None = None
    all_day: bool = False
    zone: str = "UTC"
    cancelled: bool = False
    declined: bool = False
    private: bool = False
    tentative: bool = False


def planned(key: str = "m1", **overrides: object) -> Planned:
    """A valid one; a test states only what matters to it."""
    return replace(Planned(key=key, start=T0, end=T0 + HOUR), **overrides)  # type: ignore[arg-type]


def a_room(mailbox: str = "room1@example.com", **overrides: object) -> Room:
    usual = Room(name=mailbox.partition("@")[0], calendar="contract", mailbox=mailbox)
    return replace(usual, **overrides)  # type: ignore[arg-type]


class CalendarContract:
    """Inherit it, and say how to make the calendar and how to lay meetings into a mailbox.

    The first clause of each test's name is the promise. A kind that keeps fewer mailboxes than one per room does not
    exist, so nothing here is skipped.
    """

    room = a_room()

    def make(self) -> Calendar:
        """A calendar whose clock says T0 and that knows no mailbox yet."""
        raise NotImplementedError

    def lay(self, mailbox: str, *meetings: Planned) -> None:
        """From now on the mailbox exists and holds exactly these."""
        raise NotImplementedError

    def break_down(self, mailbox: str) -> None:
        """From now on this mailbox cannot be read."""
        raise NotImplementedError

    @pytest.fixture
    def calendar(self) -> Iterator[Calendar]:
        made = self.make()
        yield made
        made.close()

    def read(self, calendar: Calendar, room: Room | None = None, window: Window = WINDOW) -> Reading:
        return calendar.read(room or self.room, window, within=SOON)

    def meetings(self, calendar: Calendar, room: Room | None = None, window: Window = WINDOW) -> tuple[Meeting, ...]:
        """Of a reading that has some, soonest first."""
        reading = self.read(calendar, room, window)
        assert isinstance(reading, Complete), getattr(reading, "error", reading)
        return tuple(sorted(reading.meetings, key=lambda m: (m.start, m.id)))

    # three results, told apart by type ----------------------------------------------------------------------------

    def test_a_mailbox_without_meetings_is_empty_and_not_failed(self, calendar: Calendar) -> None:
        self.lay(self.room.mailbox)
        assert self.read(calendar) == Empty(room=self.room.name, window=WINDOW, taken_at=T0)

    def test_a_mailbox_whose_meetings_are_all_elsewhere_is_empty(self, calendar: Calendar) -> None:
        self.lay(self.room.mailbox, planned(start=T0 + 9 * DAY, end=T0 + 9 * DAY + HOUR))
        assert isinstance(self.read(calendar), Empty)

    def test_a_meeting_makes_the_reading_complete(self, calendar: Calendar) -> None:
        self.lay(self.room.mailbox, planned())
        reading = self.read(calendar)
        assert isinstance(reading, Complete)
        assert (reading.room, reading.window, reading.taken_at) == (self.room.name, WINDOW, T0)
        assert len(reading.meetings) == 1

    def test_a_mailbox_that_is_not_there_is_a_failed_read_and_a_matter_for_a_person(self, calendar: Calendar) -> None:
        self.lay(self.room.mailbox)
        reading = self.read(calendar, a_room("nobody@example.com"))
        assert isinstance(reading, Failed)
        assert isinstance(reading.error, Missing)
        assert reading.error.mend

    def test_a_calendar_that_is_broken_gives_failed_and_raises_nothing(self, calendar: Calendar) -> None:
        self.lay(self.room.mailbox, planned())
        self.break_down(self.room.mailbox)
        reading = self.read(calendar)
        assert isinstance(reading, Failed)
        assert isinstance(reading.error, OtdError)
        assert reading.taken_at == T0

    def test_a_read_without_time_left_gives_failed(self, calendar: Calendar) -> None:
        self.lay(self.room.mailbox, planned())
        assert isinstance(calendar.read(self.room, WINDOW, within=timedelta(0)), Failed)

    # the window ---------------------------------------------------------------------------------------------------

    def test_the_window_holds_what_overlaps_it_and_nothing_that_only_touches_it(self, calendar: Calendar) -> None:
        start, end = WINDOW.start, WINDOW.end
        self.lay(
            self.room.mailbox,
            planned("over", subject="over", start=start - HOUR, end=start),
            planned("running", subject="running", start=start - HOUR, end=start + HOUR),
            planned("last", subject="last", start=end - HOUR, end=end + HOUR),
            planned("next", subject="next", start=end, end=end + HOUR),
        )
        assert [m.subject for m in self.meetings(calendar)] == ["running", "last"]

    def test_a_longer_window_holds_more(self, calendar: Calendar) -> None:
        self.lay(self.room.mailbox, planned(), planned("m2", start=T0 + 5 * DAY, end=T0 + 5 * DAY + HOUR))
        assert len(self.meetings(calendar)) == 1
        assert len(self.meetings(calendar, window=Window(start=T0, end=T0 + 7 * DAY))) == 2

    # what a meeting says ------------------------------------------------------------------------------------------

    def test_a_meeting_says_what_the_mailbox_says(self, calendar: Calendar) -> None:
        self.lay(self.room.mailbox, planned())
        (meeting,) = self.meetings(calendar)
        assert (meeting.subject, meeting.location) == ("Weekly review", "Room 1")
        assert (meeting.start, meeting.end) == (T0, T0 + HOUR)
        assert meeting.organizer.address.casefold() == "ann@example.com"
        assert "minutes" in meeting.body
        assert meeting.body_type == "html"
        assert meeting.id
        assert meeting.uid
        assert (meeting.kind, meeting.original_start) == ("single", None)
        assert (meeting.cancelled, meeting.private, meeting.all_day) == (False, False, False)

    def test_a_cancelled_meeting_is_in_it_and_marked(self, calendar: Calendar) -> None:
        self.lay(self.room.mailbox, planned(cancelled=True))
        assert [m.cancelled for m in self.meetings(calendar)] == [True]

    def test_a_declined_meeting_is_in_it_and_marked(self, calendar: Calendar) -> None:
        self.lay(self.room.mailbox, planned(declined=True))
        assert [m.response for m in self.meetings(calendar)] == ["declined"]

    def test_a_private_meeting_is_marked(self, calendar: Calendar) -> None:
        self.lay(self.room.mailbox, planned(private=True))
        assert [m.private for m in self.meetings(calendar)] == [True]

    def test_a_tentative_meeting_is_marked(self, calendar: Calendar) -> None:
        self.lay(self.room.mailbox, planned(tentative=True))
        (meeting,) = self.meetings(calendar)
        assert "tentative" in (meeting.show_as, meeting.response)

    @pytest.mark.parametrize("zone", ["UTC", "America/Los_Angeles", "Europe/Berlin", "Asia/Tokyo"])
    def test_an_all_day_meeting_is_dates_in_the_rooms_zone(self, calendar: Calendar, zone: str) -> None:
        here = ZoneInfo(zone)
        start, end = datetime(2026, 11, 25, tzinfo=here), datetime(2026, 11, 26, tzinfo=here)
        self.lay(
            self.room.mailbox, planned(all_day=True, zone=zone, start=start.astimezone(UTC), end=end.astimezone(UTC))
        )
        (meeting,) = self.meetings(calendar, replace(self.room, timezone=zone))
        assert meeting.all_day
        assert (meeting.start, meeting.end) == (start, end)

    # series -------------------------------------------------------------------------------------------------------

    def test_a_series_comes_as_its_occurrences_with_one_uid_and_different_ids(self, calendar: Calendar) -> None:
        self.lay(self.room.mailbox, planned(daily=5), planned("m2", start=T0 + HOUR, end=T0 + 2 * HOUR))
        first, single, second = self.meetings(calendar)
        assert (first.kind, second.kind, single.kind) == ("occurrence", "occurrence", "single")
        assert (first.start, second.start) == (T0, T0 + DAY)
        assert (first.original_start, second.original_start) == (T0, T0 + DAY)
        assert first.uid == second.uid != single.uid
        assert len({first.id, second.id, single.id}) == 3

    def test_a_moved_occurrence_keeps_its_uid_and_says_where_it_was(self, calendar: Calendar) -> None:
        self.lay(self.room.mailbox, planned(daily=2, moved=T0 + DAY + 3 * HOUR))
        first, moved = self.meetings(calendar)
        assert moved.kind == "exception"
        assert (moved.start, moved.original_start) == (T0 + DAY + 3 * HOUR, T0 + DAY)
        assert moved.uid == first.uid

    # again and at once --------------------------------------------------------------------------------------------

    def test_reading_again_gives_the_same_meetings(self, calendar: Calendar) -> None:
        self.lay(self.room.mailbox, planned(), planned("m2", start=T0 + HOUR, end=T0 + 2 * HOUR))
        assert self.meetings(calendar) == self.meetings(calendar)

    def test_a_change_shows_in_the_next_reading(self, calendar: Calendar) -> None:
        self.lay(self.room.mailbox, planned("m1"), planned("m2", subject="Stays", start=T0 + HOUR, end=T0 + 2 * HOUR))
        before = self.meetings(calendar)
        self.lay(
            self.room.mailbox,
            planned("m1", subject="Moved", start=T0 + 3 * HOUR, end=T0 + 4 * HOUR),
            planned("m2", subject="Stays", start=T0 + HOUR, end=T0 + 2 * HOUR),
        )
        after = self.meetings(calendar)
        assert [(m.subject, m.start) for m in after] == [("Stays", T0 + HOUR), ("Moved", T0 + 3 * HOUR)]
        assert {m.uid for m in after} == {m.uid for m in before}

    def test_a_meeting_that_was_deleted_is_gone_in_the_next_reading(self, calendar: Calendar) -> None:
        self.lay(self.room.mailbox, planned("m1"), planned("m2", start=T0 + HOUR, end=T0 + 2 * HOUR))
        assert len(self.meetings(calendar)) == 2
        self.lay(self.room.mailbox, planned("m2", start=T0 + HOUR, end=T0 + 2 * HOUR))
        assert [m.start for m in self.meetings(calendar)] == [T0 + HOUR]
        self.lay(self.room.mailbox)
        assert isinstance(self.read(calendar), Empty)

    def test_rooms_read_at_once_each_get_their_own_meetings(self, calendar: Calendar) -> None:
        rooms = [a_room(f"room{n}@example.com") for n in range(1, 9)]
        for room in rooms:
            self.lay(room.mailbox, planned(subject=f"Of {room.name}"))
        with ThreadPoolExecutor(max_workers=4) as threads:
            readings = list(threads.map(lambda room: self.read(calendar, room), rooms * 2))
        assert [[m.subject for m in r.meetings] for r in readings if isinstance(r, Complete)] == [
            [f"Of {room.name}"] for room in rooms * 2
        ]
