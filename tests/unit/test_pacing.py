"""How fast a calendar is read: the cap that finds its size, breakers, budgets, and how often a room is read."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otd import pacing
from otd.model import Meeting, Settled
from otd.pacing import Budget, Pace, answered, period, requests_in_a_day
from tests.values import HOUR, MINUTE, SECOND, T0

START = Pace(cap=8, most=64)
GOOD = Settled(after=MINUTE, requests=1)
BUSY = Settled(after=MINUTE, error="Graph answered 429", code="busy", pause_lane=10 * SECOND, requests=1)
DEAD = Settled(after=MINUTE, error="no answer", code="unreachable", requests=1)
DENIED = Settled(after=MINUTE, error="Graph answered 403", code="denied", parked=True, requests=1)
REFRESH, IDLE = 30 * SECOND, 2 * MINUTE
DAY = timedelta(days=1)


def after(pace: Pace, *answers: Settled, now: datetime = T0) -> Pace:
    for settled in answers:
        pace = answered(pace, settled, now)
    return pace


# --- the cap ------------------------------------------------------------------------------------------------------


def test_one_more_runs_at_once_for_every_200_good_answers() -> None:
    assert after(START, *[GOOD] * 199).cap == 8
    assert after(START, *[GOOD] * 200).cap == 9
    assert after(START, *[GOOD] * 400).cap == 10


def test_the_cap_grows_no_further_than_the_settings_allow() -> None:
    assert after(Pace(cap=8, most=9), *[GOOD] * 1000).cap == 9


def test_too_many_requests_halve_the_cap_and_what_was_good_before_counts_no_more() -> None:
    pace = after(START, *[GOOD] * 199, BUSY)
    assert (pace.cap, pace.good) == (4, 0)
    assert after(Pace(cap=1, most=64), BUSY).cap == 1


def test_the_answers_to_what_was_under_way_halve_it_once_and_not_eight_times() -> None:
    assert after(START, *[BUSY] * 8).cap == 4


def test_a_fixed_lane_stays_as_it_is_and_is_paused_as_it_is_asked() -> None:
    pace = after(Pace(cap=4), *[GOOD] * 1000, *[DEAD] * 10, BUSY)
    assert (pace.cap, pace.paused_until) == (4, T0 + 10 * SECOND)


def test_a_pause_of_no_length_pauses_nothing() -> None:
    at_once = replace(BUSY, pause_lane=timedelta(0))
    assert after(Pace(cap=4), at_once).paused_until < T0
    assert after(START, at_once).paused_until < T0


# --- breakers -----------------------------------------------------------------------------------------------------


def test_a_pause_that_did_not_help_is_twice_as_long_the_next_time() -> None:
    pace, now, pauses = START, T0, []
    for _ in range(4):
        pace = after(pace, BUSY, now=now)
        pauses.append(pace.paused_until - now)
        now = pace.paused_until
    assert pauses == [10 * SECOND, 20 * SECOND, 40 * SECOND, 80 * SECOND]


def test_a_good_answer_after_the_pause_ends_the_doubling() -> None:
    pace = after(START, BUSY)
    pace = after(pace, GOOD, BUSY, now=pace.paused_until)
    assert pace.paused_until == T0 + 10 * SECOND + 10 * SECOND


def test_what_was_asked_for_is_never_shortened_and_an_own_pause_is_an_hour_at_most() -> None:
    assert (
        after(START, Settled(after=MINUTE, error="x", code="busy", pause_lane=3 * HOUR)).paused_until == T0 + 3 * HOUR
    )
    pace, now = START, T0
    for _ in range(20):
        pace = after(pace, BUSY, now=now)
        last, now = pace.paused_until - now, pace.paused_until
    assert last == HOUR


def test_a_system_that_does_not_answer_room_after_room_is_left_alone_for_a_while() -> None:
    assert after(START, *[DEAD] * 4).paused_until < T0
    pace = after(START, *[DEAD] * 5)
    assert pace.paused_until == T0 + 15 * SECOND
    assert after(pace, DEAD, now=pace.paused_until).paused_until == pace.paused_until + 30 * SECOND


def test_one_good_room_in_between_keeps_the_breaker_closed() -> None:
    assert after(START, *[DEAD] * 4, GOOD, *[DEAD] * 4).paused_until < T0


def test_rooms_that_are_refused_say_nothing_about_the_others() -> None:
    pace = after(START, *[DENIED] * 100)
    assert (pace.cap, pace.paused_until < T0, pace.good) == (8, True, 0)


# --- the budget of a day ------------------------------------------------------------------------------------------


def test_requests_are_counted_by_the_day() -> None:
    pace = after(START, GOOD, DENIED)
    assert pace.asked == 2
    assert after(pace, GOOD, now=T0 + DAY).asked == 1


def test_the_lane_is_paused_until_midnight_before_the_budget_is_overdrawn() -> None:
    pace = after(Pace(cap=8, most=64, budget=20), *[GOOD] * 12)
    assert pace.paused_until < T0
    pace = after(pace, GOOD)
    assert pace.asked + pace.cap == 21
    assert pace.paused_until == datetime(T0.year, T0.month, T0.day, tzinfo=UTC) + DAY
    assert "the 20 requests" in pace.why


@given(st.lists(st.sampled_from([GOOD, BUSY, DEAD, DENIED]), max_size=60), st.integers(1, 64), st.integers(0, 100))
def test_whatever_comes_the_cap_stays_in_bounds_and_no_pause_becomes_shorter(
    answers: list[Settled], cap: int, budget: int
) -> None:
    pace, now = Pace(cap=cap, most=64, budget=budget), T0
    for settled in answers:
        before, pace = pace, answered(pace, settled, now)
        assert 1 <= pace.cap <= 64
        assert pace.paused_until >= before.paused_until
        assert not budget or pace.asked + pace.cap <= budget or pace.paused_until > now
        now += 7 * SECOND


# --- how often a room is read -------------------------------------------------------------------------------------


def at(start: timedelta, **more: object) -> Meeting:
    return Meeting(id="m", uid="m", start=T0 + start, end=T0 + start + HOUR, **more)  # type: ignore[arg-type]


def read(*meetings: Meeting, **more: object) -> timedelta:
    return period(meetings, T0, refresh=REFRESH, idle=IDLE, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        (29 * MINUTE, REFRESH),
        (-9 * MINUTE, REFRESH),  # people still look for Join
        (-11 * MINUTE, IDLE),
        (3 * HOUR, MINUTE),
        (13 * HOUR, IDLE),
    ],
)
def test_a_room_is_read_the_more_often_the_nearer_its_next_meeting(start: timedelta, expected: timedelta) -> None:
    assert read(at(start)) == expected


def test_a_room_is_looked_at_when_its_meeting_comes_near() -> None:
    assert read(at(30 * MINUTE + 40 * SECOND)) == 40 * SECOND


def test_a_meeting_that_was_called_off_makes_no_room_busy() -> None:
    assert read(at(5 * MINUTE, cancelled=True)) == IDLE


def test_a_room_that_changed_is_looked_at_again_soon() -> None:
    assert read(changed=True) == REFRESH


def test_a_budget_that_is_ample_changes_nothing() -> None:
    assert read(at(5 * MINUTE), budget=Budget(left=1_000_000, rooms=1)) == REFRESH


def test_under_a_tight_budget_a_busy_room_gets_four_times_the_share_of_an_idle_one() -> None:
    tight = Budget(left=100, rooms=10)
    assert 4 * read(at(5 * MINUTE), budget=tight) == read(budget=tight)


def test_with_nothing_left_a_room_is_still_looked_at_once_a_day() -> None:
    assert read(budget=Budget(left=0, rooms=10)) == DAY


@pytest.mark.parametrize("hour", [0, 9, 23])
@pytest.mark.parametrize("start", [5 * MINUTE, 3 * HOUR, 20 * HOUR])
def test_the_budget_lasts_until_the_day_ends(hour: int, start: timedelta) -> None:
    now = datetime(2026, 11, 2, hour, tzinfo=UTC)
    midnight = datetime(2026, 11, 3, tzinfo=UTC)
    left, rooms = 2000, 50
    due = [now] * rooms
    while min(due) < midnight:
        room = due.index(min(due))
        now = due[room]
        left -= 1
        near = Meeting(id="m", uid="m", start=now + start, end=now + start)
        due[room] = now + period([near], now, refresh=REFRESH, idle=IDLE, budget=Budget(left=left, rooms=rooms))
    assert left >= 0


# --- the README's arithmetic --------------------------------------------------------------------------------------

MONDAY = datetime(2026, 11, 2, tzinfo=UTC)
ROOMS = {
    "quiet": (),
    "normal": tuple(MONDAY + n * HOUR for n in (9, 11, 14, 16)),
    "busy": tuple(MONDAY + 8 * HOUR + n * 45 * MINUTE for n in range(14)),
}


def test_the_readme_says_how_many_requests_a_room_takes_in_a_day() -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    counts = {kind: requests_in_a_day(starts, MONDAY, refresh=REFRESH, idle=IDLE) for kind, starts in ROOMS.items()}
    for kind, count in counts.items():
        shares = " | ".join(f"{count * rooms:,}" for rooms in (1, 100, 1_000, 10_000))
        assert f"| {kind} | {len(ROOMS[kind])} | {shares} |" in readme, f"{kind}: {shares}"
    mixed = round(0.5 * counts["quiet"] + 0.4 * counts["normal"] + 0.1 * counts["busy"])
    shares = " | ".join(f"{mixed * rooms:,}" for rooms in (1, 100, 1_000, 10_000))
    assert f"| half quiet, a tenth busy | | {shares} |" in readme, shares
    fair = DAY * 10_000 / 1_000_000
    assert f"one look every {fair.total_seconds():.0f} s" in readme
    assert pacing.STEP == 200
