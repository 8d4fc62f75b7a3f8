"""Reading a calendar in a test: whatever its kind, what came, or what went wrong."""

from __future__ import annotations

from datetime import timedelta

from otd.errors import OtdError
from otd.model import Complete, Failed, Meeting, Reading, Room, Window
from otd.ports import Calendar
from tests.contracts.calendar import HOUR, T0, WINDOW, Planned, a_room, planned

ROOM = a_room()


def read(calendar: Calendar, room: Room = ROOM, window: Window = WINDOW, seconds: float = 10) -> Reading:
    return calendar.read(room, window, within=timedelta(seconds=seconds))


def meetings(calendar: Calendar, window: Window = WINDOW) -> tuple[Meeting, ...]:
    reading = read(calendar, window=window)
    assert isinstance(reading, Complete), reading
    return reading.meetings


def error(calendar: Calendar, seconds: float = 10) -> OtdError:
    reading = read(calendar, seconds=seconds)
    assert isinstance(reading, Failed), reading
    return reading.error


def many(count: int) -> list[Planned]:
    step = timedelta(minutes=5)
    return [planned(f"m{n}", subject=f"No {n}", start=T0 + n * step, end=T0 + n * step + HOUR) for n in range(count)]
