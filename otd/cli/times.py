"""Times as people type them at a terminal."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, tzinfo
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
FORMS = '"09:58", "tue 09:58", "yesterday 14:00", "2026-01-31 09:58", "2h ago" or "now"'
_CLOCK = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)(?::([0-5]\d))?\Z")
_AGO = re.compile(r"(\d{1,6})\s*(d|h|m|min|s)\s+ago\Z")
_UNITS: Mapping[str, str] = {"d": "days", "h": "hours", "m": "minutes", "min": "minutes", "s": "seconds"}


def understood(text: str, option: str, now: datetime, zone: tzinfo) -> datetime:
    """The time that a person means, in UTC; one without a zone is in this zone, and a day of the week lies in the past
    seven days. Raises BadSetting."""
    from datetime import UTC

    from otd.errors import BadSetting

    found = _understood(text.strip().lower(), now.astimezone(zone), zone)
    if found is None:
        raise BadSetting(option, f"{text!r} is not a time", f"write it like {FORMS}")
    return found.astimezone(UTC)


def _understood(text: str, now: datetime, zone: tzinfo) -> datetime | None:
    if text == "now":
        return now
    if ago := _AGO.match(text):
        try:
            return now - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        except OverflowError:
            return None
    day, _, clock = text.rpartition(" ")
    if _CLOCK.match(clock):
        date = _day(day.strip(), now)
        return _at(date, clock, zone) if date is not None else None
    if _day(text, now) is not None and text:
        return _at(_day(text, now) or now, "0:00", zone)
    try:
        found = datetime.fromisoformat(text.upper().replace(" ", "T", 1))
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=zone)


def _day(text: str, now: datetime) -> datetime | None:
    """A day by its name; "" is today."""
    near = {"": 0, "today": 0, "yesterday": -1, "tomorrow": 1}
    if text in near:
        return now + timedelta(days=near[text])
    if text[:3] in DAYS and len(text) <= 9 and text.isalpha():
        return now - timedelta(days=(now.weekday() - DAYS.index(text[:3])) % 7)
    try:
        return datetime.fromisoformat(text) if len(text) == 10 else None
    except ValueError:
        return None


def _at(day: datetime, clock: str, zone: tzinfo) -> datetime:
    hours, minutes, seconds = map(int, f"{clock}:0".split(":")[:3])
    return datetime(day.year, day.month, day.day, hours, minutes, seconds, tzinfo=zone)
