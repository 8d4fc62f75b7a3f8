"""Endpoints that live in this process: for tests, and the first to keep the driver's contract."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from otd.errors import OtdError, Unreachable
from otd.model import Booking, Endpoint, Facts
from otd.ports import never


@dataclass(frozen=True, slots=True, kw_only=True)
class MemorySeen:
    """Everything about a booking can be read back here."""

    id: str
    end: datetime
    fields: tuple[tuple[str, str], ...] = field(repr=False)


def _seen(booking: Booking) -> MemorySeen:
    dial = f"{booking.dial.protocol}:{booking.dial.uri}" if booking.dial else ""
    fields = (
        ("start", booking.start.isoformat()),
        ("end", booking.end.isoformat()),
        ("title", booking.title),
        ("number", dial),
    )
    return MemorySeen(id=booking.id, end=booking.end, fields=fields)


class MemoryDriver:
    """Holds a list for each endpoint; `fail` makes an endpoint answer with an error until it is set to None."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lists: dict[str, tuple[Booking, ...]] = {}
        self._errors: dict[str, OtdError] = {}
        self.puts: dict[str, int] = {}

    def fail(self, endpoint: str, error: OtdError | None) -> None:
        with self._lock:
            if error is None:
                self._errors.pop(endpoint, None)
            else:
                self._errors[endpoint] = error

    def lose(self, endpoint: str) -> None:
        """As a reboot does."""
        with self._lock:
            self._lists.pop(endpoint, None)

    def bookings(self, endpoint: str) -> tuple[Booking, ...]:
        with self._lock:
            return self._lists.get(endpoint, ())

    def put(self, endpoint: Endpoint, bookings: tuple[Booking, ...], *, within: timedelta) -> None:
        with self._lock:
            self._answer(endpoint, within)
            self._lists[endpoint.name] = bookings
            self.puts[endpoint.name] = self.puts.get(endpoint.name, 0) + 1

    def read(self, endpoint: Endpoint, *, within: timedelta) -> tuple[MemorySeen, ...]:
        with self._lock:
            self._answer(endpoint, within)
            return tuple(_seen(booking) for booking in self._lists.get(endpoint.name, ()))

    def seen(self, endpoint: Endpoint, bookings: tuple[Booking, ...]) -> tuple[MemorySeen, ...]:
        return tuple(_seen(booking) for booking in bookings)

    def facts(
        self, endpoint: Endpoint, *, within: timedelta, unless: Callable[[], bool] = never, anew: bool = False
    ) -> Facts:
        if unless():
            raise TimeoutError
        with self._lock:
            self._answer(endpoint, within)
            return Facts()

    def leave(self, endpoint: Endpoint, *, within: timedelta) -> None:
        """Nothing was set up there."""

    def close(self) -> None:
        pass

    def _answer(self, endpoint: Endpoint, within: timedelta) -> None:
        if within <= timedelta(0):
            raise Unreachable(endpoint.name, "no time was left to ask")
        if error := self._errors.get(endpoint.name):
            raise error
