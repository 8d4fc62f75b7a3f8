"""What the benchmark of latency makes of what it saw."""

from __future__ import annotations

from otd.lab.bench.latency import PATIENCE, TOLD, _figures, _Moved, _Phase
from tests.values import T0


def seen(*seconds: float) -> dict[str, float]:
    moved = [_Moved(room=0, start=T0, at=100.0, arrived=100.0 + s if s else 0.0) for s in seconds]
    return _figures("told", _Phase(1, 1.0, 0.0, TOLD, moved))


def test_the_99th_of_a_hundred_and_the_slowest_are_told_apart() -> None:
    figures = seen(*[1.0] * 97, 2.0, 3.0, 4.0)
    assert (figures["told_p50_s"], figures["told_p99_s"], figures["told_most_s"]) == (1.0, 4.0, 4.0)
    assert seen(*[1.0] * 199, 4.0)["told_p99_s"] == 1.0


def test_a_change_that_never_arrived_is_over_every_limit() -> None:
    figures = seen(1.0, 0.0)
    assert figures["told_missing_count"] == 1
    assert figures["told_p99_s"] == TOLD + PATIENCE
