"""Time zones under the names that Exchange uses."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from icalendar.timezone.windows_to_olson import WINDOWS_TO_OLSON


def zone(name: str) -> ZoneInfo | None:
    """By Windows or by IANA name; None for a name that neither knows."""
    try:
        return ZoneInfo(WINDOWS_TO_OLSON.get(name, name))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


@lru_cache(maxsize=512)
def windows_name(iana: str) -> str:
    """The Windows zone with the same clock all year, of the same part of the world if there is one, else UTC."""
    if iana in ("UTC", "Etc/UTC"):
        return "UTC"
    wanted = _clock(iana)
    same = [windows for windows, olson in WINDOWS_TO_OLSON.items() if _clock(olson) == wanted]
    exact = [windows for windows in same if WINDOWS_TO_OLSON[windows] == iana]
    near = [windows for windows in same if WINDOWS_TO_OLSON[windows].partition("/")[0] == iana.partition("/")[0]]
    return next(iter((*exact, *near, *same)), "UTC")


@lru_cache(maxsize=512)
def _clock(iana: str) -> tuple[timedelta | None, ...]:
    found = zone(iana) or UTC
    return tuple(datetime(2026, month, 15, tzinfo=UTC).astimezone(found).utcoffset() for month in range(1, 13))


def display_name(iana: str) -> str:
    """As Windows shows it: (UTC+01:00) Amsterdam."""
    offset = datetime(2026, 1, 15, tzinfo=UTC).astimezone(zone(iana) or UTC).utcoffset() or timedelta(0)
    if iana in ("UTC", "Etc/UTC"):
        return "(UTC) Coordinated Universal Time"
    minutes = int(offset.total_seconds()) // 60
    sign = "-" if minutes < 0 else "+"
    return f"(UTC{sign}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}) {iana.rpartition('/')[2].replace('_', ' ')}"
