"""Series in a window: rules, exceptions, zones, and rules that nobody should follow."""

from __future__ import annotations

import time
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from dateutil.rrule import rrulestr
from hypothesis import given, settings
from hypothesis import strategies as st

from otd import formats
from otd.formats.rules import RefusedError, brought_near, fit
from otd.model import Meeting, Window
from tests.icalendar_text import ics, vevent, vtimezone

OSLO = ZoneInfo("Europe/Oslo")
NINE = datetime(2026, 11, 24, 9, tzinfo=UTC)  # a Tuesday
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
WEEK = Window(start=NINE - HOUR, end=NINE + 7 * DAY)


def taking_place(data: bytes, window: Window = WEEK, zone: ZoneInfo | None = None) -> tuple[Meeting, ...]:
    meetings, problems = formats.occurrences(formats.parse(data, "x.ics", zone or UTC).entries, window)
    assert problems == ()
    return meetings


def days(*meetings: Meeting) -> list[int]:
    return [m.start.day for m in meetings]


def test_a_series_gives_its_occurrences_in_the_window_and_only_those() -> None:
    data = ics(vevent("RRULE:FREQ=DAILY;INTERVAL=2", start="20260101T090000Z", end="20260101T100000Z"))
    meetings = taking_place(data)
    assert days(*meetings) == [25, 27, 29]
    assert {(m.kind, m.uid, m.end - m.start) for m in meetings} == {("occurrence", "m1@example.com", HOUR)}
    assert all(m.original_start == m.start for m in meetings)
    assert len({m.id for m in meetings}) == 3


def test_what_runs_when_the_window_begins_is_in_it_and_what_only_touches_it_is_not() -> None:
    data = ics(vevent("RRULE:FREQ=DAILY", start="20260101T090000Z", end="20260101T100000Z"))
    half_past = NINE + HOUR / 2
    assert days(*taking_place(data, Window(start=half_past, end=half_past + HOUR))) == [24]
    assert taking_place(data, Window(start=NINE + HOUR, end=NINE + DAY)) == ()


def test_dates_left_out_and_added_count() -> None:
    data = ics(
        vevent(
            "RRULE:FREQ=DAILY;COUNT=4",
            "EXDATE:20261125T090000Z,20261127T090000Z",
            "RDATE;TZID=Europe/Oslo:20261129T120000",
            "RDATE;VALUE=PERIOD:20261130T110000Z/PT2H",
        )
    )
    assert [(m.start.day, m.start.hour) for m in taking_place(data)] == [(24, 9), (26, 9), (29, 11), (30, 11)]


def test_a_whole_day_may_be_left_out_of_a_series_with_times() -> None:
    data = ics(
        vevent(
            "RRULE:FREQ=DAILY;COUNT=3",
            "EXDATE;VALUE=DATE:20261125",
            start=";TZID=Europe/Oslo:20261124T100000",
            end=";TZID=Europe/Oslo:20261124T110000",
        )
    )
    assert days(*taking_place(data)) == [24, 26]


@pytest.mark.parametrize("tzid", ["Europe/Oslo", "W. Europe Standard Time", "Mine"])
def test_a_series_keeps_its_time_of_day_when_the_clocks_change(tzid: str) -> None:
    text = vevent(
        "RRULE:FREQ=WEEKLY", start=f";TZID={tzid}:20261020T100000", end=f";TZID={tzid}:20261020T110000", uid="w"
    )
    window = Window(start=datetime(2026, 10, 19, tzinfo=UTC), end=datetime(2026, 11, 2, tzinfo=UTC))
    before, after = taking_place(ics(text, head=vtimezone("Mine")), window)
    assert (before.start.hour, after.start.hour) == (8, 9)
    assert after.original_start == after.start


def test_a_series_in_utc_keeps_its_instant() -> None:
    window = Window(start=datetime(2026, 10, 19, tzinfo=UTC), end=datetime(2026, 11, 2, tzinfo=UTC))
    data = ics(vevent("RRULE:FREQ=WEEKLY", start="20261020T080000Z", end="20261020T090000Z"))
    assert {m.start.hour for m in taking_place(data, window)} == {8}


def test_an_occurrence_over_a_change_of_the_clocks_lasts_as_long_as_the_others() -> None:
    zone = ";TZID=Europe/Oslo:"
    data = ics(vevent("RRULE:FREQ=DAILY", start=f"{zone}20261023T230000", end=f"{zone}20261024T070000"))
    window = Window(start=datetime(2026, 10, 24, tzinfo=UTC), end=datetime(2026, 10, 26, tzinfo=UTC))
    assert {m.end - m.start for m in taking_place(data, window)} == {timedelta(hours=8)}


def test_all_day_occurrences_are_days_in_the_rooms_zone_over_a_change_of_the_clocks() -> None:
    data = ics(vevent("RRULE:FREQ=DAILY;COUNT=3", start=";VALUE=DATE:20261024", end=";VALUE=DATE:20261025"))
    window = Window(start=datetime(2026, 10, 20, tzinfo=UTC), end=datetime(2026, 10, 30, tzinfo=UTC))
    meetings = taking_place(data, window, OSLO)
    assert [m.start for m in meetings] == [datetime(2026, 10, day, tzinfo=OSLO) for day in (24, 25, 26)]
    assert [m.end for m in meetings] == [datetime(2026, 10, day, tzinfo=OSLO) for day in (25, 26, 27)]
    assert all(m.all_day for m in meetings)


@pytest.mark.parametrize(
    ("until", "last"),
    [
        ("20261126T090000Z", 26),
        ("20261126T085959Z", 25),
        ("20261126", 26),
        ("20261126T180000", 26),
    ],
)
def test_until_is_included_in_every_form_that_programs_write(until: str, last: int) -> None:
    zone = ";TZID=America/Los_Angeles:"
    data = ics(vevent(f"RRULE:FREQ=DAILY;UNTIL={until}", start=f"{zone}20261124T010000", end=f"{zone}20261124T020000"))
    assert days(*taking_place(data))[-1] == last


def test_a_local_until_west_of_greenwich_does_not_lose_the_last_occurrence() -> None:
    zone = ";TZID=America/Los_Angeles:"
    data = ics(
        vevent("RRULE:FREQ=DAILY;UNTIL=20261126T100000", start=f"{zone}20261124T100000", end=f"{zone}20261124T110000")
    )
    assert days(*taking_place(data)) == [24, 25, 26]


def test_a_moved_occurrence_stands_where_it_was_moved_to() -> None:
    master = vevent("RRULE:FREQ=DAILY;COUNT=3")
    moved = vevent(start="20261125T150000Z", end="20261125T153000Z", recurrence_id="20261125T090000Z", summary="Later")
    first, second, third = taking_place(ics(moved, master))
    assert (first.kind, second.kind, third.kind) == ("occurrence", "exception", "occurrence")
    assert (second.subject, second.start.hour, second.original_start) == ("Later", 15, NINE + DAY)


def test_an_occurrence_that_was_moved_into_the_window_or_out_of_it_is_where_it_is_now() -> None:
    master = vevent("RRULE:FREQ=WEEKLY", start="20260106T090000Z", end="20260106T100000Z")
    into = vevent(start="20261126T090000Z", end="20261126T100000Z", recurrence_id="20260203T090000Z")
    out = vevent(start="20261218T090000Z", end="20261218T100000Z", recurrence_id="20261124T090000Z")
    assert days(*taking_place(ics(master, into, out))) == [26]


@pytest.mark.parametrize(
    "recurrence_id",
    [
        ";TZID=Europe/Oslo:20261125T100000",
        "20261125T090000Z",
        ";VALUE=DATE:20261125",
        ";TZID=Asia/Tokyo:20261125T180000",
    ],
)
def test_an_exception_finds_its_occurrence_however_it_names_it(recurrence_id: str) -> None:
    zone = ";TZID=Europe/Oslo:"
    master = vevent("RRULE:FREQ=DAILY;COUNT=2", start=f"{zone}20261124T100000", end=f"{zone}20261124T110000")
    moved = vevent(f"RECURRENCE-ID{recurrence_id if recurrence_id[0] == ';' else ':' + recurrence_id}",
                   start="20261125T150000Z", end="20261125T160000Z")  # fmt: skip
    first, second = taking_place(ics(master, moved))
    assert (first.start, second.start.hour, second.original_start) == (NINE, 15, NINE + DAY)


def test_an_exception_of_an_all_day_series_finds_its_day() -> None:
    master = vevent("RRULE:FREQ=DAILY;COUNT=2", start=";VALUE=DATE:20261124", end=";VALUE=DATE:20261125")
    for stated in (";VALUE=DATE:20261125", ":20261125T000000Z", ":20261124T230000Z"):
        moved = vevent(f"RECURRENCE-ID{stated}", start=";VALUE=DATE:20261127", end=";VALUE=DATE:20261128")
        meetings = taking_place(ics(master, moved), zone=OSLO)
        assert [m.start.astimezone(OSLO).day for m in meetings] == [24, 27]
        assert meetings[1].original_start == datetime(2026, 11, 25, tzinfo=OSLO)


def test_a_cancelled_occurrence_is_there_and_marked() -> None:
    master = vevent("RRULE:FREQ=DAILY;COUNT=3")
    gone = vevent(
        recurrence_id="20261125T090000Z", status="CANCELLED", start="20261125T090000Z", end="20261125T100000Z"
    )
    assert [(m.start.day, m.cancelled) for m in taking_place(ics(master, gone))] == [
        (24, False),
        (25, True),
        (26, False),
    ]


def test_this_and_all_that_follow_are_moved_together() -> None:
    master = vevent("RRULE:FREQ=DAILY;COUNT=5")
    moved = vevent(
        "RECURRENCE-ID;RANGE=THISANDFUTURE:20261126T090000Z",
        start="20261126T120000Z",
        end="20261126T140000Z",
        summary="Longer",
    )
    meetings = taking_place(ics(master, moved))
    assert [(m.start.day, m.start.hour, m.original_start.hour) for m in meetings if m.original_start] == [
        (24, 9, 9),
        (25, 9, 9),
        (26, 12, 9),
        (27, 12, 9),
        (28, 12, 9),
    ]
    assert [m.subject for m in meetings] == ["Weekly review"] * 2 + ["Longer"] * 3
    assert [m.kind for m in meetings] == ["occurrence", "occurrence", "exception", "occurrence", "occurrence"]
    assert len({m.id for m in meetings}) == 5


def test_what_was_moved_long_ago_with_all_that_follow_still_takes_place_then() -> None:
    master = vevent("RRULE:FREQ=WEEKLY", start="20200107T090000Z", end="20200107T100000Z")
    moved = vevent(
        "RECURRENCE-ID;RANGE=THISANDFUTURE:20210105T090000Z", start="20211205T090000Z", end="20211205T100000Z"
    )
    (only,) = taking_place(ics(master, moved), Window(start=NINE - DAY, end=NINE + 6 * DAY))
    assert only.original_start
    assert only.start - only.original_start == timedelta(days=334)


def test_an_exception_without_its_series_stands_by_itself() -> None:
    (only,) = taking_place(ics(vevent(recurrence_id="20261124T080000Z")))
    assert (only.kind, only.start, only.original_start) == ("exception", NINE, NINE - HOUR)


def test_a_start_that_the_rule_leaves_out_takes_place_all_the_same() -> None:
    """RFC 5545 section 3.8.5.3 leaves it open."""
    assert days(*taking_place(ics(vevent("RRULE:FREQ=WEEKLY;BYDAY=TH")))) == [24, 26]


# rules that nobody should follow --------------------------------------------------------------------------------------

HOSTILE = [
    "FREQ=SECONDLY",
    "FREQ=MINUTELY;INTERVAL=1",
    "FREQ=HOURLY",
    "FREQ=DAILY;BYHOUR=0,1,2,3,4,5,6,7,8;BYMINUTE=0,1,2,3,4,5;BYSECOND=0,1,2,3",
    "FREQ=MONTHLY;BYMONTH=2;BYMONTHDAY=30",
    "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=31",
    "FREQ=MONTHLY;BYDAY=1MO;BYSETPOS=2",
    "FREQ=YEARLY;BYDAY=MO,TU;BYSETPOS=-366",
    "FREQ=WEEKLY;BYMONTH=2;BYMONTHDAY=31",
    "FREQ=DAILY;INTERVAL=7;BYDAY=WE",
    "FREQ=DAILY;COUNT=99999",
    "FREQ=DAILY;INTERVAL=0",
    "FREQ=DAILY;BYMONTH=13",
    "FREQ=DAILY;UNTIL=20269999",
    "FREQ=FORTNIGHTLY",
    "INTERVAL=1",
    "FREQ=DAILY;BYEASTER=1",
    "FREQ=DAILY;BYHOUR=99",
    "FREQ=YEARLY;BYWEEKNO=53;BYDAY=MO;BYMONTH=6",
]


@pytest.mark.parametrize("rule", HOSTILE)
def test_a_rule_that_cannot_be_followed_leaves_the_first_occurrence_and_is_reported(rule: str) -> None:
    entries = formats.parse(ics(vevent(f"RRULE:{rule}")), "x.ics").entries
    meetings, problems = formats.occurrences(entries, WEEK)
    assert days(*meetings) == [24]
    assert len(problems) == 1
    assert "not followed" in problems[0]


def test_hostile_rules_are_dealt_with_in_no_time() -> None:
    events = [vevent(f"RRULE:{rule}", uid=f"m{n}") for n, rule in enumerate(HOSTILE * 5)]
    events += [
        vevent("RRULE:FREQ=DAILY", uid=f"d{n}", start="19000101T090000Z", end="19000101T100000Z") for n in range(9)
    ]
    events += [
        vevent("RRULE:FREQ=DAILY", uid=f"l{n}", start="20260101T090000Z", end="21990101T100000Z") for n in range(9)
    ]
    entries = formats.parse(ics(*events), "x.ics").entries
    before = time.process_time()
    formats.occurrences(entries, WEEK)
    assert time.process_time() - before < 5


def test_a_series_has_at_most_so_many_occurrences_in_a_window() -> None:
    entries = formats.parse(ics(vevent("RRULE:FREQ=DAILY;BYHOUR=8,9,10,11")), "x.ics").entries
    meetings, problems = formats.occurrences(entries, Window(start=NINE, end=NINE + 1000 * DAY))
    assert len(meetings) == 2_000
    assert "more than 2000" in problems[0]


def test_occurrences_that_last_longer_than_a_year_are_not_followed() -> None:
    entries = formats.parse(ics(vevent("RRULE:FREQ=DAILY", start="20200101T090000Z", end="20300101T090000Z"))).entries
    meetings, problems = formats.occurrences(entries, WEEK)
    assert len(meetings) == 1
    assert problems


def test_a_count_below_one_is_a_series_without_end() -> None:
    assert days(*taking_place(ics(vevent("RRULE:FREQ=DAILY;COUNT=-1;INTERVAL=3")))) == [24, 27, 30]


# properties -----------------------------------------------------------------------------------------------------------

WEEKDAYS = st.lists(st.sampled_from(["MO", "TU", "WE", "TH", "FR", "SA", "SU"]), min_size=1, max_size=4, unique=True)


@st.composite
def rules(draw: st.DrawFn) -> str:
    """What calendars write."""
    frequency = draw(st.sampled_from(["DAILY", "WEEKLY", "MONTHLY", "YEARLY"]))
    parts = [f"FREQ={frequency}", f"INTERVAL={draw(st.integers(1, 5))}"]
    if frequency == "WEEKLY":
        parts.append(f"BYDAY={','.join(draw(WEEKDAYS))}")
    elif frequency == "MONTHLY":
        parts.append(
            draw(
                st.one_of(
                    st.integers(1, 31).map(lambda day: f"BYMONTHDAY={day}"),
                    st.tuples(st.sampled_from([1, 2, 3, 4, -1]), WEEKDAYS).map(lambda p: f"BYDAY={p[0]}{p[1][0]}"),
                    WEEKDAYS.map(lambda d: f"BYDAY={','.join(d)};BYSETPOS=-1"),
                )
            )
        )
    elif frequency == "YEARLY":
        parts.append(f"BYMONTH={draw(st.integers(1, 12))};BYMONTHDAY={draw(st.integers(1, 28))}")
    end = draw(st.sampled_from(["", "COUNT=30", "UNTIL=20270301T120000Z", "UNTIL=20270301"]))
    return ";".join(filter(None, (*parts, end)))


STARTS = st.datetimes(datetime(2015, 1, 1), datetime(2026, 12, 1)).map(lambda d: d.replace(microsecond=0, second=0))  # noqa: DTZ001


@settings(max_examples=60, deadline=None)
@given(rule=rules(), start=STARTS, offset=st.integers(0, 300), length=st.integers(1, 40))
def test_every_occurrence_lies_in_the_window_and_none_is_missing(
    rule: str, start: datetime, offset: int, length: int
) -> None:
    """Against dateutil on the whole series, without any of the shortcuts."""
    zone = ";TZID=Europe/Oslo:"
    end = start + HOUR
    data = ics(vevent(f"RRULE:{rule}", start=f"{zone}{start:%Y%m%dT%H%M%S}", end=f"{zone}{end:%Y%m%dT%H%M%S}"))
    window = Window(start=NINE + offset * DAY, end=NINE + (offset + length) * DAY)
    found = taking_place(data, window)
    local = rule.replace("T120000Z", "T130000")  # what dateutil wants of a start without a zone
    local += "T235959" if local.endswith("UNTIL=20270301") else ""
    every = rrulestr(local, dtstart=start).between(start, datetime(2028, 1, 1), inc=True)  # noqa: DTZ001
    instants = {one.replace(tzinfo=OSLO).astimezone(UTC) for one in (start, *every)}
    assert all(window.overlaps(m.start, m.end) for m in found)
    assert [m.start for m in found] == sorted(i for i in instants if window.overlaps(i, i + HOUR))


@settings(max_examples=200, deadline=None)
@given(rule=rules(), start=STARTS)
def test_a_rule_that_calendars_write_is_let_through(rule: str, start: datetime) -> None:
    assert fit(rule, start.replace(tzinfo=OSLO)).startswith("FREQ=")


@settings(max_examples=300, deadline=None)
@given(st.text("FREQ=;BYDAYMONTHUNTILCOUNT,-+0123456789SETPOSWKL", max_size=80), STARTS)
def test_any_rule_is_let_through_or_refused(rule: str, start: datetime) -> None:
    try:
        assert fit("FREQ=YEARLY;" + rule, start.replace(tzinfo=OSLO))
    except RefusedError:
        return


def test_a_series_is_brought_near_in_whole_steps() -> None:
    start, before = datetime(2000, 1, 3, 9), datetime(2026, 11, 24)  # noqa: DTZ001
    near = brought_near(["FREQ=WEEKLY;INTERVAL=3"], start, before)
    assert near <= before < near + timedelta(weeks=3)
    assert (near - start) % timedelta(weeks=3) == timedelta(0)
    assert brought_near(["FREQ=WEEKLY;COUNT=9"], start, before) == start
    assert brought_near(["FREQ=MONTHLY"], start, before) == start
    assert brought_near([], start, before) == start
    assert near.date() <= date(2026, 11, 24)
