"""The brake: what changes too much at once is computed but held, until a person lets it go. Pure.

A calendar whose rooms go from bookings to none, many within a short while, has more probably lost a permission than its
meetings. Rules that would take away or change many dial strings are more probably wrong than wanted.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from otd.model import Booking, Window

WITHIN = timedelta(minutes=10)  # rooms that went empty longer ago than this do not count together
SHARE = 10  # percent
FEWEST = 20  # rooms; with fewer the brake of a calendar does not hold
OPEN = timedelta(minutes=10)  # after a person let the rooms of a calendar go, it holds no others for so long


@dataclass(frozen=True, slots=True, kw_only=True)
class Floor:
    """A calendar's rooms, seen when one of them would go from bookings to none."""

    rooms: int  # all that are configured
    emptied: int  # that went, or would go, from bookings to none within WITHIN; this one too
    on: bool = False  # the brake holds others of them already
    open_until: datetime | None = None  # a person let go until then


def holds(floor: Floor, now: datetime) -> bool:
    """Whether the room's list is held."""
    if floor.open_until is not None and now < floor.open_until:
        return False
    return floor.on or (floor.emptied >= FEWEST and floor.emptied * 100 > floor.rooms * SHARE)


def shows_something(bookings: Iterable[Booking], window: Window, now: datetime) -> bool:
    """Whether there is a booking that is not over: that the day is over does not empty a room."""
    return any(not booking.is_over(now) and window.overlaps(booking.start, booking.end) for booking in bookings)


@dataclass(frozen=True, slots=True, kw_only=True)
class Toll:
    """What other rules, or another version, would do to the dial strings that are in place."""

    dialled: int = 0  # bookings with a dial string now
    lost: int = 0
    changed: int = 0

    def __add__(self, other: Toll) -> Toll:
        return Toll(
            dialled=self.dialled + other.dialled, lost=self.lost + other.lost, changed=self.changed + other.changed
        )

    @property
    def holds(self) -> bool:
        """Whether it is too much."""
        return (self.lost + self.changed) * 100 > self.dialled * SHARE


def toll(before: Iterable[Booking], after: Iterable[Booking], now: datetime, *, unknown: frozenset[str]) -> Toll:
    """The toll of these bookings in place of those, of one room on one endpoint.

    `unknown` are the ids of bookings that cannot be judged, since what they said is not kept.
    """
    then = {booking.id: booking for booking in after}
    found = Toll()
    for booking in before:
        if booking.dial is None or booking.is_over(now) or booking.id in unknown:
            continue
        other = then.get(booking.id)
        dial = other.dial if other else None
        found += Toll(dialled=1, lost=int(dial is None), changed=int(dial is not None and dial != booking.dial))
    return found


def frozen(before: Iterable[Booking], after: Iterable[Booking], same: frozenset[str]) -> tuple[Booking, ...]:
    """The bookings `after`, those in `same` (by id) with the dial string that they have `before`.

    For a version that reads invitations differently, while it is held: what nobody has touched keeps its Join.
    """
    kept = {booking.id: booking for booking in before if booking.id in same and booking.dial is not None}
    found = {booking.id: booking for booking in after}
    for id, old in kept.items():
        new = found.get(id, old)
        found[id] = replace(new, dial=old.dial, platform=old.platform, rule=old.rule, reason=old.reason)
    return tuple(sorted(found.values(), key=lambda booking: (booking.start, booking.end, booking.id)))
