"""All-day meetings are dates, not instants: midnights in the zone of the room, whoever booked them."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, tzinfo


def midnight(day: date, zone: tzinfo) -> datetime:
    """When that day begins there, in UTC."""
    return datetime.combine(day, time(), zone).astimezone(UTC)


def day_of(instant: datetime, zone: tzinfo) -> date:
    """Which day was meant by an instant that is midnight in a zone nobody states.

    The room's zone if it is midnight there, else the nearest midnight of UTC: that is the right day for every zone
    from twelve hours behind UTC to less than twelve hours ahead of it.
    """
    here = instant.astimezone(zone)
    if here.time() == time():
        return here.date()
    return (instant.astimezone(UTC) + timedelta(hours=12)).date()
