"""The benchmark of the face runs and counts; what it measures depends on the machine."""

from __future__ import annotations

from otd.lab.bench.face import run


def test_a_small_run_polls_and_fetches_what_changed() -> None:
    result = run({"endpoints": "300", "seconds": "2", "rounds": "1", "requests": "40"})
    assert result.figures["polls_count"] == 20
    assert result.figures["polls_with_get_item_count"] == 2
    assert set(result.ratios) == {"find_item", "get_item", "core"}
    assert result.figures["face_requests_per_s"] > 0
