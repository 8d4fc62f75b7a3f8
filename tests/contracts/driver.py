"""What every EndpointDriver promises."""

from __future__ import annotations

from datetime import timedelta

import pytest

from otd.model import Booking, DialString, Endpoint
from otd.ports import EndpointDriver, Seen
from otd.relay.service import compare
from tests.values import HOUR, MINUTE, T0, a_booking

WITHIN = timedelta(seconds=10)

THREE = (
    a_booking(id="b1", title="Standup"),
    a_booking(id="b2", title="Größe & <Maß> 会議 \U0001f600", start=T0 + 3 * HOUR, end=T0 + 4 * HOUR, private=True),
    a_booking(id="b3", title="Walk", start=T0 + 5 * HOUR, end=T0 + 5 * HOUR + 30 * MINUTE, dial=None),
)


class DriverContract:
    """Inherit, and give an endpoint with the driver that reaches it, in the fixture `reached`."""

    def put(self, reached: tuple[EndpointDriver, Endpoint], *bookings: Booking) -> None:
        driver, endpoint = reached
        driver.put(endpoint, bookings, within=WITHIN)

    def differences(self, reached: tuple[EndpointDriver, Endpoint], *bookings: Booking) -> tuple[object, ...]:
        driver, endpoint = reached
        return compare(driver.seen(endpoint, bookings), driver.read(endpoint, within=WITHIN), T0)

    def test_what_was_put_is_read_back(self, reached: tuple[EndpointDriver, Endpoint]) -> None:
        self.put(reached, *THREE)
        assert self.differences(reached, *THREE) == ()

    def test_a_put_replaces_the_whole_list(self, reached: tuple[EndpointDriver, Endpoint]) -> None:
        self.put(reached, *THREE)
        self.put(reached, THREE[1])
        assert self.differences(reached, THREE[1]) == ()

    def test_putting_the_same_list_twice_changes_nothing(self, reached: tuple[EndpointDriver, Endpoint]) -> None:
        self.put(reached, *THREE)
        self.put(reached, *THREE)
        assert self.differences(reached, *THREE) == ()

    def test_an_empty_list_clears(self, reached: tuple[EndpointDriver, Endpoint]) -> None:
        driver, endpoint = reached
        self.put(reached, *THREE)
        self.put(reached)
        assert driver.read(endpoint, within=WITHIN) == ()

    @pytest.mark.parametrize(
        ("field", "other"),
        [
            ("title", {"title": "Another"}),
            ("start", {"start": T0 + HOUR + 5 * MINUTE}),
            ("end", {"end": T0 + 3 * HOUR}),
            ("number", {"dial": DialString(protocol="sip", uri="other@t.plcm.vc")}),
        ],
    )
    def test_every_field_that_counts_is_compared(
        self, reached: tuple[EndpointDriver, Endpoint], field: str, other: dict[str, object]
    ) -> None:
        self.put(reached, a_booking())
        (difference,) = self.differences(reached, a_booking(**other))
        assert difference.fields == (field,)  # type: ignore[attr-defined]

    def test_what_is_seen_does_not_show_titles_or_numbers_in_its_repr(
        self, reached: tuple[EndpointDriver, Endpoint]
    ) -> None:
        driver, endpoint = reached
        seen: tuple[Seen, ...] = driver.seen(endpoint, THREE)
        assert "Standup" not in repr(seen)
        assert "plcm" not in repr(seen)
