"""What OTD would show beside what another system shows."""

from __future__ import annotations

from typing import Any

import pytest

from otd.comparing import compare, counted, worst
from otd.endpoints.memory import MemoryDriver
from otd.model import Booking, DialString
from tests.values import HOUR, T0, a_booking, an_endpoint

OTHER = DialString(protocol="sip", uri="other@example.net")


def verdicts(ours: tuple[Booking, ...], theirs: tuple[Booking, ...]) -> list[str]:
    driver = MemoryDriver()
    lines = compare(driver.seen(an_endpoint(), ours), driver.seen(an_endpoint(), theirs), T0)
    return [line.verdict for line in lines]


def theirs(**overrides: Any) -> Booking:
    return a_booking(**{"id": "tms-1", **overrides})


@pytest.mark.parametrize(
    ("ours", "others", "expected"),
    [
        ((a_booking(),), (theirs(),), ["same"]),
        ((a_booking(),), (theirs(title="Called otherwise"),), ["same"]),
        ((a_booking(),), (), ["better"]),
        ((a_booking(),), (theirs(dial=None),), ["better"]),
        ((a_booking(dial=None),), (theirs(),), ["worse"]),
        ((), (theirs(),), ["worse"]),
        ((a_booking(),), (theirs(dial=OTHER),), ["other"]),
        ((a_booking(),), (theirs(start=T0 + 3 * HOUR, end=T0 + 4 * HOUR),), ["better", "worse"]),
        ((), (theirs(start=T0 - 2 * HOUR, end=T0 - HOUR),), []),
    ],
)
def test_each_meeting_is_judged_by_its_time_and_its_join(
    ours: tuple[Booking, ...], others: tuple[Booking, ...], expected: list[str]
) -> None:
    assert verdicts(ours, others) == expected


def test_of_two_meetings_at_one_time_each_finds_its_own_partner() -> None:
    ours = (a_booking(), a_booking(id="b2", title="Second", dial=OTHER))
    assert verdicts(ours, (theirs(dial=OTHER), theirs(id="tms-2"))) == ["same", "same"]


def test_the_worst_of_a_room_speaks_for_it() -> None:
    driver = MemoryDriver()
    lines = compare(driver.seen(an_endpoint(), (a_booking(),)), driver.seen(an_endpoint(), (theirs(dial=OTHER),)), T0)
    assert (worst(lines), worst(())) == ("other", "same")
    assert counted(lines) == {"same": 0, "better": 0, "other": 1, "worse": 0}
    assert "other@example.net" not in repr(lines)
