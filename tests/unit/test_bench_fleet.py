"""What `otd bench fleet` lets go wrong follows from its seed, and what it counts is what endpoints saw."""

from __future__ import annotations

import itertools
import random
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otd.errors import BadSetting
from otd.lab.bench import fleet
from otd.lab.codec_log import Logged

NAMES = tuple(f"codec-{number}" for number in range(30))


@given(st.integers(1, 10**6), st.integers(10, 300))
def test_troubles_are_the_same_for_the_same_seed_and_never_two_at_once_at_one_endpoint(seed: int, seconds: int) -> None:
    troubles, again = (fleet._troubles(NAMES, seconds, random.Random(seed)) for _ in range(2))  # noqa: S311
    assert troubles == again
    for name in NAMES:
        mine = [trouble for trouble in troubles if trouble.endpoint == name]
        assert all(a.at + a.lasts <= b.at for a, b in itertools.pairwise(mine))
        assert all(trouble.at + trouble.lasts <= seconds for trouble in mine)


def asked(*moments: float, cookie: bool = False) -> list[Logged]:
    return [Logged(method="GET", path="/", cookie=cookie, moment=moment) for moment in moments]


def test_a_rate_is_the_highest_over_any_span_of_lab_time() -> None:
    once_a_second = asked(*range(100))
    assert fleet._rate(once_a_second, 1) == pytest.approx(1.0, abs=0.04)
    assert fleet._rate(asked(*(n / 10 for n in range(100, 200))), 1) > 3, "a burst is seen"
    assert fleet._rate(asked(*(n / 4 for n in range(100))), 4) == pytest.approx(1.0, abs=0.04), "in lab time"
    assert fleet._rate(asked(*(n / 10 for n in range(600)), cookie=True), 1) < 0.7, "sessions may ask more"
    assert fleet._rate([], 1) == 0


@pytest.mark.parametrize("speed", ["0", "fast", "1000", "nan"])
def test_a_speed_that_is_none_is_said_so(speed: str) -> None:
    with pytest.raises(BadSetting, match=f"--speed {speed}"):
        fleet.run({"speed": speed})


def test_spans_of_the_delivery_are_divided_by_the_speed() -> None:
    from otd.deliveries import Timing
    from otd.lab.house import UNSCALED, sped_up

    usual, fast = Timing(), sped_up(Timing(), 10)
    assert fast.verify == usual.verify / 10
    assert all(getattr(fast, name) == getattr(usual, name) for name in UNSCALED)
    assert fast.answer > timedelta(0)
