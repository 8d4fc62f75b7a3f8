"""How fast a calendar is read: how many requests at once, how often each room, and when it is left alone.

All of it is decided from rows, so that any number of hosts keep to it together: `answered` says what an answer does to
a lane's row, `period` when a room is read next.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from otd.model import EPOCH, Meeting, Settled

STEP = 200  # good answers after which one more request may run at once
BREAK = 5  # failures in a row, of whatever rooms, after which the whole calendar is left alone for a while
FIRST_BREAK = timedelta(seconds=15)
LONGEST_BREAK = timedelta(minutes=5)  # for one that does not answer
LONGEST_REST = timedelta(hours=1)  # for one that answers that it should be left alone
DAY = timedelta(days=1)

NEAR = timedelta(minutes=30)  # a meeting that starts within this time makes its room a busy one,
SINCE = timedelta(minutes=10)  # and so does one that began less than this ago: people still look for Join
AHEAD = timedelta(hours=12)  # a room with nothing to come in this time is idle
HINT_GAP = timedelta(seconds=5)
LONGEST_PERIOD = DAY  # whatever the budget leaves, a room is looked at once a day
_NOT_ANSWERED = frozenset(("unreachable", "garbled"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """What a lane's row says about its pace. A lane that is not paced has a fixed cap, no budget and no breaker."""

    cap: int
    most: int = 0  # how far the cap may grow; 0: this lane is not paced
    good: int = 0  # good answers since the cap was last changed
    bad: int = 0  # failures in a row that are not one room's own
    asked: int = 0  # requests made on `day`
    day: int = 0  # days since 1970, UTC
    budget: int = 0  # requests for a day; 0: as many as it takes
    paused_until: datetime = EPOCH
    why: str = ""


def day_of(now: datetime) -> int:
    """The day that a request counts for, as `Pace.day` writes it."""
    return (now - EPOCH) // DAY


def asked_today(asked: int, day: int, now: datetime) -> int:
    """How many of the day's requests are used up."""
    return asked if day == day_of(now) else 0


def answered(pace: Pace, settled: Settled, now: datetime) -> Pace:
    """The lane after a piece of work came back.

    The cap grows by one for every `STEP` good answers and is halved when the other side asks to wait. What was already
    under way when a pause began says nothing new: it can make the pause longer, and that is all.
    """
    asked = asked_today(pace.asked, pace.day, now) + settled.requests
    pace = replace(pace, asked=asked, day=day_of(now))
    if pace.most and pace.paused_until <= now:
        pace = _failed(pace, settled, now) if _is_about_all(settled) else _well(pace, settled)
    elif settled.pause_lane is not None:
        pace = _paused(pace, now + settled.pause_lane, now, settled.error)
    # What is under way may cost as much again, so the last of the budget is not given out.
    if pace.budget and asked + pace.cap > pace.budget:
        tomorrow = EPOCH + (day_of(now) + 1) * DAY
        pace = _paused(pace, tomorrow, now, f"the {pace.budget} requests for this day (UTC) are used up")
    return pace


def _is_about_all(settled: Settled) -> bool:
    """Whether what went wrong would go wrong for the next room, too."""
    return settled.pause_lane is not None or settled.code in _NOT_ANSWERED


def _well(pace: Pace, settled: Settled) -> Pace:
    """An answer, even one that refuses a room, closes the breaker; only good ones let the cap grow."""
    good = pace.good + (settled.requests if not settled.error else 0)
    grown = min(good // STEP, max(pace.most - pace.cap, 0))
    return replace(pace, bad=0, cap=pace.cap + grown, good=min(good - grown * STEP, STEP))


def _failed(pace: Pace, settled: Settled, now: datetime) -> Pace:
    bad = pace.bad + 1
    pace = replace(pace, bad=bad, good=0)
    if settled.pause_lane is not None:
        if settled.code == "busy":
            pace = replace(pace, cap=max(1, pace.cap // 2))
        # The first time what was asked for holds; when that does not help, twice as long, and so on.
        pause = min(settled.pause_lane * (1 << min(bad - 1, 16)), max(LONGEST_REST, settled.pause_lane))
    elif bad >= BREAK:
        pause = min(FIRST_BREAK * (1 << min(bad - BREAK, 16)), LONGEST_BREAK)
    else:
        return pace
    return _paused(pace, now + pause, now, settled.error)


def _paused(pace: Pace, until: datetime, now: datetime, why: str) -> Pace:
    """An earlier end than the present one is ignored, and a pause of no length is none: with the end of one the rows
    that waited are spread."""
    return pace if until <= max(pace.paused_until, now) else replace(pace, paused_until=until, why=why)


# --- how often a room is read -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """What is left of a calendar's requests for the day, and how many rooms share it. `left` None: no limit."""

    left: int | None = None
    rooms: int = 1


def period(
    meetings: Iterable[Meeting],
    now: datetime,
    *,
    refresh: timedelta,
    idle: timedelta,
    budget: Budget = Budget(),
    changed: bool = False,
) -> timedelta:
    """When a room is read next, if no hint comes sooner.

    Every `refresh` while a meeting is near, or after something changed, since who changes one thing changes another;
    twice as seldom while there is one within 12 hours; every `idle` when there is none. A room is never left alone past
    the moment when a meeting of its comes near. The budget makes all of these longer, but in proportion: a room with a
    meeting near gets four times the share of an idle one, so that the budget lasts until the end of the day.
    """
    starts = [m.start for m in meetings if not m.cancelled and m.start > now - SINCE]
    ahead = min(starts, default=None)
    if changed or (ahead is not None and ahead - now <= NEAR):
        own, share = refresh, 1.0
    elif ahead is not None and ahead - now <= AHEAD:
        own, share = min(2 * refresh, idle), 0.5
    else:
        own, share = idle, 0.25
    if ahead is not None:
        own = min(own, max(refresh, ahead - NEAR - now))
    return min(max(own, _fair(budget, now) / share), max(own, LONGEST_PERIOD))


def hint_gap(budget: Budget, now: datetime) -> timedelta:
    """How soon after a hint the next one of the same room is listened to."""
    return max(HINT_GAP, _fair(budget, now) / 8)


def _fair(budget: Budget, now: datetime) -> timedelta:
    """How often each room could be read if all were read as often, from now until the day ends."""
    if budget.left is None:
        return timedelta(0)
    day_ends = EPOCH + (day_of(now) + 1) * DAY
    return min((day_ends - now) * budget.rooms / max(budget.left, 1), DAY)


def requests_in_a_day(starts: Iterable[datetime], day: datetime, *, refresh: timedelta, idle: timedelta) -> int:
    """How many requests one room makes on this day (from its midnight, UTC) with meetings at these times, when each
    reading is one page and nothing changes. It asks `period` as the refresh does."""
    meetings = [Meeting(id=str(n), uid="", start=start, end=start) for n, start in enumerate(starts)]
    now, count = day.astimezone(UTC), 0
    while now < day + DAY:
        count += 1
        now += period(meetings, now, refresh=refresh, idle=idle)
    return count
