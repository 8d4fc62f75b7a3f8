"""The zone in which a room's all-day meetings are dates."""

from __future__ import annotations

from datetime import tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from otd.errors import BadSetting
from otd.model import Room


def zone_of(room: Room) -> tzinfo:
    """Raises BadSetting for a name that is not an IANA zone."""
    try:
        return ZoneInfo(room.timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise BadSetting(
            f"room {room.name}", f"there is no time zone {room.timezone}", "use an IANA name such as Europe/Berlin"
        ) from error
