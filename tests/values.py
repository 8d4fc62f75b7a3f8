"""Values that are valid by default, so that a test shows only what matters to it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from otd.model import (
    Booking,
    BookingList,
    Delivery,
    Desired,
    DialString,
    Endpoint,
    EndpointState,
    Receipt,
    RelayState,
    Sent,
    Window,
)

T0 = datetime(2026, 1, 5, 9, tzinfo=UTC)
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)
WINDOW = Window(start=T0 - HOUR, end=T0 + timedelta(days=7))


class FixedClock:
    """A clock that stands still until it is told otherwise."""

    def __init__(self, now: datetime = T0) -> None:
        self.time = now

    def now(self) -> datetime:
        return self.time


def an_endpoint(**overrides: Any) -> Endpoint:
    usual = Endpoint(name="codec1", kind="memory", address="127.0.0.1:1", pool="hq", rooms=("room1",))
    return replace(usual, **overrides)


def a_booking(**overrides: Any) -> Booking:
    usual = Booking(
        id="b1",
        room="room1",
        title="Standup",
        start=T0 + HOUR,
        end=T0 + 2 * HOUR,
        organizer="Ann Example",
        dial=DialString(protocol="sip", uri="123456789.0123456@t.plcm.vc"),
        platform="teams",
    )
    return replace(usual, **overrides)


def a_delivery(**overrides: Any) -> Delivery:
    usual = Delivery(
        verb="put",
        endpoint=an_endpoint(),
        revision=10,
        sequence=1,
        sent_at=T0,
        act_by=T0 + MINUTE,
        valid_until=T0 + 12 * HOUR,
        bookings=(a_booking(),),
    )
    return replace(usual, **overrides)


def a_receipt(**overrides: Any) -> Receipt:
    usual = Receipt(
        endpoint="codec1",
        pool="hq",
        relay="relay1",
        verb="put",
        revision=10,
        sequence=1,
        counter=0,
        outcome="confirmed",
        at=T0,
    )
    return replace(usual, **overrides)


def a_desired(**overrides: Any) -> Desired:
    bookings = BookingList(endpoint="codec1", window=WINDOW, bookings=(a_booking(),))
    return replace(Desired(revision=10, digest="d", list=bookings, since=T0), **overrides)


def a_state(**overrides: Any) -> EndpointState:
    return replace(EndpointState(endpoint=an_endpoint(), desired=a_desired()), **overrides)


def a_sent(**overrides: Any) -> Sent:
    return replace(Sent(verb="put", revision=10, sequence=1, at=T0), **overrides)


def a_relay(name: str = "relay1", **overrides: Any) -> RelayState:
    return replace(RelayState(name=name, pool="hq", last_seen=T0), **overrides)
