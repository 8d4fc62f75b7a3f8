"""How long it takes from a change in the lab's Exchange until the list on a lab codec is confirmed.

All of OTD is at work in this process: the centre with its settings, `otd serve`, relays; Graph and codecs, each serving
one request a second, over TLS. Meetings are moved at random moments from one seed, three times over: while Graph tells
of every change (and of each three times), while half of what it tells is lost, and while it tells nothing. That begins
once each relay has put a list on each codec, and each codec was looked at for what it is, which takes it seconds.
"""

from __future__ import annotations

import random
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from otd.errors import Unreachable
from otd.lab.bench import Ratio, Result, whole

if TYPE_CHECKING:
    from otd.lab.bench.latency_house import House

SENTENCE = (
    "From a change in Exchange to the confirmed list on a codec that serves one request a second: p50, p99 with "
    "notifications, with half of them lost, and by refresh alone."
)
OPTIONS = {
    "rooms": "How many rooms there are (default 50).",
    "changes": "How many changes of each room are told (default 6); by refresh alone there are two.",
    "refresh": "How often, in seconds, a room is read (default 30).",
    "seed": "What decides when the meetings are moved (default 1).",
}
TOLD = 3.0  # seconds that a change that is told may take (p99), and what any may take beyond the period
APART = 8.0  # seconds between two changes of one room that are told: beyond the pause between two hints,
PER_SECOND = 3  # and no more changes than this of all rooms together: Exchange and the codecs are in this process, too
PATIENCE = 30.0  # seconds beyond what is allowed, after which a change counts as lost
START = 60.0
ROUNDS = 12  # of changes before those that are measured, at most
LOOK = 0.02


@dataclass(slots=True)
class _Moved:
    """A meeting that was moved, and the first moment at which its codec's confirmed list said so."""

    room: int
    start: datetime
    at: float
    arrived: float = 0.0

    @property
    def took(self) -> float:
        return self.arrived - self.at


@dataclass(slots=True)
class _Phase:
    """Changes of every room within a while: `every` seconds one in each room, at a moment that chance decides."""

    changes: int
    every: float
    losses: float
    limit: float
    moved: list[_Moved] = field(default_factory=list)


def run(options: Mapping[str, str]) -> Result:
    """The figures of the three phases; a change that did not arrive at all is over every limit."""
    from otd.lab.bench.latency_house import House

    rooms, changes = whole(options, "rooms", 50), whole(options, "changes", 6)
    refresh, seed = whole(options, "refresh", 30), whole(options, "seed", 1)
    by_refresh = refresh + TOLD
    phases = {
        "told": _Phase(changes, max(APART, rooms / PER_SECOND), 0.0, TOLD),
        "half_lost": _Phase(1, float(refresh), 0.5, by_refresh),
        "untold": _Phase(2, by_refresh, 1.0, by_refresh),
    }
    with tempfile.TemporaryDirectory() as folder, House(Path(folder), rooms=rooms, refresh=refresh) as house:
        _until("the first lists", lambda: all(house.is_right(room) for room in range(rooms)), START + rooms)
        _until("the subscriptions", house.all_subscribed, START + rooms)
        _make_known(house, rooms)
        _until("the first looks", lambda: all(house.is_learned(room) for room in range(rooms)), START + rooms)
        chance = random.Random(seed)
        for phase in phases.values():
            house.losses = phase.losses
            _carry_out(phase, house, rooms, chance)
        wrong = sum(not house.is_right(room) for room in range(rooms))
    figures: dict[str, float] = {}
    for name, phase in phases.items():
        figures |= _figures(name, phase)
    figures["wrong_lists_count"] = wrong
    ratios = {
        f"{name}_p99": Ratio(value=figures[f"{name}_p99_s"], limit=phase.limit, figure=f"{name}_p99_s")
        for name, phase in phases.items()
    }
    lost = sum(figures[f"{name}_missing_count"] for name in phases)
    ratios["missing"] = Ratio(value=lost, limit=0)
    ratios["wrong_lists"] = Ratio(value=wrong, limit=0, figure="wrong_lists_count")
    return Result(figures=figures, ratios=ratios, notes=(f"{rooms} rooms, seed {seed}.",))


def _figures(name: str, phase: _Phase) -> dict[str, float]:
    took = sorted(one.took if one.arrived else phase.limit + PATIENCE for one in phase.moved)
    return {
        f"{name}_changes_count": len(took),
        f"{name}_missing_count": sum(not one.arrived for one in phase.moved),
        f"{name}_p50_s": round(took[len(took) // 2], 2),
        f"{name}_p99_s": round(took[min(len(took) - 1, len(took) * 99 // 100)], 2),
        f"{name}_most_s": round(took[-1], 2),
    }


def _carry_out(phase: _Phase, house: House, rooms: int, chance: random.Random) -> None:
    """Move meetings at their moments, and look for them until all have arrived or time is over."""
    began = time.monotonic()
    plan = sorted(
        (turn * phase.every + chance.uniform(0, phase.every / 2) + phase.every * room / rooms / 2, room)
        for turn in range(phase.changes)
        for room in range(rooms)
    )
    open_ones: list[_Moved] = []
    end = began + phase.changes * phase.every + phase.limit + PATIENCE
    while (plan or open_ones) and time.monotonic() < end:
        while plan and began + plan[0][0] <= time.monotonic():
            _, room = plan.pop(0)
            open_ones.append(_Moved(room, house.move(room), time.monotonic()))
            phase.moved.append(open_ones[-1])
        for one in open_ones:
            if house.is_confirmed(one.room, one.start):
                one.arrived = time.monotonic()
        open_ones = [one for one in open_ones if not one.arrived]
        threading.Event().wait(LOOK)


def _make_known(house: House, rooms: int) -> None:
    """Have each relay put a list on each codec once: it asks for the codec's software before, and once a day."""
    for _ in range(ROUNDS):
        strangers = [room for room in range(rooms) if not house.is_known(room)]
        for room in strangers:
            house.move(room)
        _until("the lists again", lambda: all(house.is_right(room) for room in range(rooms)), START + rooms)
        if not strangers:
            return


def _until(step: str, reached: Callable[[], bool], within: float) -> None:
    end = time.monotonic() + within
    while not reached():
        if time.monotonic() > end:
            raise Unreachable("bench latency", f"{step} did not come within {within:g} s")
        threading.Event().wait(0.1)
