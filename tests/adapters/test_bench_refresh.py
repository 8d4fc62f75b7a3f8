"""The benchmark of unchanged rooms, made small."""

from __future__ import annotations

from otd.lab.bench import refresh


def test_unchanged_rooms_are_measured_beside_their_floors() -> None:
    result = refresh.run({"rooms": "3", "rounds": "4"})
    limits = {name: ratio.limit for name, ratio in result.ratios.items()}
    assert limits == {"graph_room": 4, "graph_memory": 1.02, "ews_room": 8, "ews_memory": 1.02}
    assert all(value > 0 for value in result.figures.values())
