"""What is counted where it happens: events, which leave no row. What is a row is counted from the rows, see
otd.store.counting.

One Metrics for each process, handed to whoever counts. Labels are closed sets and names from the settings; never a
subject, an address or anything that an invitation says.
"""

from __future__ import annotations

from datetime import timedelta

from prometheus_client import CollectorRegistry, Counter, Histogram

_SECONDS = (0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800)


class Metrics:
    """The counters of this process, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._readings = Counter(
            "otd_readings", "Readings of rooms' calendars.", ["calendar", "outcome"], registry=self.registry
        )
        self._reading = Histogram(
            "otd_reading_seconds",
            "How long the reading of a room's calendar took.",
            ["calendar"],
            buckets=(0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
            registry=self.registry,
        )
        self._lists = Counter("otd_lists_changed", "Lists that were given a new revision.", registry=self.registry)
        self._sent = Counter("otd_deliveries_sent", "Deliveries that went out.", ["verb"], registry=self.registry)
        self._receipts = Counter(
            "otd_receipts", "What relays found after deliveries and looks.", ["verb", "outcome"], registry=self.registry
        )
        self._confirmed = Histogram(
            "otd_list_confirmed_seconds",
            "From the reading that changed a list until it was seen on its endpoint.",
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._invite = Histogram(
            "otd_invitation_confirmed_seconds",
            "From an invitation until its button was seen, at most: from the reading before the one that showed it.",
            buckets=_SECONDS,
            registry=self.registry,
        )

    def reading(self, calendar: str, outcome: str, took: timedelta) -> None:
        """A room was read; `outcome` is complete, empty, or the code of the error."""
        self._readings.labels(calendar, outcome).inc()
        self._reading.labels(calendar).observe(took.total_seconds())

    def list_changed(self) -> None:
        self._lists.inc()

    def sent(self, verb: str) -> None:
        self._sent.labels(verb).inc()

    def receipt(self, verb: str, outcome: str) -> None:
        self._receipts.labels(verb, outcome).inc()

    def confirmed(self, took: timedelta, since_reading_before: timedelta | None) -> None:
        """A new list was seen on its endpoint."""
        self._confirmed.observe(max(0.0, took.total_seconds()))
        if since_reading_before is not None:
            self._invite.observe(max(0.0, since_reading_before.total_seconds()))
