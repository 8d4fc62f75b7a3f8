"""The EndpointDriver for Polycom endpoints, which can only be looked at: they fetch their list from a relay's face.

What is looked at is the coming day: how far ahead such an endpoint fetches is its own choice, but no less than that.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from otd.endpoints.polycom_documents import PolycomSeen
from otd.endpoints.polycom_readback import PolycomReadback
from otd.endpoints.trusting import Trusting
from otd.errors import Unsupported
from otd.model import Booking, Endpoint, Facts, Window
from otd.placing import AHEAD
from otd.ports import Pins, Secrets, never


class PolycomDriver:
    """`id_of` is the id under which the face shows a booking, by the booking's own."""

    def __init__(
        self,
        *,
        secrets: Secrets,
        pins: Pins,
        id_of: Callable[[str], str],
        ca_files: dict[str, str] | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._readback = PolycomReadback(secrets=secrets, trust=Trusting(pins, ca_files or {}).of)
        self._id_of, self._now = id_of, now

    def put(self, endpoint: Endpoint, bookings: tuple[Booking, ...], *, within: timedelta) -> None:
        raise Unsupported(endpoint.name, "it fetches its list, and cannot be written to")

    def read(self, endpoint: Endpoint, *, within: timedelta) -> tuple[PolycomSeen, ...]:
        """What it shows of the coming day."""
        now = self._now()
        coming = Window(start=now, end=now + AHEAD)
        return self._readback.read(endpoint, coming, ZoneInfo(endpoint.timezone), within=within)

    def seen(self, endpoint: Endpoint, bookings: tuple[Booking, ...]) -> tuple[PolycomSeen, ...]:
        return tuple(self._readback.seen(endpoint, booking, self._id_of(booking.id)) for booking in bookings)

    def facts(
        self, endpoint: Endpoint, *, within: timedelta, unless: Callable[[], bool] = never, anew: bool = False
    ) -> Facts:
        """It is not asked for more than its list."""
        return Facts(interface=self._readback.interface(endpoint))

    def leave(self, endpoint: Endpoint, *, within: timedelta) -> None:
        """Nothing was set up there."""

    def close(self) -> None:
        """Nothing is kept open between calls."""
