"""The benchmark of the calendars, made small."""

from __future__ import annotations

from otd.lab.bench import calendars


def test_the_calendars_are_measured_beside_their_floors() -> None:
    result = calendars.run({"meetings": "20", "rounds": "1"})
    assert {name: ratio.limit for name, ratio in result.ratios.items()} == {"ews_read": 20, "graph_unchanged": 4}
    assert all(value > 0 for value in result.figures.values())
    assert result.figures["ews_answers_bytes"] > 20 * calendars.SIZE
