"""What holds after several messages about a meeting, in whatever order they are read."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otd import formats
from otd.formats import Entry
from otd.model import Meeting, Window
from tests.icalendar_text import ics, vevent

NINE = datetime(2026, 11, 24, 9, tzinfo=UTC)
DAY = timedelta(days=1)
WEEK = Window(start=NINE - DAY, end=NINE + 6 * DAY)
DAILY = "RRULE:FREQ=DAILY;COUNT=4"


def entries(*files: bytes) -> list[Entry]:
    return [
        replace(entry, source=f"{number}.ics")
        for number, data in enumerate(files)
        for entry in formats.parse(data, "x.ics").entries
    ]


def holding(*files: bytes) -> tuple[Meeting, ...]:
    """What takes place; the same whichever file is read first."""
    read = entries(*files)
    meetings, problems = formats.occurrences(read, WEEK)
    assert problems == ()
    assert formats.occurrences(reversed(read), WEEK)[0] == meetings
    return meetings


def request(*lines: str, sequence: int = 0, stamp: str = "20261101T080000Z", **more: object) -> bytes:
    return ics(vevent(*lines, sequence=sequence, dtstamp=stamp, **more), method="REQUEST")  # type: ignore[arg-type]


def cancel(*lines: str, sequence: int = 1, stamp: str = "20261102T080000Z", **more: object) -> bytes:
    return ics(vevent(*lines, sequence=sequence, dtstamp=stamp, **more), method="CANCEL")  # type: ignore[arg-type]


def test_the_higher_sequence_counts_and_then_the_later_stamp() -> None:
    first = request(summary="first")
    later = request(summary="later", stamp="20261103T080000Z")
    higher = request(summary="higher", sequence=1)
    assert [m.subject for m in holding(first, later)] == ["later"]
    assert [m.subject for m in holding(first, higher, later)] == ["higher"]


def test_an_update_that_moves_a_meeting_moves_it() -> None:
    moved = request(sequence=1, start="20261125T090000Z", end="20261125T100000Z")
    assert [m.start for m in holding(request(), moved)] == [NINE + DAY]


def test_a_cancellation_marks_what_it_cancels_and_keeps_its_times_and_text() -> None:
    (meeting,) = holding(request(description="Join"), cancel(start="", end="", summary=None))
    assert (meeting.cancelled, meeting.start, meeting.body) == (True, NINE, "Join")


def test_a_cancellation_that_is_older_than_the_invitation_changes_nothing() -> None:
    assert [m.cancelled for m in holding(request(sequence=2), cancel())] == [False]


def test_an_invitation_that_was_sent_after_the_cancellation_counts() -> None:
    again = request(sequence=1, stamp="20261103T080000Z")
    assert [m.cancelled for m in holding(request(), cancel(), again)] == [False]


def test_of_two_that_say_the_same_of_their_age_the_cancellation_counts() -> None:
    assert [m.cancelled for m in holding(request(), cancel(sequence=0, stamp="20261101T080000Z"))] == [True]


def test_a_cancellation_of_something_unknown_is_marked_or_passed_over() -> None:
    assert [m.cancelled for m in holding(cancel())] == [True]
    assert holding(cancel(start="", end="")) == ()


@pytest.mark.parametrize("method", ["REPLY", "COUNTER", "REFRESH", "DECLINECOUNTER"])
def test_what_attendees_send_changes_nothing(method: str) -> None:
    answer = ics(vevent(sequence=9, start="20261126T090000Z", end="20261126T100000Z"), method=method)
    assert [m.start for m in holding(request(), answer)] == [NINE]


def test_a_published_calendar_counts_like_an_invitation() -> None:
    published = ics(vevent(summary="published", sequence=1), method="PUBLISH")
    assert [m.subject for m in holding(request(), published)] == ["published"]


def test_one_occurrence_is_moved_by_a_message_of_its_own() -> None:
    moved = request(
        recurrence_id="20261125T090000Z", start="20261125T150000Z", end="20261125T160000Z", sequence=1, summary="Later"
    )
    meetings = holding(request(DAILY), moved)
    assert [(m.start.day, m.start.hour, m.subject) for m in meetings] == [
        (24, 9, "Weekly review"),
        (25, 15, "Later"),
        (26, 9, "Weekly review"),
        (27, 9, "Weekly review"),
    ]


def test_one_occurrence_is_cancelled_by_a_message_that_states_no_times() -> None:
    meetings = holding(request(DAILY), cancel(recurrence_id="20261125T090000Z", start="", end="", summary=None))
    assert [(m.start.day, m.cancelled) for m in meetings] == [(24, False), (25, True), (26, False), (27, False)]
    assert {m.end - m.start for m in meetings} == {timedelta(hours=1)}


def test_an_occurrence_is_cancelled_and_then_invited_to_again() -> None:
    gone = cancel(recurrence_id="20261125T090000Z")
    again = request(recurrence_id="20261125T090000Z", sequence=2, summary="Again")
    assert [m.subject for m in holding(request(DAILY), gone, again) if not m.cancelled][1] == "Again"


def test_a_cancelled_series_takes_its_exceptions_with_it() -> None:
    moved = request(recurrence_id="20261125T090000Z", start="20261125T150000Z", end="20261125T160000Z", sequence=5)
    meetings = holding(request(DAILY), moved, cancel(DAILY, sequence=1, stamp="20261105T080000Z"))
    assert len(meetings) == 4
    assert all(m.cancelled for m in meetings)


def test_a_series_that_is_invited_to_again_after_its_cancellation_has_none_of_the_old_exceptions() -> None:
    moved = request(recurrence_id="20261125T090000Z", start="20261125T150000Z", end="20261125T160000Z")
    again = request(DAILY, sequence=2, stamp="20261106T080000Z")
    meetings = holding(request(DAILY), moved, cancel(sequence=1, stamp="20261105T080000Z"), again)
    assert [(m.start.hour, m.cancelled) for m in meetings] == [(9, False)] * 4


def test_an_update_of_the_text_keeps_the_exceptions_and_one_of_the_times_drops_them() -> None:
    moved = request(recurrence_id="20261125T090000Z", start="20261125T150000Z", end="20261125T160000Z")
    text = request(DAILY, sequence=1, stamp="20261105T080000Z", summary="New text")
    assert [m.start.hour for m in holding(request(DAILY), moved, text)] == [9, 15, 9, 9]
    times = request(DAILY, sequence=1, start="20261124T110000Z", end="20261124T120000Z", stamp="20261105T080000Z")
    assert [m.start.hour for m in holding(request(DAILY), moved, times)] == [11, 11, 11, 11]


def test_a_new_exception_holds_whatever_the_series_says() -> None:
    moved = request(
        recurrence_id="20261125T093000Z", start="20261125T150000Z", end="20261125T160000Z", stamp="20261109T080000Z"
    )
    assert [m.start.hour for m in holding(request(DAILY), moved)] == [9, 9, 15, 9, 9]


def test_a_series_and_its_exceptions_in_one_file_belong_together_whatever_their_numbers() -> None:
    data = ics(
        vevent(DAILY, sequence=7),
        vevent(recurrence_id="20261125T110000Z", start="20261125T150000Z", end="20261125T160000Z", sequence=1),
    )
    assert [m.start.hour for m in holding(data)] == [9, 9, 15, 9, 9]


def test_a_new_master_that_leaves_an_occurrence_out_removes_its_old_exception() -> None:
    moved = request(recurrence_id="20261125T090000Z", start="20261125T150000Z", end="20261125T160000Z")
    without = request(DAILY, "EXDATE:20261125T090000Z", sequence=1, stamp="20261105T080000Z")
    assert [m.start.day for m in holding(request(DAILY), moved, without)] == [24, 26, 27]


def test_an_exception_that_is_stated_beside_an_exdate_takes_place() -> None:
    data = ics(
        vevent(DAILY, "EXDATE:20261125T090000Z"),
        vevent(recurrence_id="20261125T090000Z", start="20261125T150000Z", end="20261125T160000Z"),
    )
    assert [m.start.hour for m in holding(data)] == [9, 15, 9, 9]


def test_a_meeting_may_be_added_to_a_series() -> None:
    added = ics(vevent(start="20261125T180000Z", end="20261125T190000Z", sequence=1), method="ADD")
    meetings = holding(request(DAILY), added)
    assert [(m.start.day, m.start.hour) for m in meetings] == [(24, 9), (25, 9), (25, 18), (26, 9), (27, 9)]


def test_all_that_follow_are_cancelled_together() -> None:
    gone = cancel(
        "RECURRENCE-ID;RANGE=THISANDFUTURE:20261126T090000Z", start="20261126T090000Z", end="20261126T100000Z"
    )
    assert [m.cancelled for m in holding(request(DAILY), gone)] == [False, False, True, True]


def test_a_series_that_became_a_single_meeting_has_no_occurrences_left() -> None:
    moved = request(recurrence_id="20261126T090000Z", start="20261126T150000Z", end="20261126T160000Z")
    single = request(sequence=1, stamp="20261105T080000Z")
    assert [(m.kind, m.start) for m in holding(request(DAILY), moved, single)] == [("single", NINE)]


def test_an_invitation_to_one_occurrence_stands_without_its_series() -> None:
    only = request(recurrence_id="20261125T090000Z", start="20261125T150000Z", end="20261125T160000Z")
    assert [(m.kind, m.start.hour) for m in holding(only)] == [("exception", 15)]


# properties -----------------------------------------------------------------------------------------------------------


@st.composite
def messages(draw: st.DrawFn) -> bytes:
    """Any message about one of two meetings."""
    lines = [line for line in (DAILY, "EXDATE:20261125T090000Z") if draw(st.booleans())]
    day, hour = draw(st.integers(24, 27)), draw(st.integers(8, 18))
    dated = draw(st.booleans())
    recurrence = draw(st.sampled_from([None, "20261124T090000Z", "20261125T090000Z", "20261126T120000Z"]))
    return ics(
        vevent(
            *([] if recurrence else lines),
            uid=draw(st.sampled_from(["m1", "m2"])),
            start=f"202611{day}T{hour:02}0000Z" if dated else "",
            end="",
            sequence=draw(st.integers(0, 3)),
            dtstamp=draw(st.sampled_from([None, "20261101T080000Z", "20261102T080000Z"])),
            recurrence_id=recurrence,
        ),
        method=draw(st.sampled_from(["", "REQUEST", "REQUEST", "PUBLISH", "CANCEL", "REPLY", "ADD"])),
    )


@settings(max_examples=150, deadline=None)
@given(
    st.lists(messages(), max_size=8).flatmap(
        lambda files: st.tuples(st.just(files), st.permutations(range(len(files))))
    )
)
def test_whatever_the_order_the_same_meetings_hold(drawn: tuple[list[bytes], list[int]]) -> None:
    files, order = drawn
    named = [entries(data) for data in files]
    by_name = [[replace(entry, source=f"{n}.ics") for entry in found] for n, found in enumerate(named)]
    straight = formats.occurrences([entry for found in by_name for entry in found], WEEK)
    shuffled = formats.occurrences([entry for n in order for entry in by_name[n]], WEEK)
    assert straight == shuffled
    assert len({m.id for m in straight[0]}) == len(straight[0])
    assert all(WEEK.overlaps(m.start, m.end) for m in straight[0])


@settings(max_examples=100, deadline=None)
@given(st.lists(messages(), max_size=6))
def test_a_message_that_comes_twice_changes_nothing(files: list[bytes]) -> None:
    once = formats.occurrences(entries(*files), WEEK)
    assert formats.occurrences([*entries(*files), *entries(*files)], WEEK) == once
