"""What OTD would show beside what another system shows on the same endpoint: same, better, worse or other. Pure.

Two systems give the same meeting different ids, so bookings are matched by their times. What is over does not count.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from otd.ports import Seen

Verdict = Literal["same", "better", "worse", "other"]
ORDER: tuple[Verdict, ...] = ("worse", "other", "better", "same")


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One meeting on one endpoint: at which time, how OTD compares to what is there, and why. No title, no number."""

    start: str
    end: str
    verdict: Verdict
    why: str
    id: str = ""  # of OTD's booking, "" when it has none


def compare(wanted: Sequence[Seen], found: Sequence[Seen], now: datetime) -> tuple[Line, ...]:
    """Each booking of either side once, by time."""
    left = [seen for seen in found if seen.end > now]
    lines = []
    for mine in (seen for seen in wanted if seen.end > now):
        theirs = _partner(mine, left)
        if theirs is not None:
            left.remove(theirs)
        verdict, why = _judge(mine, theirs)
        lines.append(_line(mine, verdict, why, mine.id))
    for theirs in left:
        what = "a booking with Join" if _field(theirs, "number") else "a booking"
        lines.append(_line(theirs, "worse", f"{what} is there that OTD does not have"))
    return tuple(sorted(lines, key=lambda line: (line.start, line.end, line.id)))


def worst(lines: Iterable[Line]) -> Verdict:
    """The verdict on them together."""
    return min((line.verdict for line in lines), key=ORDER.index, default="same")


def counted(lines: Iterable[Line]) -> Mapping[Verdict, int]:
    """How many there are of each verdict."""
    found = [line.verdict for line in lines]
    return {verdict: found.count(verdict) for verdict in ORDER[::-1]}


def _partner(mine: Seen, others: Sequence[Seen]) -> Seen | None:
    """The booking at the same time; of several the one that has our id, dials the same, or is called the same."""

    def likeness(other: Seen) -> tuple[bool, ...]:
        return (other.id == mine.id, *(_field(other, name) == _field(mine, name) for name in ("number", "title")))

    times = ("start", "end")
    there = [one for one in others if all(_field(one, name) == _field(mine, name) for name in times)]
    return max(there, key=likeness, default=None)


def _judge(mine: Seen, theirs: Seen | None) -> tuple[Verdict, str]:
    if theirs is None:
        return "better", "OTD shows it, and it is not there"
    ours, there = _field(mine, "number"), _field(theirs, "number")
    if ours == there:
        return ("same", "") if _field(mine, "title") == _field(theirs, "title") else ("same", "under another title")
    if not there:
        return "better", "OTD gives it a Join button"
    if not ours:
        return "worse", "it has a Join button there, and OTD gives it none"
    return "other", "it dials another number there"


def _field(seen: Seen, name: str) -> str:
    return dict(seen.fields).get(name, "")


def _line(seen: Seen, verdict: Verdict, why: str, id: str = "") -> Line:
    return Line(start=_field(seen, "start"), end=_field(seen, "end"), verdict=verdict, why=why, id=id)
